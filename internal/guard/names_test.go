package guard

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestNamesHas(t *testing.T) {
	n := NewNames("X-Team", "x_gate.id", "")
	for _, name := range []string{
		"Remote-User", "remote-user", "REMOTE_USER", "Remote.User", "Remote~User", "Remote!User", "Remote|user",
		"X-Forwarded-User", "X_Forwarded-User", "X.Forwarded.Groups", "X-Forwarded-Preferred-Username",
		"X-Auth-Request-Email", "x_auth_request_preferred_username", "X-Team", "X`Team", "X-Gate-Id", "x.gate_id",
	} {
		if !n.Has(name) {
			t.Errorf("%q passes", name)
		}
	}
	for _, name := range []string{
		"", "Remote", "Remote-User-Agent", "RemoteUser", "Remote-Users", "User-Agent", "X-Forwarded-For", "X-Forwarded-Host",
		"X-Forwarded-Proto", "Authorization", "Content-Type", "X-Tea", "X-Teams", strings.Repeat("x", 1000),
	} {
		if n.Has(name) {
			t.Errorf("%q is taken for an identity header", name)
		}
	}
}

func TestStrip(t *testing.T) {
	tests := []struct {
		name string
		in   http.Header
		want http.Header
	}{
		{"ordinary headers stay", http.Header{"Accept": {"*/*"}, "Connection": {"keep-alive, Upgrade"}, "Cookie": {"a=b"}},
			http.Header{"Accept": {"*/*"}, "Connection": {"keep-alive, Upgrade"}, "Cookie": {"a=b"}}},
		{"every spelling at once", http.Header{"Remote-User": {"a", "b"}, "remote-user": {"c"}, "Remote_user": {"d, e"}, "REMOTE.USER": {"f"}, "Remote*User": nil},
			http.Header{}},
		{"Connection takes along what it names", http.Header{"Connection": {"close, X-Who", "x-env ,, te"}, "X-Who": {"a"}, "X-Env": {"b"}, "Te": {"trailers"}},
			http.Header{"Connection": {"close, te"}, "Te": {"trailers"}}},
		{"Connection does not hide early data", http.Header{"Connection": {"Early-Data, Connection, expect"}, "Early-Data": {"1"}, "Expect": {"100-continue"}},
			http.Header{"Early-Data": {"1"}, "Expect": {"100-continue"}}},
		{"Connection keeps what is its own", http.Header{"Connection": {"close, X_Forwarded.User", " remote-groups ,upgrade"}},
			http.Header{"Connection": {"close, upgrade"}}},
		{"Connection of nothing else goes", http.Header{"Connection": {"Remote-User,\tremote_email"}}, http.Header{}},
		{"Trailer", http.Header{"Trailer": {"X-Checksum, Remote-User"}}, http.Header{"Trailer": {"X-Checksum"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := get()
			r.Header = tt.in.Clone()
			NewNames().Strip(r, new(Request))
			if len(r.Header) != len(tt.want) {
				t.Fatalf("%v, want %v", r.Header, tt.want)
			}
			for name, values := range tt.want {
				if !slices.Equal(r.Header[name], values) {
					t.Errorf("%s: %q, want %q", name, r.Header[name], values)
				}
			}
		})
	}
}

func TestStripActsOnce(t *testing.T) {
	r, st := get("Remote-User", "root"), new(Request)
	n := NewNames()
	n.Strip(r, st)
	r.Header.Set("Remote-User", "ada")
	n.Strip(r, st)
	if r.Header.Get("Remote-User") != "ada" {
		t.Error("the second handler took what the first guard had set")
	}
}

func TestStripWrapsOnlyBodiesWithTrailers(t *testing.T) {
	for _, tt := range []struct {
		name    string
		length  int64
		trailer http.Header
		wrapped bool
	}{
		{"known length", 4, nil, false},
		{"unknown length", -1, nil, true},
		{"declared trailer", 4, http.Header{"X-Checksum": nil}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := get()
			inner := http.MaxBytesReader(nil, http.NoBody, 1)
			r.Body, r.ContentLength, r.Trailer = inner, tt.length, tt.trailer
			NewNames().Strip(r, new(Request))
			if (r.Body != inner) != tt.wrapped {
				t.Errorf("wrapped: %v", !tt.wrapped)
			}
		})
	}
	r := get()
	r.Body, r.ContentLength = http.NoBody, -1
	NewNames().Strip(r, new(Request))
	if r.Body != http.NoBody {
		t.Error("NoBody was wrapped")
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"Remote-User", "remote_user", "X.Forwarded-User", "", "ſ", "X-Forwarded-For", "\x00", "Remote\u2010User"} {
		f.Add(s)
	}
	n := NewNames("X-Team")
	set := map[string]bool{}
	for _, names := range n.byLength {
		for _, name := range names {
			set[name] = true
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		// What a CGI-like upstream makes of a name.
		cgi := strings.Map(func(r rune) rune {
			if r < 0x80 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
				return r
			}
			return '-'
		}, s)
		if len(cgi) == len(s) && n.Has(s) != set[strings.ToLower(cgi)] {
			t.Errorf("%q: %v", s, n.Has(s))
		}
		h := http.Header{s: {"x"}, "Connection": {"close, " + s}}
		r := get()
		r.Header = h
		n.Strip(r, new(Request))
		if _, there := r.Header[s]; there && n.Has(s) {
			t.Errorf("%q was left", s)
		}
		for _, v := range r.Header["Connection"] {
			for e := range strings.SplitSeq(v, ",") {
				if n.Has(strings.TrimSpace(e)) {
					t.Errorf("Connection still lists %q", e)
				}
			}
		}
	})
}
