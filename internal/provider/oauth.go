package provider

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// What is being done, for the log.
const (
	OpAuthURL     = "make the authorization address"
	OpExchange    = "exchange the code"
	OpIdentify    = "identify"
	OpProve       = "prove the token"
	OpStartDevice = "start the device login"
	OpPollDevice  = "poll the device login"
	OpForget      = "forget the token"
)

// SecretIn says where a client's secret goes in calls to an OAuth endpoint.
type SecretIn uint8

// The places of a secret (RFC 6749 §2.3.1).
const (
	SecretInForm   SecretIn = iota // beside client_id
	SecretInHeader                 // HTTP Basic, both parts form-encoded first
	SecretNowhere                  // a public client, or a call that takes none
)

// Endpoint is an OAuth endpoint of an upstream, and who we are there.
type Endpoint struct {
	URL    string
	Client string
	Secret string
	Place  SecretIn
}

// Call makes a form call to the endpoint, as the client. It adds to the form.
func (e Endpoint) Call(op string, form url.Values) Call {
	c := Call{Op: op, URL: e.URL, Form: form}
	if e.Place == SecretInHeader {
		c.Basic = url.UserPassword(url.QueryEscape(e.Client), url.QueryEscape(e.Secret))
		return c
	}
	form.Set("client_id", e.Client)
	if e.Place == SecretInForm {
		form.Set("client_secret", e.Secret)
	}
	return c
}

// AuthURL writes an authorization address (RFC 6749 §4.1.1): client_id, redirect_uri,
// scope, state and, with a verifier, the S256 challenge (RFC 7636 §4.3). The nonce is
// among more, where the upstream knows one. Errors: Internal, for a login without state.
func (c *Client) AuthURL(endpoint, client string, scopes []string, q authority.UpstreamAuth, more ...oauth2.AuthCodeOption) (string, error) {
	if q.State == "" {
		return "", c.fault(authority.Internal, OpAuthURL, "", errors.New("a login without a state"))
	}
	if q.Verifier != "" {
		more = append(more, oauth2.S256ChallengeOption(q.Verifier))
	}
	conf := oauth2.Config{
		ClientID: client, RedirectURL: q.RedirectURI, Scopes: scopes, Endpoint: oauth2.Endpoint{AuthURL: endpoint},
	}
	return conf.AuthCodeURL(q.State, more...), nil
}

// Exchange redeems a code (RFC 6749 §4.1.3). Errors: UpstreamCodeInvalid, ProviderFailed.
func (c *Client) Exchange(ctx context.Context, e Endpoint, q authority.UpstreamCode) (authority.UpstreamGrant, error) {
	if !visible(q.Code, MaxCode) {
		return authority.UpstreamGrant{}, c.CodeInvalid(OpExchange, errors.New("not a code"))
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {q.Code}}
	if q.RedirectURI != "" {
		form.Set("redirect_uri", q.RedirectURI)
	}
	if q.Verifier != "" {
		form.Set("code_verifier", q.Verifier)
	}
	a, err := c.Do(ctx, e.Call(OpExchange, form))
	if err != nil {
		return authority.UpstreamGrant{}, err
	}
	o, code, err := a.tokenAnswer()
	switch {
	case err != nil:
		return authority.UpstreamGrant{}, err
	case codeRefused(code):
		return authority.UpstreamGrant{}, c.CodeInvalid(OpExchange, refusal(code))
	case code != "":
		return authority.UpstreamGrant{}, c.Failed(OpExchange, refusal(code))
	}
	return a.grant(o, q.Nonce)
}

// codeRefused reports whether an error code is about the code or the user: a wrong
// redirect_uri is the caller's too, who said another one when the login began.
func codeRefused(code string) bool {
	switch code {
	case "invalid_grant", "bad_verification_code", "redirect_uri_mismatch", "access_denied", "unverified_user_email":
		return true
	}
	return false
}

// tokenAnswer reads what a token or device endpoint says, whatever its status below
// 500, and returns the error code if it has one: several upstreams answer errors with
// status 200. Errors: ProviderFailed.
func (a Answer) tokenAnswer() (o Object, code string, err error) {
	if a.Status >= http.StatusInternalServerError {
		return nil, "", a.Failed("a fault of the upstream")
	}
	if o, err = a.formOrObject(); err != nil {
		return nil, "", err
	}
	if code, err = o.Text("error"); err != nil {
		return nil, "", a.Failed(err.Error())
	}
	if code == "" && (o.Has("error") || a.Status != http.StatusOK) {
		return nil, "", a.Failed("neither success nor an error code")
	}
	return o, code, nil
}

// formOrObject reads an answer that is JSON or, at some upstreams, form-encoded.
func (a Answer) formOrObject() (Object, error) {
	kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" {
		return a.Object()
	}
	form, err := url.ParseQuery(string(a.Body))
	if err != nil || len(form) == 0 {
		return nil, a.Failed("not a form")
	}
	o, err := objectOf(form)
	if err != nil {
		return nil, a.Failed(err.Error())
	}
	return o, nil
}

// grant takes the tokens out of a good answer (RFC 6749 §5.1).
func (a Answer) grant(o Object, nonce string) (authority.UpstreamGrant, error) {
	access, err1 := o.Text("access_token")
	kind, err2 := o.Text("token_type")
	id, err3 := o.Text("id_token")
	if err := errors.Join(err1, err2, err3); err != nil {
		return authority.UpstreamGrant{}, a.Failed(err.Error())
	}
	switch {
	case !CheckToken(access):
		return authority.UpstreamGrant{}, a.Failed("no access token, or not one that can be used")
	case kind != "" && !strings.EqualFold(kind, "bearer"):
		return authority.UpstreamGrant{}, a.Failed("an access token that is no bearer token")
	case id != "" && !CheckToken(id):
		return authority.UpstreamGrant{}, a.Failed("an ID token that cannot be one")
	}
	return authority.UpstreamGrant{AccessToken: access, IDToken: id, Nonce: nonce}, nil
}
