package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// world is what stands around the peers: an upstream and an issuer.
type world struct {
	upstream, issuer string // host:port
	rsa              *rsa.PrivateKey
	ec               *ecdsa.PrivateKey
	delay            atomic.Int64 // of introspection, nanoseconds
	asked            atomic.Int64 // introspections
}

const (
	audience       = "gatehouse-bench"
	introspectTime = 5 * time.Millisecond // what an issuer in the same data centre takes
)

func newWorld(ctx context.Context) (w *world, err error) {
	w = new(world)
	w.delay.Store(int64(introspectTime))
	if w.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	if w.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	body := []byte(strings.Repeat("hello ", 100))
	w.upstream, err = serve(ctx, http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { _, _ = out.Write(body) }))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jwks", w.jwks)
	mux.HandleFunc("POST /introspect", w.introspect)
	w.issuer, err = serve(ctx, mux)
	return w, err
}

func serve(ctx context.Context, h http.Handler) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.Serve(l) }()
	context.AfterFunc(ctx, func() { _ = s.Close() })
	return l.Addr().String(), nil
}

func (w *world) jwks(out http.ResponseWriter, _ *http.Request) {
	encode := func(n *big.Int, size int) string {
		return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, size)))
	}
	point, err := w.ec.PublicKey.Bytes()
	if err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(out).Encode(map[string]any{"keys": []map[string]string{
		{"kty": "RSA", "kid": "rsa", "use": "sig", "alg": "RS256", "n": encode(w.rsa.N, 256), "e": "AQAB"},
		{"kty": "EC", "kid": "ec", "use": "sig", "alg": "ES256", "crv": "P-256",
			"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:])},
	}})
}

func (w *world) introspect(out http.ResponseWriter, r *http.Request) {
	w.asked.Add(1)
	time.Sleep(time.Duration(w.delay.Load())) //nolint:forbidigo // the issuer's own work
	_ = json.NewEncoder(out).Encode(map[string]any{
		"active": strings.HasPrefix(r.PostFormValue("token"), "good-"), "sub": "somebody", "client_id": "app", "token_type": "Bearer", "exp": time.Now().Add(time.Hour).Unix(),
	})
}

// tokens makes the workload's tokens and says which path takes them.
func (w *world) tokens(workload string) (path string, tokens []string, err error) {
	kinds := map[string]struct {
		path string
		n    int
		make func(i int) (string, error)
	}{
		"W1": {"/opaque/x", 1, opaque},
		"W2": {"/jwt/x", 1000, func(i int) (string, error) { return w.jwt(jwt.SigningMethodRS256, "rsa", w.rsa, i) }},
		"W3": {"/jwt/x", 100_000, func(i int) (string, error) { return w.jwt(jwt.SigningMethodES256, "ec", w.ec, i) }},
		"W4": {"/opaque/x", 1000, opaque},
	}
	kind, ok := kinds[workload]
	if !ok {
		return "", nil, fmt.Errorf("there are W1 to W5, no %q", workload)
	}
	for i := range kind.n {
		token, err := kind.make(i)
		if err != nil {
			return "", nil, err
		}
		tokens = append(tokens, token)
	}
	return kind.path, tokens, nil
}

func opaque(i int) (string, error) { return fmt.Sprintf("good-%031d", i), nil }

// jwt is as large as those of common issuers.
func (w *world) jwt(method jwt.SigningMethod, kid string, key any, i int) (string, error) {
	now := time.Now()
	t := jwt.NewWithClaims(method, jwt.MapClaims{
		"iss": "http://" + w.issuer, "aud": audience, "sub": fmt.Sprintf("user-%08d", i), "client_id": "app",
		"iat": now.Unix(), "exp": now.Add(2 * time.Hour).Unix(), "jti": rand.Text(), "scope": "openid profile email",
		"name": "Some Body", "email": fmt.Sprintf("user-%08d@example.com", i), "roles": []string{"reader", "staff"},
	})
	t.Header["kid"] = kid
	return t.SignedString(key)
}

const bareConfig = `{
	admin off
	auto_https off
	persist_config off
}
http://$ADDRESS {
	bind 127.0.0.1
	reverse_proxy $UPSTREAM
}
`

const guardedConfig = `{
	admin $ADMIN
	auto_https off
	persist_config off
	gatehouse {
		store sqlite $DIR/gatehouse.db
		cache {
			max_size 128MiB
			max_ttl 10m
		}
		realm unused {
			issuer http://$ADDRESS
		}
		trust jwts {
			issuer http://$ISSUER
			audience ` + audience + `
			verify jwks http://$ISSUER/jwks
		}
		trust opaque {
			issuer http://$ISSUER
			audience any
			verify introspection http://$ISSUER/introspect {
				client_id bench
				client_secret bench-secret-0123456789
			}
		}
	}
}
http://$ADDRESS {
	bind 127.0.0.1
	guard /opaque/* {
		accept opaque
		identity {
			X-Auth-Subject sub
		}
	}
	guard /jwt/* {
		accept jwts
		identity {
			X-Auth-Subject sub
		}
	}
	reverse_proxy $UPSTREAM
}
`

// freeAddress is a loopback address that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// start runs a peer until it is stopped.
func (w *world) start(ctx context.Context, dir string, p *peer) (*process, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	admin := "off"
	if p.profiled {
		if admin, err = freeAddress(ctx); err != nil {
			return nil, err
		}
	}
	home, err := os.MkdirTemp(dir, "peer-")
	if err != nil {
		return nil, err
	}
	text, binary := guardedConfig, "gatehouse"
	if p.bare {
		text, binary = bareConfig, "bare"
	}
	text = strings.NewReplacer("$ADDRESS", address, "$UPSTREAM", w.upstream, "$ISSUER", w.issuer, "$DIR", home, "$ADMIN", admin).Replace(text)
	file := filepath.Join(home, "Caddyfile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(dir, binary), "run", "--config", file, "--adapter", "caddyfile") //nolint:gosec // G204: built here
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home, "HOME="+home, "GOMAXPROCS=1")
	if p.stock {
		cmd.Env = append(cmd.Env, "GOGC=100")
	}
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &process{cmd: cmd, address: address, admin: admin}
	return s, s.ready(ctx)
}
