package providertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// NewGitHub makes a fake GitHub. The paths of its API stand at its root and, as at
// GitHub Enterprise, below /api/v3; misbehave knows them without that.
func NewGitHub() *Fake {
	f := newFake(kind{
		Client: Client{"gatehouse-github", "github-secret-0123456789"},
		Users: []User{
			{Key: "ada", Subject: "583231", Login: "ada-l", Name: "Ada Lovelace", Email: "ada@example.com", EmailVerified: true},
			{Key: "grace", Subject: "1906", Login: "ghopper", Name: "Grace Hopper", Email: "grace@example.net", EmailVerified: true},
			{Key: "mallory", Subject: "666", Login: "mallory", Name: "Mallory", Email: "mallory@example.com"},
		},
		Paths: Paths{
			Authorize: "/login/oauth/authorize",
			Token:     "/login/oauth/access_token",
			Device:    "/login/device/code",
			Profile:   "/user",
			Proof:     "/applications/gatehouse-github/token",
			Emails:    "/user/emails",
		},
		Fault: githubFault,
		TokenAnswer: func(_ *http.Request, g Grant, answer map[string]any) {
			answer["scope"] = strings.ReplaceAll(g.Scope, " ", ",")
		},
	})
	g := gitHub{f}
	f.handle("GET /user", g.user)
	f.handle("GET /user/emails", g.emails)
	f.handle("POST /applications/{client}/token", g.checkToken)
	f.handle("DELETE /applications/{client}/token", g.deleteToken)
	f.mux.Handle("/api/v3/", http.StripPrefix("/api/v3", f.mux))
	return f
}

// githubFault: errors come with status 200, and some under names of GitHub's own.
func githubFault(code string, device bool) (string, int) {
	switch {
	case code == "invalid_client":
		return "incorrect_client_credentials", http.StatusOK
	case code == "invalid_grant" && device:
		return "incorrect_device_code", http.StatusOK
	case code == "invalid_grant":
		return "bad_verification_code", http.StatusOK
	}
	return code, http.StatusOK
}

// gitHub is the API of GitHub.
type gitHub struct{ *Fake }

// refuse writes an error as the API does.
func (g gitHub) refuse(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]any{"message": message, "status": strconv.Itoa(status)})
}

// admit is what every call to the API has to pass: it names itself, and a version.
func (g gitHub) admit(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.UserAgent() == "" || strings.HasPrefix(r.UserAgent(), "Go-http-client"):
		g.refuse(w, http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
	case r.Header.Get("X-GitHub-Api-Version") != "2022-11-28":
		g.refuse(w, http.StatusBadRequest, "Unsupported API version")
	default:
		return true
	}
	return false
}

// bearer tells whose token the request carries.
func (g gitHub) bearer(w http.ResponseWriter, r *http.Request) (Grant, User, bool) {
	if !g.admit(w, r) {
		return Grant{}, User{}, false
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	grant, user, ok := g.grantOf(token)
	if !ok || !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "token") {
		g.refuse(w, http.StatusUnauthorized, "Bad credentials")
		return Grant{}, User{}, false
	}
	w.Header().Set("X-OAuth-Scopes", grant.Scope)
	w.Header().Set("X-OAuth-Client-Id", grant.Client)
	return grant, user, true
}

func account(u User) map[string]any {
	id, _ := strconv.Atoi(u.Subject)
	return map[string]any{"id": id, "login": u.Login, "type": "User", "site_admin": false}
}

// user answers GET /user: the e-mail address in it is the public one, or null.
func (g gitHub) user(w http.ResponseWriter, r *http.Request) {
	_, u, ok := g.bearer(w, r)
	if !ok {
		return
	}
	answer := account(u)
	answer["name"], answer["email"] = u.Name, nil
	writeJSON(w, http.StatusOK, answer)
}

// emails answers GET /user/emails, in pages.
func (g gitHub) emails(w http.ResponseWriter, r *http.Request) {
	grant, u, ok := g.bearer(w, r)
	switch {
	case !ok:
		return
	case !strings.Contains(grant.Scope, "user"):
		g.refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	all := []any{}
	for _, email := range u.MoreEmails {
		all = append(all, map[string]any{"email": email, "primary": false, "verified": true, "visibility": nil})
	}
	if u.Email != "" {
		all = append(all, map[string]any{"email": u.Email, "primary": true, "verified": u.EmailVerified, "visibility": "private"})
	}
	size, page := number(r, "per_page", 30), number(r, "page", 1)
	size = min(size, 100)
	from := min(size*(page-1), len(all))
	to := min(from+size, len(all))
	if to < len(all) {
		w.Header().Set("Link", fmt.Sprintf(`<%s/user/emails?per_page=%d&page=%d>; rel="next"`, baseOf(r), size, page+1))
	}
	writeJSON(w, http.StatusOK, all[from:to])
}

func number(r *http.Request, name string, otherwise int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil || n < 1 || n > 1_000_000 {
		return otherwise
	}
	return n
}

// aboutToken reads a call about a token, which only its own app may make. A token that
// is not the app's is not found.
func (g gitHub) aboutToken(w http.ResponseWriter, r *http.Request) (token string, grant Grant, user User, ok bool) {
	if !g.admit(w, r) {
		return "", Grant{}, User{}, false
	}
	id, secret, _ := r.BasicAuth()
	if !g.authenticates(id, secret) || id != r.PathValue("client") {
		g.refuse(w, http.StatusUnauthorized, "Requires authentication")
		return "", Grant{}, User{}, false
	}
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.AccessToken == "" {
		g.refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
		return "", Grant{}, User{}, false
	}
	grant, user, ok = g.grantOf(body.AccessToken)
	if !ok || grant.Client != id {
		g.refuse(w, http.StatusNotFound, "Not Found")
		return "", Grant{}, User{}, false
	}
	return body.AccessToken, grant, user, true
}

// checkToken answers POST /applications/{client}/token.
func (g gitHub) checkToken(w http.ResponseWriter, r *http.Request) {
	token, grant, u, ok := g.aboutToken(w, r)
	if !ok {
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"id": 1, "app": map[string]any{"name": grant.Client, "client_id": grant.Client},
		"user": account(u), "scopes": strings.FieldsFunc(grant.Scope, func(c rune) bool { return c == ' ' || c == ',' }),
		"token_last_eight": token[len(token)-8:], "expires_at": nil,
	})
}

// deleteToken answers DELETE /applications/{client}/token.
func (g gitHub) deleteToken(w http.ResponseWriter, r *http.Request) {
	if token, _, _, ok := g.aboutToken(w, r); ok {
		g.Revoke(token)
		w.WriteHeader(http.StatusNoContent)
	}
}
