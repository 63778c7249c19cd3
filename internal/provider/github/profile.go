package github

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
)

// The bounds of the list of addresses: GitHub gives at most 100 of them at once.
const (
	emailsPerPage = 100
	maxEmailPages = 10
)

// Identify implements authority.Provider.
func (p *Provider) Identify(ctx context.Context, g authority.UpstreamGrant) (authority.Profile, error) {
	return p.profile(ctx, provider.OpIdentify, g.AccessToken)
}

// Prove implements authority.Provider. The check comes first: whoever asked the profile
// first would take any app's token for a login (RFC 6749 §10.16).
func (p *Provider) Prove(ctx context.Context, accessToken string) (authority.Profile, error) {
	if !provider.CheckToken(accessToken) {
		return authority.Profile{}, p.client.TokenInvalid(provider.OpProve, errors.New("not an access token"))
	}
	proven, err := p.check(ctx, accessToken)
	if err != nil {
		return authority.Profile{}, err
	}
	profile, err := p.profile(ctx, provider.OpProve, accessToken)
	if err != nil {
		return authority.Profile{}, err
	}
	if profile.Subject != proven {
		return authority.Profile{}, p.client.Failed(provider.OpProve, errors.New("the token is another user's than its check says"))
	}
	return profile, nil
}

// check asks whose token it is, if it is our app's, and returns the user's id.
func (p *Provider) check(ctx context.Context, accessToken string) (subject string, err error) {
	a, err := p.client.Do(ctx, p.aboutToken(provider.OpProve, http.MethodPost, accessToken))
	if err != nil {
		return "", err
	}
	o, err := a.Object()
	if err != nil {
		return "", err
	}
	switch a.Status {
	case http.StatusOK:
	case http.StatusNotFound:
		return "", p.client.TokenInvalid(provider.OpProve, errors.New("dead, or not our app's"))
	case http.StatusUnprocessableEntity:
		return "", p.client.TokenInvalid(provider.OpProve, errors.New("malformed, as the upstream says"))
	default:
		return "", a.Failed("the token is not checked")
	}
	app, err1 := o.Object("app")
	user, err2 := o.Object("user")
	if err := errors.Join(err1, err2); err != nil {
		return "", a.Failed(err.Error())
	}
	if id, err := app.Text("client_id"); err != nil || id != p.id {
		return "", a.Failed("the answer is about another app")
	}
	subject, ok := userID(user)
	if !ok {
		return "", a.Failed("the user has no id")
	}
	return subject, nil
}

// userID returns a user's id as a decimal number. Null, zero, text and fractions are
// none: such an id once stood for everybody who had none.
func userID(user provider.Object) (string, bool) {
	raw := string(user["id"])
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != raw {
		return "", false
	}
	return raw, true
}

// profile reads whose token it is.
func (p *Provider) profile(ctx context.Context, op, accessToken string) (authority.Profile, error) {
	a, err := p.client.Do(ctx, p.asUser(op, "/user", accessToken))
	if err != nil {
		return authority.Profile{}, err
	}
	if a.Status == http.StatusUnauthorized {
		return authority.Profile{}, p.client.TokenInvalid(op, errors.New("dead"))
	}
	o, err := a.Object()
	if err != nil {
		return authority.Profile{}, err
	}
	if a.Status != http.StatusOK {
		return authority.Profile{}, a.Failed("no profile")
	}
	subject, ok := userID(o)
	if !ok {
		return authority.Profile{}, a.Failed("the user has no id")
	}
	login, err1 := o.Text("login")
	name, err2 := o.Text("name")
	if err := errors.Join(err1, err2); err != nil {
		return authority.Profile{}, a.Failed(err.Error())
	}
	email, err := p.email(ctx, op, accessToken)
	if err != nil {
		return authority.Profile{}, err
	}
	profile, err := provider.CheckProfile(authority.Profile{
		Subject: subject, Username: login, Name: name, Email: email, EmailVerified: email != "",
	})
	if err != nil {
		return authority.Profile{}, a.Failed(err.Error())
	}
	return profile, nil
}

func (p *Provider) asUser(op, path, accessToken string) provider.Call {
	return provider.Call{Op: op, URL: p.api + path, Header: apiHeader(), Bearer: accessToken}
}

// email returns the user's primary address if it is verified, else none. The one in the
// profile is not asked: it is the one shown to the public, and not said to be verified.
func (p *Provider) email(ctx context.Context, op, accessToken string) (string, error) {
	for page := 1; page <= maxEmailPages; page++ {
		path := "/user/emails?per_page=" + strconv.Itoa(emailsPerPage) + "&page=" + strconv.Itoa(page)
		a, err := p.client.Do(ctx, p.asUser(op, path, accessToken))
		switch {
		case err != nil:
			return "", err
		case notAllowed(a):
			return "", nil // the token may tell who, but not which address
		case a.Status == http.StatusUnauthorized:
			return "", p.client.TokenInvalid(op, errors.New("dead"))
		}
		list, err := a.List()
		if err != nil {
			return "", err
		}
		if a.Status != http.StatusOK {
			return "", a.Failed("no addresses")
		}
		email, found, err := primary(list)
		if err != nil {
			return "", a.Failed(err.Error())
		}
		// The next page is asked for by its number: a link would lead wherever it says.
		more := strings.Contains(strings.Join(a.Header.Values("Link"), ","), `rel="next"`)
		if found || len(list) == 0 || len(list) < emailsPerPage && !more {
			return email, nil
		}
	}
	return "", nil
}

// notAllowed reports whether the token lacks the scope for the addresses, as one may
// that somebody else asked for. A rate limit has the same status, and is a failure.
func notAllowed(a provider.Answer) bool {
	if a.Status != http.StatusForbidden && a.Status != http.StatusNotFound {
		return false
	}
	if a.Header.Get("X-Ratelimit-Remaining") == "0" || a.Header.Get("Retry-After") != "" {
		return false
	}
	_, err := a.Object()
	return err == nil
}

// primary returns the primary address among the listed ones if it is verified; found
// is true also where it is not.
func primary(list []provider.Object) (email string, found bool, err error) {
	for _, o := range list {
		isPrimary, err1 := o.Bool("primary")
		isVerified, err2 := o.Bool("verified")
		address, err3 := o.Text("email")
		if err := errors.Join(err1, err2, err3); err != nil {
			return "", false, err
		}
		switch {
		case isPrimary && isVerified:
			return address, true, nil
		case isPrimary:
			return "", true, nil
		}
	}
	return "", false, nil
}
