package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/provider/providertest"
)

// upstream is one fake on its port.
type upstream struct {
	name   string
	listen string
	words  string // of the provider block, %s stands for the address
	fake   *providertest.Fake
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "upstreams:", err)
		os.Exit(1) //nolint:forbidigo // this is the main that ends the process
	}
}

// run serves the fakes until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("upstreams", flag.ContinueOnError)
	github := flags.String("github", "127.0.0.1:9101", "`host:port` of GitHub")
	google := flags.String("google", "127.0.0.1:9102", "`host:port` of Google")
	hugging := flags.String("huggingface", "127.0.0.1:9103", "`host:port` of Hugging Face")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	all := []upstream{
		{"GitHub", *github, "provider github; web_url %s; api_url %s/api/v3", providertest.NewGitHub()},
		{"Google", *google, "provider google; issuer %s; tokeninfo_url %s/tokeninfo", providertest.NewGoogle()},
		{"Hugging Face", *hugging, "provider hugging_face; issuer %s", providertest.NewHuggingFace()},
	}
	ended := make(chan error, len(all))
	var text strings.Builder
	var servers []*http.Server
	defer func() {
		for _, server := range servers {
			_ = server.Close()
		}
	}()
	for _, u := range all {
		server, listener, err := u.listener(ctx)
		if err != nil {
			return err
		}
		servers = append(servers, server)
		u.describe(&text, "http://"+listener.Addr().String())
		go func() { ended <- server.Serve(listener) }()
	}
	text.WriteString("Log in: open the address that Gatehouse sends the browser to and choose a name, or append &as=ada to it.\n" +
		"Device logins: type the code at <address>/login/device.\n" +
		"A bare token: curl -X POST '<address>/control/token?as=ada&client=<client id>'\n" +
		"To misbehave: curl -X POST '<address>/control/misbehave?path=<path>&mode=html' (mode=none ends it)\n")
	if _, err := io.WriteString(out, text.String()); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// listener opens the port, which must be one of this machine only.
func (u upstream) listener(ctx context.Context) (*http.Server, net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", u.listen)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", u.name, err)
	}
	if at, ok := l.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
		_ = l.Close()
		return nil, nil, fmt.Errorf("%s: %s is no loopback address, and everybody may log in as anybody here", u.name, u.listen)
	}
	return &http.Server{Handler: u.fake, ReadHeaderTimeout: 10 * time.Second}, l, nil
}

// describe says what there is.
func (u upstream) describe(text *strings.Builder, address string) {
	client := u.fake.Client()
	fmt.Fprintf(text, "%s: %s\n  %s\n  client_id %s\n  client_secret %s\n", u.name, address,
		strings.ReplaceAll(u.words, "%s", address), client.ID, client.Secret)
	for _, key := range u.fake.Users() {
		user := u.fake.User(key)
		verified := "verified"
		if !user.EmailVerified {
			verified = "not verified"
		}
		fmt.Fprintf(text, "  as=%s: %s, %s (%s), subject %s\n", key, user.Name, user.Email, verified, user.Subject)
	}
	text.WriteByte('\n')
}
