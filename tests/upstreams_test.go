package tests

import (
	"net/http/httptest"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/provider/providertest"
)

// upstreams are the fakes of login providers that nobody can have, at the variables
// GITHUB, GOOGLE and HUGGINGFACE (host:port each).
type upstreams struct{ github, google, huggingFace *providertest.Fake }

// withUpstreams serves the fakes until the test ends.
func (s *server) withUpstreams() *upstreams {
	s.t.Helper()
	u := &upstreams{providertest.NewGitHub(), providertest.NewGoogle(), providertest.NewHuggingFace()}
	for name, fake := range map[string]*providertest.Fake{"GITHUB": u.github, "GOOGLE": u.google, "HUGGINGFACE": u.huggingFace} {
		at := httptest.NewServer(fake)
		s.t.Cleanup(at.Close)
		s.vars[name] = strings.TrimPrefix(at.URL, "http://")
	}
	return u
}
