package google

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
	"github.com/gatehouse-auth/gatehouse/internal/provider/oidc"
)

// Where Google stands.
const (
	DefaultIssuer       = "https://accounts.google.com"
	DefaultTokeninfoURL = "https://oauth2.googleapis.com/tokeninfo"
)

// Options make a Provider.
type Options struct {
	Name         string // in the configuration, for the log
	ClientID     string
	ClientSecret string
	Issuer       string          // empty: DefaultIssuer
	TokeninfoURL string          // empty: DefaultTokeninfoURL
	HTTP         *http.Client    // only its Transport is used; required
	Deadline     time.Duration   // of one call; zero: provider.DefaultDeadline
	Now          authority.Clock // nil: the system's
}

// Provider is Google. Any number of goroutines may use it.
type Provider struct {
	*oidc.Provider

	client    string // our client id
	tokeninfo string
}

var _ authority.Provider = (*Provider)(nil)

// New makes a Provider. It calls nobody. The error names every option that is wrong.
func New(o Options) (*Provider, error) {
	issuer, tokeninfo := cmp.Or(o.Issuer, DefaultIssuer), cmp.Or(o.TokeninfoURL, DefaultTokeninfoURL)
	_, bare, _ := strings.Cut(issuer, "://")
	base, err := oidc.New(oidc.Options{
		Name: o.Name, ClientID: o.ClientID, ClientSecret: o.ClientSecret, Issuer: issuer,
		Scopes: []string{
			"https://www.googleapis.com/auth/userinfo.profile", "https://www.googleapis.com/auth/userinfo.email", "openid",
		},
		HTTP: o.HTTP, Deadline: o.Deadline, Now: o.Now,
		AuthParams: map[string]string{"access_type": "offline"},
		// Device logins may ask for few scopes, and these are in the list under these names.
		DeviceScopes:    []string{"openid", "email", "profile"},
		OtherIssuers:    []string{bare},
		SecretInForm:    true,
		OpenDeviceStart: true,
	})
	if fault := provider.CheckURL(tokeninfo); fault != nil {
		err = errors.Join(err, fmt.Errorf("tokeninfo_url %w", fault))
	}
	if err != nil {
		return nil, err
	}
	return &Provider{Provider: base, client: o.ClientID, tokeninfo: tokeninfo}, nil
}

// Prove asks tokeninfo about a token that a stranger presented: its aud must be our
// client. Whose it is says userinfo of the same token, and tokeninfo must agree where it
// names somebody: it does not for every scope.
func (p *Provider) Prove(ctx context.Context, accessToken string) (authority.Profile, error) {
	if !provider.CheckToken(accessToken) {
		return authority.Profile{}, p.invalid(errors.New("not an access token"))
	}
	a, err := p.Client().Do(ctx, provider.Call{
		Op: provider.OpProve, URL: p.tokeninfo + "?" + url.Values{"access_token": {accessToken}}.Encode(),
	})
	if err != nil {
		return authority.Profile{}, err
	}
	o, err := a.Object()
	if err != nil {
		return authority.Profile{}, err
	}
	switch a.Status {
	case http.StatusOK:
	case http.StatusBadRequest, http.StatusUnauthorized:
		return authority.Profile{}, p.invalid(errors.New("tokeninfo does not know the token"))
	default:
		return authority.Profile{}, a.Failed("no tokeninfo")
	}
	info, err := readTokeninfo(o)
	if err != nil {
		return authority.Profile{}, a.Failed(err.Error())
	}
	if err := info.judge(p.client, p.Now()); err != nil {
		return authority.Profile{}, p.invalid(err)
	}
	user, err := p.UserInfo(ctx, provider.OpProve, accessToken)
	if err != nil {
		return authority.Profile{}, err
	}
	return p.agree(info, user)
}

// agree makes the profile of what both say.
func (p *Provider) agree(info tokeninfo, user provider.Object) (authority.Profile, error) {
	profile, err := oidc.ProfileOf(user)
	if err != nil {
		return authority.Profile{}, p.Client().Failed(provider.OpProve, err)
	}
	if info.subject != "" && info.subject != profile.Subject {
		return authority.Profile{}, p.invalid(errors.New("tokeninfo and userinfo are about different people"))
	}
	switch {
	case profile.Email == "":
		profile.Email, profile.EmailVerified = info.email, info.verified
	case info.email == profile.Email:
		profile.EmailVerified = profile.EmailVerified && info.verified
	}
	if profile, err = provider.CheckProfile(profile); err != nil {
		return authority.Profile{}, p.Client().Failed(provider.OpProve, err)
	}
	return profile, nil
}

func (p *Provider) invalid(cause error) error {
	return p.Client().TokenInvalid(provider.OpProve, cause)
}

// tokeninfo is what matters of an answer of version 3, the one that says aud and sub.
type tokeninfo struct {
	audience string
	subject  string // empty: not said
	email    string
	verified bool
	expires  int64 // Unix seconds
}

// readTokeninfo reads an answer. A subject that is there must be one.
func readTokeninfo(o provider.Object) (tokeninfo, error) {
	var t tokeninfo
	var err1, err2, err3, err4 error
	t.audience, err1 = o.Text("aud")
	t.subject, err2 = o.Text("sub")
	t.email, err3 = o.Text("email")
	t.expires, err4 = o.Integer("exp")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return tokeninfo{}, err
	}
	if _, there := o["sub"]; there && t.subject == "" {
		return tokeninfo{}, errors.New("an empty subject")
	}
	if t.audience == "" {
		return tokeninfo{}, errors.New("tokeninfo without aud")
	}
	// The string is Google's; a boolean would be what the standard says.
	text, _ := o.Text("email_verified")
	boolean, _ := o.Bool("email_verified")
	t.verified = t.email != "" && (text == "true" || boolean)
	return t, nil
}

// judge decides whether the token is ours, and alive. aud is judged and not azp, which
// may be a sibling of ours in the same project.
func (t tokeninfo) judge(client string, now time.Time) error {
	switch {
	case t.audience != client:
		return errors.New("the token was issued to another client")
	case t.expires <= now.Unix():
		return errors.New("the token has expired")
	}
	return nil
}
