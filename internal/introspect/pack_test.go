package introspect

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func testWords() *words {
	w := new(words)
	w.init()
	return w
}

// packed is the block of p without a cache around it.
func packed(w *words, p *authority.Principal) (string, bool) {
	b, ok := appendPrincipal(make([]byte, headSize, 256), w, p)
	return string(b), ok
}

func TestPackedPrincipalComesBack(t *testing.T) {
	long := strings.Repeat("r", 5000)
	everything := principalOf("x")
	unlike := authority.Principal{
		Source: "a", Realm: "b", Issuer: "c", Subject: "d", Account: "e", Client: "f", Username: "g", Name: "h",
		Email: "i", Session: "j", TokenID: "k", KeyID: "l", Kind: "m", Scopes: "n\x00", Roles: "o\x00", Audience: "p\x00",
		IssuedAt: -1, Expires: 1, AuthTime: -1 << 63,
	}
	for name, p := range map[string]authority.Principal{
		"nothing":        {},
		"everything":     everything,
		"all unlike":     unlike,
		"long":           {Subject: long, Account: long, Roles: authority.ListOf(long, "x"), Expires: 1<<63 - 1},
		"client's own":   {Source: "main", Realm: testRealm, Subject: "s", Client: "svc", Username: "service-account-svc", Kind: "access", Expires: 7},
		"strange bytes":  {Name: "\x00\xff\r\n{env.HOME}", Email: "\u202e", Expires: 7},
		"all the same":   {Source: "same", Realm: "same", Issuer: "same", Subject: "same", Audience: "same", Expires: 7},
		"no claims":      {Subject: "s", Roles: authority.ListOf("r"), RolesElsewhere: true, Expires: 7},
		"exactly inline": {Subject: strings.Repeat("s", 31), Account: strings.Repeat("a", 32), Name: strings.Repeat("n", 4096), Expires: 7},
	} {
		w := testWords()
		for range 2 { // the second time through a dictionary that knows the words
			block, ok := packed(w, &p)
			var got authority.Principal
			if !ok || !unpackPrincipal(block, w, &got) {
				t.Fatalf("%s: not packed or not unpacked", name)
			}
			if got != p {
				t.Errorf("%s: %+v came back as %+v", name, p, got)
			}
		}
	}
}

func TestSharedTextsStandOnceInTheDictionary(t *testing.T) {
	w := testWords()
	first, second := principalOf("one"), principalOf("two")
	a, _ := packed(w, &first)
	known := len(w.all())
	b, _ := packed(w, &second)
	if len(w.all()) != known {
		t.Errorf("a second principal of the same client brought %d new words", len(w.all())-known)
	}
	for _, text := range []string{testRealm, first.Issuer, string(first.Scopes)} {
		if strings.Contains(a, text) || strings.Contains(b, text) {
			t.Errorf("%q stands in the block", text)
		}
	}
	if strings.Count(a, first.Account) != 1 {
		t.Error("subject and account are alike and stand twice")
	}
}

// A trusted issuer with a scope list of its own for every token must not fill the
// dictionary for the others, nor the memory.
func TestDictionaryIsBounded(t *testing.T) {
	w := testWords()
	for i := range 5000 {
		p := authority.Principal{Scopes: authority.ListOf(fmt.Sprintf("scope-%d", i)), Expires: 1}
		block, ok := packed(w, &p)
		var got authority.Principal
		if !ok || !unpackPrincipal(block, w, &got) || got != p {
			t.Fatalf("scope list %d did not come back", i)
		}
	}
	if n := len(w.all()); n != wordsPerField {
		t.Errorf("%d words, want %d", n, wordsPerField)
	}
	if _, ok := w.number(fieldKeyID, "a-new-key"); !ok {
		t.Error("the scopes left no room for a key")
	}
	if _, ok := w.number(fieldScopes, strings.Repeat("x", maxWord+1)); ok {
		t.Error("a word over the limit was taken")
	}
}

func TestTooBigAPrincipalIsNotPacked(t *testing.T) {
	for _, n := range []int{maxBlock - 300, maxBlock, maxBlock * 3} {
		p := authority.Principal{Name: strings.Repeat("n", n), Expires: 1}
		block, ok := packed(testWords(), &p)
		if ok != (n < maxBlock-250) || len(block) > maxBlock {
			t.Errorf("%d bytes: packed %v into %d", n, ok, len(block))
		}
	}
}

// FuzzUnpack feeds blocks that nobody packed: no panic, no text from elsewhere.
func FuzzUnpack(f *testing.F) {
	w := testWords()
	p := principalOf("seed")
	good, _ := packed(w, &p)
	f.Add([]byte(good))
	f.Add([]byte(good[:headSize]))
	f.Add([]byte(good[:len(good)-1]))
	f.Add(append([]byte(good[:headSize]), 0xff, 0xff))
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, b []byte) {
		var p authority.Principal
		unpackPrincipal(string(b), w, &p)
	})
}

// FuzzPack packs what it is given and must get it back.
func FuzzPack(f *testing.F) {
	f.Add("source", "subject", "subject", "scope\x00", int64(1), int64(-1), true)
	f.Add("", "", "", "", int64(0), int64(0), false)
	f.Add(strings.Repeat("s", 600), "a", strings.Repeat("b", 31), "\x00\x00", int64(1<<62), int64(-1<<63), true)
	w := testWords()
	f.Fuzz(func(t *testing.T, source, subject, name, scopes string, issued, expires int64, verified bool) {
		p := authority.Principal{
			Source: source, Realm: subject, Subject: subject, Name: name, Scopes: authority.List(scopes),
			Audience: authority.List(source), IssuedAt: issued, Expires: expires, AuthTime: ^issued, EmailVerified: verified, RolesElsewhere: !verified,
		}
		block, ok := packed(w, &p)
		if !ok {
			if len(source)+len(subject)+len(name)+len(scopes) < maxBlock/4 {
				t.Fatal("a small principal was not packed")
			}
			return
		}
		var got authority.Principal
		if !unpackPrincipal(block, w, &got) || got != p {
			t.Fatalf("%+v came back as %+v", p, got)
		}
	})
}
