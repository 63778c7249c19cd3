package tests

import (
	"net/http"
	"strings"
	"testing"
)

// Attack 6, by way of an operator's handler: what it says of the caller in a field of its
// own, by a placeholder or by another authority's answer, is not taken along when Connection
// names that field either. What the client sent under such a name does not arrive.
func TestConnectionTakesNothingAlong(t *testing.T) {
	s, _ := startTalker(t, `	guard /admin/*
	request_header /admin/* X-Who {http.auth.user.client_id}
	request_header X-Site mine
	forward_auth /admin/* $BACKEND {
		uri /check
		copy_headers Access-Control-Allow-Origin>X-Copied
	}
	reverse_proxy $BACKEND`)
	bearer := "Bearer " + s.token(appCredentials)
	for _, connection := range []string{"close", "X-Who, X-Site, X-Copied, X-Own", "close,x-who ,\tX-SITE,x-copied,x-own,Remote-User", "upgrade, X-Who, X-Copied, X-Own, X-Site"} {
		for path, want := range map[string][]string{"/admin/x": {`"X-Who":["app"]`, `"X-Copied":["*"]`, `"X-Site":["mine"]`, `"Remote-User":`}, "/public/x": {`"X-Site":["mine"]`}} {
			a := send(t, "GET", "http://"+s.vars["APP"]+path, "", "Authorization", bearer, "X-Own", "1", "X-Site", "theirs", "Connection", connection)
			if a.status != 200 || strings.Contains(a.body, "theirs") || strings.Contains(a.body, "X-Own") != (connection == "close") {
				t.Errorf("%s, Connection: %s: %d %s", path, connection, a.status, a.body)
			}
			for _, said := range want {
				if !strings.Contains(a.body, said) {
					t.Errorf("%s, Connection: %s: no %s in %s", path, connection, said, a.body)
				}
			}
		}
	}
}

// Where nobody is known, on an open path and in the answer to a refusal, a placeholder of
// the caller's is empty: an app that got it as it is written would take it for a name.
func TestPlaceholdersOfNobody(t *testing.T) {
	for name, guards := range map[string]string{
		"a matcher": "\tguard /admin/*\n",
		"a block":   "\thandle /admin/* {\n\t\tguard\n\t\treverse_proxy $BACKEND\n\t}\n",
		"optional":  "\tguard {\n\t\toptional\n\t}\n\tguard /admin/*\n",
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := startTalker(t, guards+`	request_header X-Early {http.auth.user.id}
	reverse_proxy $BACKEND {
		header_up X-Who "{http.auth.user.username}{http.auth.user.of_nobody}"
	}
	handle_errors {
		header X-Who {http.auth.user.id}
		respond "for {http.auth.user.username}."
	}`)
			if a := send(t, "GET", "http://"+s.vars["APP"]+"/public/x", ""); a.status != 200 || strings.Contains(a.body, "auth.user") {
				t.Errorf("an open path: %d, the app sees %s", a.status, a.body)
			}
			for status, path := range map[int]string{401: "/admin/x", 400: "/public/a%2fb"} {
				if a := send(t, "GET", "http://"+s.vars["APP"]+path, ""); a.status != status || a.body != "for ." || a.header.Get("X-Who") != "" {
					t.Errorf("%s: %d %q, X-Who %q", path, a.status, a.body, a.header.Get("X-Who"))
				}
			}
		})
	}
}

// A claim that becomes part of a path is as plain there as in a header: a rule over its form
// keeps out who calls himself something that leads elsewhere.
func TestClaimsInPaths(t *testing.T) {
	f := newForger(t)
	s, app := startTalker(t, "	respond unused")
	s.stop()
	s.vars["FORGER"] = strings.TrimPrefix(f.URL, "http://")
	before, _, _ := strings.Cut(ownAndForged, "http://$APP {")
	s.start(before + `http://$APP {
	bind 127.0.0.1
	route {
		guard {
			accept forger
			policy ` + "`principal.username.matches(\"^[A-Za-z0-9_-]+$\")`" + `
		}
		rewrite * /home/{http.auth.user.username}{uri}
		reverse_proxy $BACKEND
	}
}
`)
	for name, status := range map[string]int{
		"ada": 200, "A_da-1": 200, "": 403, "..": 403, "../admin": 403, "x?admin=1": 403, "x#": 403, "ada\n": 403, "x%2f..": 403, "{env.HOME}": 403, "x\\u0000": 403,
	} {
		f.says(f.active(`"username":"` + strings.ReplaceAll(name, "\n", `\n`) + `"`))
		token := "opaque-token-of-" + strings.Map(func(r rune) rune { return 'a' + r%26 }, name)
		a := s.guarded("/x", token)
		got := app.reached()
		if a.status != status && !(strings.Contains(name, `\u0000`) && a.status == http.StatusUnauthorized) ||
			status == 200 && (len(got) != 1 || got[0] != "/home/"+name+"/x") || status != 200 && got != nil {
			t.Errorf("%q: %d, the app got %q", name, a.status, got)
		}
	}
}
