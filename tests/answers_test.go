package tests

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// asking takes tokens that their issuer is asked about.
const asking = `
{
	admin $ADMIN
	auto_https off
	persist_config off
	gatehouse {
		store sqlite $DIR/gatehouse.db
		realm demo {
			issuer http://$AUTH
			` + farClients + `
		}
		trust forger {
			issuer http://$FORGER
			audience app
			verify introspection http://$ASKED/introspect {
				client_id gatehouse
				client_secret asker-secret-0123456789
			}
		}
	}
}
http://$APP {
	bind 127.0.0.1
	guard /short/* {
		accept forger
		policy ` + "`principal.expires < request.time + duration(\"2h\")`" + `
	}
	@rest not path /short/*
	guard @rest {
		accept forger
		identity {
			X-Exp exp
			X-Sub sub
		}
	}
	respond "sub={http.request.header.X-Sub} exp={http.request.header.X-Exp}"
}
`

// An issuer that closes a connection while a question comes in on it, as servers do whose
// patience with an idle one ends, is asked once more on another: the token is as good as before.
func TestIssuerThatClosesKeptConnections(t *testing.T) {
	f, s := newForger(t), newServer(t)
	f.says(f.active(""))
	var questions atomic.Int32
	asked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if questions.Add(1)%2 == 0 {
			panic(http.ErrAbortHandler)
		}
		f.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(asked.Close)
	s.vars["FORGER"], s.vars["ASKED"] = strings.TrimPrefix(f.URL, "http://"), strings.TrimPrefix(asked.URL, "http://")
	s.start(asking)
	for _, token := range []string{"opaque-token-one", "opaque-token-two", "opaque-token-three"} {
		if a := s.guarded("/", token); a.status != http.StatusOK || !strings.HasPrefix(a.body, "sub=ada ") {
			t.Errorf("%s: %d %q", token, a.status, a.body)
		}
	}
}

// Of a token whose end its issuer does not tell, no rule and no app is told one.
func TestNoEndIsMadeUp(t *testing.T) {
	f, s := newForger(t), newServer(t)
	s.vars["FORGER"] = strings.TrimPrefix(f.URL, "http://")
	s.vars["ASKED"] = s.vars["FORGER"]
	s.start(asking)
	f.says(f.active(""))
	if a := s.guarded("/short/x", "one-that-ends-soon"); a.status != http.StatusOK {
		t.Errorf("a token that ends soon: %d", a.status)
	}
	f.says(f.active(`"exp":null`))
	for range 2 { // looked up, and from the cache
		if a := s.guarded("/short/x", "one-without-an-end"); a.status != http.StatusForbidden {
			t.Errorf("a token without an end, where it must end soon: %d", a.status)
		}
		if a := s.guarded("/", "one-without-an-end"); a.status != http.StatusOK || a.body != "sub=ada exp=" {
			t.Errorf("a token without an end: %d %q", a.status, a.body)
		}
	}
}
