package caddymodule

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

func TestExpandedProviders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "google")
	if err := os.WriteFile(file, []byte("from-a-file"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GATEHOUSE_TEST_ID", "from-the-environment")
	c := &config.Config{Realms: []config.Realm{{Name: "demo", Providers: []config.Provider{
		{Type: "google", ClientID: "{env.GATEHOUSE_TEST_ID}", ClientSecret: "{file." + file + "}"},
	}}}}
	out, err := expanded(c)
	if err != nil {
		t.Fatal(err)
	}
	if p := out.Realms[0].Providers[0]; p.ClientID != "from-the-environment" || p.ClientSecret != "from-a-file" {
		t.Errorf("%+v", p)
	}
	if p := c.Realms[0].Providers[0]; p.ClientID != "{env.GATEHOUSE_TEST_ID}" || strings.Contains(p.ClientSecret, "from") {
		t.Errorf("the original was changed: %+v", p)
	}
	t.Setenv("GATEHOUSE_TEST_ID", "")
	if _, err := expanded(c); err == nil || !strings.Contains(err.Error(), "realm demo: provider google: client_id: {env.GATEHOUSE_TEST_ID} is empty or not set") {
		t.Errorf("an empty variable: %v", err)
	}
}

// Whoever forgot several variables hears of all at once.
func TestEveryEmptyPlaceholderIsReported(t *testing.T) {
	_, err := expanded(&config.Config{
		Realms: []config.Realm{{Name: "demo",
			Clients: []config.Client{{ID: "a", Secrets: []string{"{env.GATEHOUSE_TEST_NONE_A}"}}, {ID: "b", Secrets: []string{"{file./gatehouse/none}"}}},
			Users:   []config.User{{Username: "ada", PasswordHash: "{http.request.host}"}},
		}},
		Trusts: []config.Trust{{Name: "hydra", Verify: config.Verify{ClientSecret: "{env.GATEHOUSE_TEST_NONE_B}"}}},
	})
	if err == nil {
		t.Fatal("it was expanded")
	}
	for _, want := range []string{
		"realm demo: client a: secret: {env.GATEHOUSE_TEST_NONE_A} is empty or not set\n",
		"realm demo: client b: secret: {file./gatehouse/none} is empty or cannot be read\n",
		"realm demo: user ada: password_hash: {http.request.host} is not expanded here",
		"trust hydra: client_secret: {env.GATEHOUSE_TEST_NONE_B} is empty or not set",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %q in it", err, want)
		}
	}
}

func TestExpandedTrusts(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_SECRET", "from-the-environment")
	c := &config.Config{Trusts: []config.Trust{{Name: "hydra", Verify: config.Verify{ClientID: "gatehouse", ClientSecret: "{env.GATEHOUSE_TEST_SECRET}"}}}}
	out, err := expanded(c)
	if err != nil {
		t.Fatal(err)
	}
	if v := out.Trusts[0].Verify; v.ClientID != "gatehouse" || v.ClientSecret != "from-the-environment" {
		t.Errorf("%+v", v)
	}
	if v := c.Trusts[0].Verify; v.ClientSecret != "{env.GATEHOUSE_TEST_SECRET}" {
		t.Errorf("the original was changed: %+v", v)
	}
	t.Setenv("GATEHOUSE_TEST_SECRET", "")
	if _, err := expanded(c); err == nil || !strings.Contains(err.Error(), "trust hydra: client_secret: {env.GATEHOUSE_TEST_SECRET} is empty or not set") {
		t.Errorf("an empty variable: %v", err)
	}
}

func TestExpandedEndpoints(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_KEY", "a-key-of-a-tenant")
	e := config.Endpoints{Pakt: &config.Pakt{TenantKeys: []string{"first-of-the-keys", "{env.GATEHOUSE_TEST_KEY}"}}}
	out, err := expandedEndpoints(e)
	if err != nil || !slices.Equal(out.Pakt.TenantKeys, []string{"first-of-the-keys", "a-key-of-a-tenant"}) {
		t.Errorf("%v, %v", out.Pakt, err)
	}
	if e.Pakt.TenantKeys[1] != "{env.GATEHOUSE_TEST_KEY}" {
		t.Error("the original was changed")
	}
	t.Setenv("GATEHOUSE_TEST_KEY", "")
	if _, err := expandedEndpoints(e); err == nil || !strings.Contains(err.Error(), "dialect pakt: tenant_key: {env.GATEHOUSE_TEST_KEY} is empty or not set") {
		t.Errorf("an empty variable: %v", err)
	}
	if out, err := expandedEndpoints(config.Endpoints{}); err != nil || out.Pakt != nil {
		t.Errorf("without pakt: %v, %v", out, err)
	}
}
