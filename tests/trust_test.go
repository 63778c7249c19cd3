package tests

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// farGatehouse is the configuration of a second Gatehouse, whose tokens the first one
// trusts: a realm of JWTs, one of opaque tokens, and one that nobody trusts.
const farGatehouse = `
{
	admin $ADMIN
	auto_https off
	persist_config off
	gatehouse {
		store sqlite $DIR/gatehouse.db
		realm far {
			issuer http://$AUTH
			` + farClients + `
		}
		realm opaque {
			issuer http://$AUTH/realms/opaque
			access_token opaque 5m
			` + farClients + `
		}
		realm stranger {
			issuer http://$AUTH/realms/stranger
			` + farClients + `
		}
	}
}
http://$AUTH {
	bind 127.0.0.1
	gatehouse {
		realm far opaque stranger
	}
}
`

const farClients = `client app {
				secret app-secret-0123456789
				grants client_credentials
				scopes read write
				audience https://api.example.com/
				roles reader
			}
			client asker {
				secret asker-secret-0123456789
				introspect any
			}`

// nearGatehouse trusts the second one both ways, in as few words as that takes. Its
// cache lives for a second, so that the tests need not wait long for what it forgets.
const nearGatehouse = `
{
	admin $ADMIN
	auto_https off
	persist_config off
	gatehouse {
		store sqlite $DIR/gatehouse.db
		cache {
			max_ttl $TTL
			negative_ttl 100ms
		}
		realm demo {
			issuer http://$AUTH
			client app {
				secret app-secret-0123456789
				grants client_credentials
				scopes read
			}
		}
		trust keys {
			issuer http://$FAR
			audience http://$FAR
		}
		trust asked {
			issuer http://$FAR/realms/opaque
			audience http://$FAR/realms/opaque
			verify introspection {
				client_id asker
				client_secret asker-secret-0123456789
			}
		}
		trust both {
			issuer http://$FAR
			audience any
			verify introspection http://$FAR/oauth2/introspect {
				client_id asker
				client_secret asker-secret-0123456789
			}
		}
	}
}
http://$AUTH {
	bind 127.0.0.1
	gatehouse
}
http://$APP {
	bind 127.0.0.1
	guard /keys/* {
		accept keys
		scopes read
		identity {
			X-Sub sub
			X-Client client_id
			X-Realm realm
			X-Roles roles
		}
	}
	guard /asked/* {
		accept asked
		scopes read
		identity {
			X-Sub sub
			X-Client client_id
			X-Realm realm
			X-Roles roles
		}
	}
	guard /both/* {
		accept both
	}
	guard /own/* {
		accept demo
	}
	guard /all/* {
		accept demo keys asked
	}
	reverse_proxy $UP
}
http://$UP {
	bind 127.0.0.1
	respond "realm={http.request.header.X-Realm} client={http.request.header.X-Client} roles={http.request.header.X-Roles} sub={http.request.header.X-Sub} auth={http.request.header.Authorization}"
}
`

// trusting starts a second Gatehouse and one that trusts it.
func trusting(t *testing.T, ttl string) (near, far *server) {
	t.Helper()
	far = newServer(t).start(farGatehouse)
	near = newServer(t)
	near.vars["FAR"], near.vars["TTL"] = far.vars["AUTH"], ttl
	return near.start(nearGatehouse), far
}

// foreign gets a token of a realm of the second Gatehouse.
func (s *server) foreign(path, more string) string {
	s.t.Helper()
	a := send(s.t, "POST", "http://"+s.vars["AUTH"]+path+"/oauth2/token", "grant_type=client_credentials&"+appCredentials+more, "Content-Type", form)
	if a.status != http.StatusOK {
		s.t.Fatalf("no token: %d %s", a.status, a.body)
	}
	token := a.json(s.t)["access_token"].(string)
	s.secret(token)
	return token
}

// guarded calls a path of the guarded site with a bearer token, which must not turn up in
// the output.
func (s *server) guarded(path, token string) answer {
	s.t.Helper()
	s.secret(token)
	return send(s.t, "GET", "http://"+s.vars["APP"]+path, "", "Authorization", "Bearer "+token)
}

// eventually asks again until what is asked for is there, within a limit.
func eventually(t *testing.T, limit time.Duration, what string, there func() bool) {
	t.Helper()
	end := time.After(limit)
	for !there() {
		select {
		case <-end:
			t.Fatalf("not within %s: %s", limit, what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// unavailable checks that nobody was let through, and that the answer says when to
// come back.
func unavailable(t *testing.T, what string, a answer) {
	t.Helper()
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: %d %v, want 503 with Retry-After and no-store", what, a.status, a.header)
	}
}

// Another Gatehouse is an issuer like any other: its tokens are accepted by its keys
// and by asking it, and what it says of the caller reaches the app.
func TestTrustOfASecondGatehouse(t *testing.T) {
	near, far := trusting(t, "30s")
	keyed, opaque := far.foreign("", ""), far.foreign("/realms/opaque", "")
	sub := func(path, token string) string {
		a := send(t, "POST", "http://"+far.vars["AUTH"]+path+"/oauth2/introspect", "client_id=asker&client_secret=asker-secret-0123456789&token="+token, "Content-Type", form)
		subject, _ := a.json(t)["sub"].(string)
		if subject == "" {
			t.Fatalf("the second Gatehouse does not know its own token: %s", a.body)
		}
		return subject
	}
	for _, c := range []struct{ name, path, token, want string }{
		{"by its keys", "/keys/x", keyed, "realm=keys client=app roles= sub=" + sub("", keyed) + " auth="},
		{"by asking", "/asked/x", opaque, "realm=asked client=app roles=reader sub=" + sub("/realms/opaque", opaque) + " auth="},
	} {
		for range 2 { // looked up, and from the cache
			if a := near.guarded(c.path, c.token); a.status != 200 || a.body != c.want {
				t.Errorf("%s: %d %q, want %q", c.name, a.status, a.body, c.want)
			}
		}
	}
	own := near.token(appCredentials)
	for _, c := range []struct {
		name, path, token string
		status            int
	}{
		{"a JWT, by asking", "/both/x", keyed, 200},
		{"one of three issuers, by its keys", "/all/x", keyed, 200},
		{"one of three issuers, by asking", "/all/x", opaque, 200},
		{"one of three issuers, our own", "/all/x", own, 200},
		{"our own where it is not accepted", "/keys/x", own, 401},
		{"our own where others are asked", "/asked/x", own, 401},
		{"a stranger's at our own guard", "/own/x", keyed, 401},
		{"an opaque one where keys are looked at", "/keys/x", opaque, 401},
		{"another realm of the same server, by its keys", "/keys/x", far.foreign("/realms/stranger", ""), 401},
		{"another realm of the same server, by asking", "/asked/x", keyed, 401},
		{"without the scope, by its keys", "/keys/x", far.foreign("", "&scope=write"), 403},
		{"without the scope, by asking", "/asked/x", far.foreign("/realms/opaque", "&scope=write"), 403},
		{"for another audience, by its keys", "/keys/x", far.foreign("", "&resource=https://api.example.com/"), 401},
		{"for another audience, by asking", "/asked/x", far.foreign("/realms/opaque", "&resource=https://api.example.com/"), 401},
		{"for any audience, as the trust says", "/both/x", far.foreign("", "&resource=https://api.example.com/"), 200},
		{"with a letter changed", "/keys/x", keyed[:len(keyed)-10] + "AAAAAAAAAA", 401},
		{"junk, by its keys", "/keys/x", "junk-that-is-no-token", 401},
		{"junk, by asking", "/asked/x", "junk-that-is-no-token", 401},
	} {
		a := near.guarded(c.path, c.token)
		if a.status != c.status {
			t.Errorf("%s: %d %s, want %d", c.name, a.status, a.header.Get("WWW-Authenticate"), c.status)
		}
		if c.status == 401 && !strings.Contains(a.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
			t.Errorf("%s: challenge %q", c.name, a.header.Get("WWW-Authenticate"))
		}
	}
}

// A token that is revoked where it was issued is refused here once the verdict is too
// old, where the issuer is asked. Where only its keys are looked at it lives on until
// it expires, as docs/guard.md says.
func TestRevokedAtTheIssuer(t *testing.T) {
	near, far := trusting(t, "1s")
	opaque, keyed := far.foreign("/realms/opaque", ""), far.foreign("", "")
	for path, token := range map[string]string{"/asked/x": opaque, "/keys/x": keyed} {
		if a := near.guarded(path, token); a.status != 200 {
			t.Fatal(path, a)
		}
	}
	for path, token := range map[string]string{"/realms/opaque": opaque, "": keyed} {
		if a := send(t, "POST", "http://"+far.vars["AUTH"]+path+"/oauth2/revoke", appCredentials+"&token="+token, "Content-Type", form); a.status != 200 {
			t.Fatalf("not revoked: %d %s", a.status, a.body)
		}
	}
	answered := time.Now()
	eventually(t, 20*time.Second, "401 for the revoked token", func() bool {
		sent := time.Now()
		a := near.guarded("/asked/x", opaque)
		if a.status == 200 && sent.Sub(answered) > time.Second {
			t.Errorf("accepted %s after the revocation was answered, with max_ttl 1s", sent.Sub(answered))
		}
		return a.status == 401
	})
	if a := near.guarded("/keys/x", keyed); a.status != 200 {
		t.Errorf("by its keys: %d", a.status)
	}
	if a := near.guarded("/both/x", keyed); a.status != 401 {
		t.Errorf("the same token by asking: %d", a.status)
	}
}

// While the issuer is away, what is known goes on within its life; what is not is
// neither accepted nor called bad. Nobody has to restart anything when it is back.
func TestIssuerAway(t *testing.T) {
	near, far := trusting(t, "1h")
	seen := map[string]string{"/keys/x": far.foreign("", ""), "/asked/x": far.foreign("/realms/opaque", "")}
	unseenKeyed, unseenOpaque := far.foreign("", ""), far.foreign("/realms/opaque", "")
	for path, token := range seen {
		if a := near.guarded(path, token); a.status != 200 {
			t.Fatal(path, a)
		}
	}
	far.stop()
	for path, token := range seen {
		if a := near.guarded(path, token); a.status != 200 {
			t.Errorf("a cached verdict at %s: %d", path, a.status)
		}
	}
	if a := near.guarded("/keys/x", unseenKeyed); a.status != 200 {
		t.Errorf("an unseen token under keys that are known: %d", a.status)
	}
	unavailable(t, "an unseen opaque token", near.guarded("/asked/x", unseenOpaque))
	if a := near.guarded("/own/x", near.token(appCredentials)); a.status != 200 {
		t.Errorf("our own realm: %d", a.status)
	}

	// Started while the issuer is away, it serves all the same, and knows nothing yet.
	near.stop()
	near.start(nearGatehouse)
	unavailable(t, "a token whose keys were never fetched", near.guarded("/keys/x", unseenKeyed))
	unavailable(t, "a token that was seen before the restart", near.guarded("/asked/x", seen["/asked/x"]))
	if a := send(t, "GET", "http://"+near.vars["APP"]+"/keys/x", ""); a.status != 401 {
		t.Errorf("without a token: %d; that needs no issuer", a.status)
	}

	far.start(farGatehouse)
	eventually(t, 90*time.Second, "200 for everybody once the issuer is back", func() bool {
		return near.guarded("/keys/x", unseenKeyed).status == 200 && near.guarded("/asked/x", unseenOpaque).status == 200
	})
}

// Attack 44: a key that the issuer has made since is fetched, and one that it has
// taken back is believed no longer.
func TestKeyRotationAtTheIssuer(t *testing.T) {
	near, far := trusting(t, "1s")
	old := far.foreign("", "")
	if a := near.guarded("/keys/x", old); a.status != 200 {
		t.Fatal(a)
	}
	before := decodeInto[keyList](t, far.must("", "keys", "list", "--realm", "far", "--json"))
	if len(before.Keys) == 0 {
		t.Fatal("the issuer has no key")
	}
	for _, key := range before.Keys {
		far.must("", "keys", "revoke", key.ID, "--realm", "far")
	}
	fresh := far.foreign("", "")
	eventually(t, 90*time.Second, "200 for a token under the new key", func() bool {
		return near.guarded("/keys/x", fresh).status == 200
	})
	eventually(t, 90*time.Second, "401 for a token under the revoked key", func() bool {
		return near.guarded("/keys/x", old).status == 401
	})
	if a := near.guarded("/keys/x", fresh); a.status != 200 {
		t.Errorf("afterwards the new one gets %d", a.status)
	}
}

// What our own realms know, alive or dead, is no question for another issuer: whoever
// runs that one could use the token here.
func TestOwnTokensAreNeverSentOut(t *testing.T) {
	f := newForger(t)
	s := newServer(t)
	s.vars["FORGER"] = strings.TrimPrefix(f.URL, "http://")
	s.start(ownAndForged)
	f.says(`{"active":false}`)
	for _, realm := range []string{"", "/realms/opaque"} {
		token := s.foreign(realm, "")
		if a := s.guarded("/", token); a.status != 200 {
			t.Fatalf("our own token of %q: %d", realm, a.status)
		}
		if a := send(t, "POST", "http://"+s.vars["AUTH"]+realm+"/oauth2/revoke", appCredentials+"&token="+token, "Content-Type", form); a.status != 200 {
			t.Fatal(a)
		}
		if a := s.guarded("/", token); a.status != 401 {
			t.Errorf("our own token of %q, revoked: %d", realm, a.status)
		}
		if a := s.guarded("/", token+"="); a.status != 401 {
			t.Errorf("our own token of %q, padded: %d", realm, a.status)
		}
		if a := s.guarded("/", "v1."+token); a.status != 401 {
			t.Errorf("our own token of %q, behind something else: %d", realm, a.status)
		}
	}
	if n := f.asked(); n != 0 {
		t.Errorf("%d of our own tokens were shown to another issuer", n)
	}
	if a := s.guarded("/", "somebody-elses-opaque-token"); a.status != 401 || f.asked() != 1 {
		t.Errorf("a token that is not ours: %d, asked %d times", a.status, f.asked())
	}
}

const ownAndForged = `
{
	admin $ADMIN
	auto_https off
	persist_config off
	gatehouse {
		store sqlite $DIR/gatehouse.db
		cache {
			negative_ttl 100ms
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
		trust forger {
			issuer http://$FORGER
			audience app
			verify introspection {
				client_id gate%house
				client_secret "asker: secret+0123456789"
			}
		}
		trust forged {
			issuer http://$FORGER
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
	guard /forged/* {
		accept forged
	}
	@rest not path /forged/*
	guard @rest {
		accept demo opaque forger
	}
	respond "sub={http.auth.user.sub}"
}
`

// Attacks 42 to 48, 54: everything an issuer signs that is no access token for us, and
// everything that it did not sign.
func TestForgedAndMisusedTokens(t *testing.T) {
	f := newForger(t)
	s := newServer(t)
	s.vars["FORGER"] = strings.TrimPrefix(f.URL, "http://")
	s.start(ownAndForged)
	for name, c := range f.cases() {
		t.Run(name, func(t *testing.T) {
			a := s.guarded("/forged/x", c.token)
			if a.status != c.status {
				t.Errorf("%d %s, want %d", a.status, a.header.Get("WWW-Authenticate"), c.status)
			}
			if c.status == 401 && !strings.Contains(a.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
				t.Errorf("challenge %q", a.header.Get("WWW-Authenticate"))
			}
		})
	}
}

// Attacks 57 and 58: an answer that is not to the letter what RFC 7662 says lets nobody
// through, and is not remembered: the next answer counts.
func TestIntrospectionAnswersThatAreNone(t *testing.T) {
	f := newForger(t)
	s := newServer(t)
	s.vars["FORGER"] = strings.TrimPrefix(f.URL, "http://")
	s.start(ownAndForged)
	good := f.active("")
	for i, c := range []struct {
		name, answer string
		status       int
	}{
		{"active as a string", strings.Replace(good, "true", `"true"`, 1), 401},
		{"active as a number", strings.Replace(good, "true", "1", 1), 401},
		{"active twice", strings.Replace(good, "{", `{"active":false,`, 1), 503},
		{"active missing", `{"sub":"ada","aud":"app"}`, 503},
		{"an array", "[" + good + "]", 503},
		{"HTML", "<!DOCTYPE html><title>Log in</title>", 503},
		{"nothing", "", 503},
		{"half", good[:len(good)/2], 503},
		{"something after it", good + "{}", 503},
		{"five megabytes", strings.Replace(good, "{", `{"x":"`+strings.Repeat("x", 5<<20)+`",`, 1), 503},
		{"status 500", "500 " + good, 503},
		{"status 401, our secret is wrong", "401 " + good, 503},
		{"not active", `{"active":false}`, 401},
		{"for another audience", f.active(`"aud":"other"`), 401},
		{"for nobody in particular", strings.Replace(good, `"aud":"app",`, "", 1), 401},
		{"another issuer", f.active(`"iss":"https://evil.example.com"`), 401},
		{"expired", f.active(`"exp":1000000000`), 401},
		{"bound to a key", f.active(`"cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`), 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := fmt.Sprintf("opaque-token-of-case-%d", i)
			f.says(c.answer)
			a := s.guarded("/", token)
			switch {
			case c.status == 503:
				unavailable(t, c.name, a)
			case a.status != c.status:
				t.Errorf("%d, want %d", a.status, c.status)
			}
			f.says(good)
			eventually(t, 20*time.Second, "200 after a good answer", func() bool { return s.guarded("/", token).status == 200 })
		})
	}
	id, secret := f.client()
	if id != "gate%25house" || secret != "asker%3A+secret%2B0123456789" {
		t.Errorf("client authentication %q %q; RFC 6749 §2.3.1 encodes both as in a form", id, secret)
	}
}

// A hundred first requests with one token ask its issuer once.
func TestOneQuestionForManyCallers(t *testing.T) {
	f := newForger(t)
	s := newServer(t)
	s.vars["FORGER"] = strings.TrimPrefix(f.URL, "http://")
	s.start(ownAndForged)
	f.says(f.active(""))
	release := f.hold()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			a, err := trySend(t.Context(), "GET", "http://"+s.vars["APP"]+"/", "", "Authorization", "Bearer one-opaque-token-of-many")
			if err != nil || a.status != 200 || a.body != "sub=ada" {
				t.Errorf("%v %d %q", err, a.status, a.body)
			}
		})
	}
	eventually(t, 20*time.Second, "a first question", func() bool { return f.asked() > 0 })
	release()
	wg.Wait()
	if n := f.asked(); n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

// `validate` asks nobody, and needs nobody to be there.
func TestValidateFetchesNothing(t *testing.T) {
	f := newForger(t)
	s := newServer(t)
	s.vars["FORGER"] = strings.TrimPrefix(f.URL, "http://")
	out, err := s.command(t.Context(), "validate", "--config", s.write(ownAndForged), "--adapter", "caddyfile").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := f.calls(); n != 0 {
		t.Errorf("validate made %d calls", n)
	}
}
