package providertest

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// ask makes one call and returns its status, header and text.
func ask(t *testing.T, method, address string, form url.Values) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

// What stands in transcripts: the same facts and the same control at each fake.
func TestEveryFakeIsControlledAlike(t *testing.T) {
	for name, open := range map[string]func() *Fake{"GitHub": NewGitHub, "Google": NewGoogle, "Hugging Face": NewHuggingFace} {
		fake := open()
		server := httptest.NewServer(fake)
		defer server.Close()
		paths, client := fake.Paths(), fake.Client()
		for _, key := range []string{"ada", "grace", "mallory"} {
			if u := fake.User(key); u.Subject == "" || u.Email == "" || u.EmailVerified == (key == "mallory") {
				t.Errorf("%s: %s is %+v", name, key, u)
			}
		}
		for _, query := range []string{
			"token?as=ada&client=" + client.ID, "token?as=ada&client=" + OtherClient,
			"misbehave?path=" + paths.Token + "&mode=html&times=1", "misbehave?path=" + paths.Profile + "&mode=none",
			"rename?as=ada&login=countess", "email?as=ada&email=c@example.com&verified=false", "revoke?token=unknown",
		} {
			if status, _, text := ask(t, http.MethodPost, server.URL+"/control/"+query, nil); status != http.StatusOK {
				t.Errorf("%s: %s: %d %s", name, query, status, text)
			}
		}
		for _, query := range []string{
			"token?as=nobody&client=" + client.ID, "token?as=ada&client=nobody", "misbehave?path=/user&mode=sulk",
			"misbehave?mode=html", "misbehave?path=/&mode=html&times=x", "device?user_code=X&as=ada&decision=approve",
			"device?user_code=X&as=ada&decision=dither", "rename?as=nobody&login=x", "email?as=ada&verified=perhaps",
		} {
			if status, _, _ := ask(t, http.MethodPost, server.URL+"/control/"+query, nil); status != http.StatusBadRequest {
				t.Errorf("%s: %s: %d", name, query, status)
			}
		}
		for _, want := range []string{"text/html; charset=utf-8", "application/json; charset=utf-8"} { // once, as it was told
			_, header, _ := ask(t, http.MethodPost, server.URL+paths.Token, url.Values{"code": {"x"}})
			if got := header.Get("Content-Type"); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		if u := fake.User("ada"); u.Email != "c@example.com" || u.EmailVerified {
			t.Errorf("%s: ada is %+v", name, u)
		}
	}
}

// The pages for people: a link for each user, and a form for user codes.
func TestPagesForPeople(t *testing.T) {
	fake := NewGitHub()
	server := httptest.NewServer(fake)
	defer server.Close()
	q := url.Values{"client_id": {fake.Client().ID}, "redirect_uri": {"https://auth.example.com/cb?x=1"}, "state": {`"><script>`}}
	address := server.URL + fake.Paths().Authorize + "?" + q.Encode()
	status, _, text := ask(t, http.MethodGet, address, nil)
	if status != http.StatusOK || strings.Contains(text, "<script>") || strings.Count(text, "<a href=") != 3 {
		t.Errorf("the page is %d %s", status, text)
	}
	status, header, _ := ask(t, http.MethodGet, address+"&as=ada", nil)
	back, err := url.Parse(header.Get("Location"))
	if err != nil || status != http.StatusFound || back.Query().Get("state") != `"><script>` || back.Query().Get("x") != "1" || back.Query().Get("code") == "" {
		t.Errorf("%d to %v, error %v", status, back, err)
	}
	for _, spoil := range []url.Values{
		{"client_id": {"nobody"}}, {"redirect_uri": {"/cb"}}, {"redirect_uri": {"https://auth.example.com/#x"}},
		{"code_challenge": {"x"}, "code_challenge_method": {"plain"}}, {"as": {"nobody"}},
	} {
		bad := url.Values{"as": {"ada"}}
		maps.Copy(bad, q)
		maps.Copy(bad, spoil)
		if status, _, _ := ask(t, http.MethodGet, server.URL+fake.Paths().Authorize+"?"+bad.Encode(), nil); status < 400 {
			t.Errorf("%v: %d", spoil, status)
		}
	}
	status, _, text = ask(t, http.MethodGet, server.URL+devicePage+"?user_code=%22%3E", nil)
	if status != http.StatusOK || strings.Contains(text, `">"`) || strings.Count(text, "<button") != 4 {
		t.Errorf("the page is %d %s", status, text)
	}
	if status, _, _ = ask(t, http.MethodPost, server.URL+devicePage, url.Values{"user_code": {"X"}, "as": {"ada"}}); status != http.StatusNotFound {
		t.Errorf("an unknown user code: %d", status)
	}
}
