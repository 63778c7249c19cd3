package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

// Exit codes.
const (
	exitBuilt  = 0
	exitFailed = 1
	exitUsage  = 2
)

const usage = `Usage: gatehouse-build [-config xcaddy.json] [-output file] [-print] [-no-xcaddy]

Builds Caddy with the plugins that a file names, for which see docs/build.md. If
xcaddy is on the PATH it does the work; else the go command does the same steps.

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code) //nolint:forbidigo // this is main, and no defer is pending
}

// options are the command line.
type options struct {
	config, output  string
	print, noXcaddy bool
}

// run is main with everything handed in but the environment, PATH among it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("gatehouse-build", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.config, "config", "xcaddy.json", "the `file` that says what to build")
	flags.StringVar(&o.output, "output", "", "the `file` to make (default gatehouse, on Windows gatehouse.exe)")
	flags.BoolVar(&o.print, "print", false, "show the commands and do nothing")
	flags.BoolVar(&o.noXcaddy, "no-xcaddy", false, "use the go command even if xcaddy is there")
	flags.Usage = func() {
		_, _ = io.WriteString(stderr, usage)
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitBuilt
	case err != nil:
		return exitUsage
	case flags.NArg() > 0:
		_, _ = fmt.Fprintf(stderr, "gatehouse-build takes no argument %q: the file says what to build\n", flags.Arg(0))
		return exitUsage
	}
	if err := do(ctx, o, stdout, stderr); err != nil {
		_, _ = fmt.Fprintf(stderr, "gatehouse-build: %v\n", err)
		return exitFailed
	}
	return exitBuilt
}

// do reads the file and builds, or prints how.
func do(ctx context.Context, o options, stdout, stderr io.Writer) error {
	asked, err := readFile(o.config)
	if err != nil {
		return err
	}
	if err := asked.resolve(filepath.Dir(o.config)); err != nil {
		return err
	}
	b := &builder{build: asked, progress: stderr, stdout: stdout, environ: os.Environ()}
	if b.output, err = outputPath(o.output, asked.windows(os.Getenv)); err != nil {
		return err
	}
	xcaddy := b.chooseXcaddy(o.noXcaddy)
	switch {
	case o.print && xcaddy != "":
		_, err = fmt.Fprintf(stdout, "%s %s\n", assignments(changed(b.environ, xcaddyEnvironment(asked))), line(append([]string{xcaddy}, xcaddyArgs(asked, b.output)...)...))
		return err
	case o.print:
		list, err := steps(asked, b.output)
		if err != nil {
			return err
		}
		_, err = io.WriteString(stdout, script(asked, list))
		return err
	case xcaddy != "":
		return b.withXcaddy(ctx, xcaddy)
	default:
		return b.withGo(ctx)
	}
}

// chooseXcaddy returns the path of xcaddy if it is to be used, else "", and says so
// where that may surprise.
func (b *builder) chooseXcaddy(never bool) string {
	if never {
		return ""
	}
	path, err := exec.LookPath("xcaddy")
	if err != nil { // one in the current folder only is an error too, and not trusted
		return ""
	}
	if reason := xcaddyCannot(b.build); reason != "" {
		b.say("using the go command alone: %s", reason)
		return ""
	}
	return path
}

// outputPath is where the binary goes. go build would put one of another name into
// a folder.
func outputPath(asked string, windows bool) (string, error) {
	if asked == "" {
		asked = "gatehouse"
		if windows {
			asked += ".exe"
		}
	}
	output, err := filepath.Abs(asked)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(output); err == nil && info.IsDir() {
		return "", fmt.Errorf("%s is a folder; -output names a file", output)
	}
	return output, nil
}

// changed leaves out the variables that are to be removed and are not there.
func changed(environ []string, vars []variable) []variable {
	there := map[string]bool{}
	for _, assignment := range environ {
		for i := range assignment {
			if assignment[i] == '=' {
				there[assignment[:i]] = true
				break
			}
		}
	}
	var list []variable
	for _, v := range vars {
		if v.value != "" || there[v.name] {
			list = append(list, v)
		}
	}
	return list
}
