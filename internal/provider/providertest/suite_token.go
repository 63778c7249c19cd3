package providertest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func identifyFails(t *testing.T, b *bench) {
	g := b.granted(t, "ada")
	path := b.fake.Paths().Profile
	identify := func(p authority.Provider) error {
		_, err := p.Identify(t.Context(), g)
		return err
	}
	b.failing(t, path, identify)
	b.fake.Misbehave(path, Misbehaviour{Mode: Twice, Times: 1})
	b.refused(t, identify(b.provider), authority.ProviderFailed)
	if err := identify(b.provider); err != nil {
		t.Errorf("the upstream is well again, and the provider is not: %v", err)
	}
}

func identifyNobody(t *testing.T, b *bench) {
	for _, mode := range []Mode{NullSubject, EmptySubject, ZeroSubject} {
		g := b.granted(t, "ada")
		b.fake.Misbehave(b.fake.Paths().Profile, Misbehaviour{Mode: mode})
		if p, err := b.provider.Identify(t.Context(), g); err == nil {
			t.Errorf("%s identified %+v", mode, p)
		} else {
			b.nobody(t, err)
		}
		b.fake.Misbehave(b.fake.Paths().Profile, Misbehaviour{Mode: None})
	}
}

func identifyRevoked(t *testing.T, b *bench) {
	g := b.granted(t, "ada")
	b.fake.Revoke(g.AccessToken)
	_, err := b.provider.Identify(t.Context(), g)
	b.refused(t, err, authority.UpstreamTokenInvalid)
}

func prove(t *testing.T, b *bench) {
	p, err := b.provider.Prove(t.Context(), b.bare("ada", b.fake.Client().ID))
	if b.subject.NoProof {
		b.refused(t, err, authority.UpstreamTokenInvalid)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	b.is(t, p, "ada")
	if p, err = b.provider.Prove(t.Context(), b.bare("mallory", b.fake.Client().ID)); err != nil {
		t.Fatal(err)
	}
	b.is(t, p, "mallory")
	b.fake.Rename("ada", "countess")
	if p, err = b.provider.Prove(t.Context(), b.bare("ada", b.fake.Client().ID)); err != nil {
		t.Fatal(err)
	}
	b.is(t, p, "ada")
}

// A token that any app of the upstream got from the user says nothing about a login
// with us (RFC 6749 §10.16).
func proveStranger(t *testing.T, b *bench) {
	revoked := b.bare("ada", b.fake.Client().ID)
	b.fake.Revoke(revoked)
	for story, token := range map[string]string{
		"another app's token": b.bare("ada", OtherClient),
		"a revoked token":     revoked,
		"an unknown token":    strings.Repeat("k", 40),
	} {
		if _, err := b.provider.Prove(t.Context(), token); err == nil {
			t.Errorf("%s proved somebody", story)
		} else {
			b.refused(t, err, authority.UpstreamTokenInvalid)
		}
	}
	paths := b.fake.Paths()
	if paths.Proof != "" && paths.Proof != paths.Profile && b.fake.Calls(paths.Profile) != 0 {
		t.Error("the profile was read of a token that was not proven")
	}
	before := b.fake.Calls(paths.Proof)
	for _, token := range []string{"", " ", "two words", "line\r\nX-Injected: yes", "t\u00f6ken", strings.Repeat("t", 1<<20)} {
		_, err := b.provider.Prove(t.Context(), token)
		b.refused(t, err, authority.UpstreamTokenInvalid)
	}
	if n := b.fake.Calls(paths.Proof) - before; n != 0 {
		t.Errorf("%d calls were made for what cannot be a token", n)
	}
}

func proveFails(t *testing.T, b *bench) {
	paths := b.fake.Paths()
	if b.subject.NoProof || paths.Proof == "" {
		return // proveStranger has shown that there is no way to fail but one
	}
	token := b.bare("ada", b.fake.Client().ID)
	prove := func(p authority.Provider) error {
		_, err := p.Prove(t.Context(), token)
		return err
	}
	b.failing(t, paths.Proof, prove)
	if paths.Proof != paths.Profile && b.fake.Calls(paths.Profile) != 0 {
		t.Error("the profile was read of a token that was not proven")
	}
	b.fake.Misbehave(paths.Proof, Misbehaviour{Mode: Twice, Times: 1})
	b.nobody(t, prove(b.provider))
	if err := prove(b.provider); err != nil {
		t.Errorf("the upstream is well again, and the provider is not: %v", err)
	}
}

func proveNobody(t *testing.T, b *bench) {
	paths := b.fake.Paths()
	if b.subject.NoProof || paths.Proof == "" {
		return // proveStranger has shown that nobody is proven at all
	}
	for _, mode := range []Mode{NullSubject, EmptySubject, ZeroSubject} {
		for _, path := range []string{paths.Proof, paths.Profile} {
			b.fake.Misbehave(path, Misbehaviour{Mode: mode})
		}
		if p, err := b.provider.Prove(t.Context(), b.bare("ada", b.fake.Client().ID)); err == nil {
			t.Errorf("%s proved %+v", mode, p)
		} else {
			b.nobody(t, err)
		}
	}
}

func manyEmails(t *testing.T, b *bench) {
	path := b.fake.Paths().Emails
	if path == "" {
		return // the address stands in the profile
	}
	more := make([]string, 250)
	for i := range more {
		more[i] = fmt.Sprintf("ada+%d@example.com", i)
	}
	b.fake.AddEmails("ada", more...)
	g := b.granted(t, "ada")
	p, err := b.provider.Identify(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	b.is(t, p, "ada")
	// Without end, they are not read without end; and none but the primary one is taken.
	for range 20 {
		b.fake.AddEmails("ada", more...)
	}
	before := b.fake.Calls(path)
	if p, err = b.provider.Identify(t.Context(), g); err != nil || p.Email != "" || p.EmailVerified {
		t.Errorf("profile is %+v, error %v", p, err)
	}
	if n := b.fake.Calls(path) - before; n > 20 {
		t.Errorf("%d pages were read", n)
	}
}

func emailsFail(t *testing.T, b *bench) {
	path := b.fake.Paths().Emails
	if path == "" {
		return // the address stands in the profile
	}
	g := b.granted(t, "ada")
	b.failing(t, path, func(p authority.Provider) error {
		_, err := p.Identify(t.Context(), g)
		return err
	})
}

func forget(t *testing.T, b *bench) {
	g := b.granted(t, "ada")
	for range 2 { // what is dead is forgotten
		if err := b.provider.Forget(t.Context(), g.AccessToken); err != nil {
			t.Error(err)
		}
	}
	if _, err := b.provider.Identify(t.Context(), b.granted(t, "ada")); err != nil {
		t.Errorf("the next login: %v", err)
	}
}
