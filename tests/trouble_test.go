package tests

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// lookups is how many tokens one issuer is asked about at a time.
const lookups = 256

// besideTrouble accepts an issuer that is asked before others.
const besideTrouble = `
{
	admin $ADMIN
	auto_https off
	persist_config off
	gatehouse {
		store sqlite $DIR/gatehouse.db
		cache {
			negative_ttl 1ms
		}
		realm demo {
			issuer http://$AUTH
			` + farClients + `
		}
		realm opaque {
			issuer http://$AUTH/realms/opaque
			access_token opaque 5m
			` + farClients + `
		}
		trust silent {
			issuer http://$SILENT
			audience app
			verify introspection {
				client_id gatehouse
				client_secret asker-secret-0123456789
			}
		}
		trust sound {
			issuer http://$SOUND
			audience app
		}
	}
}
http://$AUTH {
	bind 127.0.0.1
	gatehouse {
		realm demo opaque
	}
}
http://$APP {
	bind 127.0.0.1
	guard {
		accept silent sound demo opaque
	}
	respond "sub={http.auth.user.sub}"
}
`

// An issuer that says nothing, and is asked about as many tokens as can be: those of
// others, whom nobody asks it about, do not queue behind them.
func TestSilentIssuerHoldsUpNobodyElse(t *testing.T) {
	silent, sound := newForger(t), newForger(t)
	s := newServer(t)
	s.vars["SILENT"], s.vars["SOUND"] = strings.TrimPrefix(silent.URL, "http://"), strings.TrimPrefix(sound.URL, "http://")
	s.start(besideTrouble)
	silent.says(`{"active":false}`)
	if a := s.guarded("/", "the-first-opaque-token"); a.status != http.StatusUnauthorized {
		t.Fatal(a)
	}
	good := map[string]string{
		"a JWT of another issuer": sound.sign(nil, sound.claims(nil)), "a JWT of ours": s.foreign("", ""), "an opaque token of ours": s.foreign("/realms/opaque", ""),
	}
	release := silent.hold()
	var waiting sync.WaitGroup
	for i := range lookups + 10 {
		waiting.Go(func() {
			_, _ = trySend(t.Context(), "GET", "http://"+s.vars["APP"]+"/", "", "Authorization", fmt.Sprintf("Bearer opaque-token-%d", i))
		})
	}
	eventually(t, 9*time.Second, "as many questions as there may be", func() bool { return silent.asked() > lookups })
	// Nobody is released yet: who queued would wait until the ten seconds of a lookup are over.
	for name, token := range good {
		began := time.Now()
		if a := s.guarded("/", token); a.status != http.StatusOK || time.Since(began) > 8*time.Second {
			t.Errorf("%s: %d after %s", name, a.status, time.Since(began))
		}
	}
	bad := sound.sign(map[string]any{"kid": "two"}, sound.claims(nil))
	if a := s.guarded("/", bad); a.status != http.StatusUnauthorized {
		t.Errorf("a bad JWT of another issuer: %d, want 401", a.status)
	}
	release()
	waiting.Wait()
}

// An issuer that is away while a guard comes to ask for another claim: its block did not
// change, so its keys are still known.
func TestKeysOutliveAReloadThatAsksForAnotherClaim(t *testing.T) {
	s, f := policyServer(t, "true")
	token := f.sign(nil, f.claims(jwt.MapClaims{"level": 3}))
	if a := s.guarded("/", token); a.status != http.StatusOK {
		t.Fatal(a)
	}
	f.Close()
	s.repolicy("principal.claims.level == 3")
	if a := s.guarded("/", token); a.status != http.StatusOK {
		t.Errorf("a token whose key is known: %d", a.status)
	}
	s.repolicy("principal.claims.level > 3")
	if a := s.guarded("/", token); a.status != http.StatusForbidden {
		t.Errorf("by another rule: %d", a.status)
	}
}

// Attack: an issuer, or what stands in front of it, answers introspection twice. The connection is
// kept for the next question, and net/http puts what it finds there into the process's log: whose
// token it was must not stand there.
func TestAttackAnIssuerAnswersTwice(t *testing.T) {
	issuer := newForger(t)
	s := newServer(t)
	s.vars["SILENT"], s.vars["SOUND"] = strings.TrimPrefix(issuer.URL, "http://"), strings.TrimPrefix(issuer.URL, "http://")
	s.start(besideTrouble)
	issuer.stutters(issuer.active(`"sub":"ada-lovelace","email":"ada@example.com"`))
	if a := s.guarded("/", "an-opaque-token"); a.status != http.StatusOK || a.body != "sub=ada-lovelace" {
		t.Fatal(a)
	}
	eventually(t, 10*time.Second, "the log has what came unasked, or this tests nothing any more", func() bool {
		return strings.Contains(s.output.String(), "Unsolicited response")
	})
	for _, fact := range []string{"ada-lovelace", "ada@example.com", "portal"} {
		if strings.Contains(s.output.String(), fact) {
			t.Errorf("the log has %q", fact)
		}
	}
}
