package gatehouse

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
	"github.com/gatehouse-auth/gatehouse/internal/provider/github"
	"github.com/gatehouse-auth/gatehouse/internal/provider/google"
	"github.com/gatehouse-auth/gatehouse/internal/provider/huggingface"
	"github.com/gatehouse-auth/gatehouse/internal/provider/oidc"
)

// silence is how long a connection of HTTP/2 may say nothing before it is asked for a sign
// of life, and how long that is waited for: less than a call may take, both together. All
// calls to an upstream share one, and time out one after another on one that is dead.
const silence = 4 * time.Second

// readAhead is how much is read of a connection of HTTP/1 before somebody wants it, in bytes. What
// an upstream says without being asked, such as the same answer twice, net/http puts into the
// process's log up to there: that must be no more than the beginning of its header.
const readAhead = 128

// outbound is what all calls to upstreams go through. How long one may take, how much
// it may answer and where it may lead is the provider room's to bound.
func outbound() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    5 * time.Second,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: silence, PingTimeout: silence},
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        time.Minute,
		ReadBufferSize:         readAhead,
		MaxResponseHeaderBytes: 64 << 10,
	}}
}

// upstreamOf makes a provider of the realm. It calls nobody.
func upstreamOf(in *config.Provider, client *http.Client) (authority.Upstream, error) {
	up := authority.Upstream{Name: in.Name, LinkVerified: in.Link == "verified_email"}
	var err error
	switch in.Type {
	case "github":
		up.Provider, err = github.New(github.Options{
			Name: in.Name, ClientID: in.ClientID, ClientSecret: in.ClientSecret, WebURL: in.WebURL, APIURL: in.APIURL, HTTP: client,
		})
	case "google":
		up.Provider, err = google.New(google.Options{
			Name: in.Name, ClientID: in.ClientID, ClientSecret: in.ClientSecret, Issuer: in.Issuer, TokeninfoURL: in.TokeninfoURL, HTTP: client,
		})
	case "hugging_face":
		up.Provider, err = huggingface.New(huggingface.Options{
			Name: in.Name, ClientID: in.ClientID, ClientSecret: in.ClientSecret, Issuer: in.Issuer, HTTP: client,
			AcceptUndocumentedTokenCheck: in.AcceptUndocumentedTokenCheck,
		})
	case "oidc":
		up.Provider, err = oidc.New(oidc.Options{
			Name: in.Name, ClientID: in.ClientID, ClientSecret: in.ClientSecret, Issuer: in.Issuer, Scopes: in.Scopes, HTTP: client,
		})
	default:
		err = fmt.Errorf("there is no provider of the type %q", in.Type)
	}
	return up, err
}
