package providertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Mode is a way to misbehave.
type Mode string

// The modes. The last group leaves the endpoint do its work and spoils the answer.
const (
	None     Mode = "none"
	Down     Mode = "down"     // drops the connection
	Hang     Mode = "hang"     // says nothing until the client leaves, at most 30 s
	HTML     Mode = "html"     // a page, with status 200 unless Status says another
	Huge     Mode = "huge"     // 5 MB of JSON
	Empty    Mode = "empty"    // 200 without a body
	Error200 Mode = "error200" // {"error": Error} with status 200
	Error500 Mode = "error500" // {"error": Error} with status 500
	Redirect Mode = "redirect" // to To, with status 302 unless Status says another
	SlowDown Mode = "slow_down"

	NullSubject     Mode = "null_subject"     // whose token it is: null
	EmptySubject    Mode = "empty_subject"    // whose token it is: ""
	ZeroSubject     Mode = "zero_subject"     // whose token it is: 0
	UnverifiedEmail Mode = "unverified_email" // no address is verified
	Form            Mode = "form"             // form-encoded instead of JSON
	Twice           Mode = "twice"            // members stand there twice, somebody else's first
)

// Misbehaviour is what a path answers instead of the truth.
type Misbehaviour struct {
	Mode     Mode
	Times    int    // how many requests it lasts; 0: for ever
	Interval int    // of slow_down, in seconds; 0: the answer names none
	Error    string // of error200 and error500; empty: server_error
	Status   int    // of html and redirect
	To       string // of redirect; empty: http://elsewhere.invalid/
}

// Misbehave makes a path misbehave from now on; the mode None makes it well again.
func (f *Fake) Misbehave(path string, m Misbehaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m.Mode == None || m.Mode == "" {
		delete(f.ways, path)
		return
	}
	f.ways[path] = &m
}

type modeKey struct{}

// modeOf returns how the request is to be answered. Handlers need it only for what
// the frame cannot spoil afterwards, such as the claims of an ID token.
func modeOf(r *http.Request) Mode {
	m, _ := r.Context().Value(modeKey{}).(Mode)
	return m
}

// take counts the request and returns the misbehaviour that it meets.
func (f *Fake) take(r *http.Request, body []byte) Misbehaviour {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := r.URL.Path
	f.calls[path]++
	close(f.called)
	f.called = make(chan struct{})
	sent := r.Clone(context.WithoutCancel(r.Context()))
	sent.Body = io.NopCloser(bytes.NewReader(body))
	f.sent[path] = sent
	m := f.ways[path]
	if m == nil {
		return Misbehaviour{Mode: None}
	}
	if m.Times > 0 {
		if m.Times--; m.Times == 0 {
			delete(f.ways, path)
		}
	}
	return *m
}

// maxRequest is what a fake reads of a request.
const maxRequest = 1 << 20

// misbehaving lets h answer, unless its path shall misbehave.
func (f *Fake) misbehaving(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Only with the body read does the server notice that the client leaves.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		_ = r.ParseForm()
		r.Body = io.NopCloser(bytes.NewReader(body))
		m := f.take(r, body)
		switch m.Mode {
		case None:
			h.ServeHTTP(w, r)
		case NullSubject, EmptySubject, ZeroSubject, UnverifiedEmail, Form, Twice:
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, r.WithContext(context.WithValue(r.Context(), modeKey{}, m.Mode)))
			spoil(w, answer, m.Mode)
		case SlowDown:
			more := map[string]any{}
			if m.Interval > 0 {
				more["interval"] = m.Interval
			}
			f.writeFault(w, "slow_down", true, more)
		default:
			m.answer(w, r)
		}
	})
}

// answer is what the modes say that have nothing to do with the endpoint.
func (m Misbehaviour) answer(w http.ResponseWriter, r *http.Request) {
	code := m.Error
	if code == "" {
		code = "server_error"
	}
	switch m.Mode {
	case Hang:
		patience := time.NewTimer(silence)
		defer patience.Stop()
		select {
		case <-r.Context().Done():
		case <-patience.C:
		}
		panic(http.ErrAbortHandler)
	case HTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(orElse(m.Status, http.StatusOK))
		fmt.Fprint(w, "<!DOCTYPE html><title>Unicorn!</title><p>We had issues producing the response to your request.")
	case Huge:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"huge","id":1,"sub":"1","padding":"%s"}`, strings.Repeat("x", 5_000_000))
	case Empty:
		w.WriteHeader(http.StatusOK)
	case Error200:
		writeJSON(w, http.StatusOK, map[string]any{"error": code, "error_description": "An error with status 200."})
	case Error500:
		writeJSON(w, http.StatusInternalServerError, map[string]any{"error": code})
	case Redirect:
		to := m.To
		if to == "" {
			to = "http://elsewhere.invalid/"
		}
		w.Header().Set("Location", to)
		w.WriteHeader(orElse(m.Status, http.StatusFound))
	default: // Down
		panic(http.ErrAbortHandler)
	}
}

func orElse(n, other int) int {
	if n != 0 {
		return n
	}
	return other
}

// spoil writes the answer of an endpoint, changed as the mode says.
func spoil(w http.ResponseWriter, answer *httptest.ResponseRecorder, mode Mode) {
	maps.Copy(w.Header(), answer.Header())
	body := answer.Body.Bytes()
	var v any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&v) == nil {
		switch mode {
		case Form:
			w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
			body = formOf(v)
		case Twice:
			if rest, ok := bytes.CutPrefix(body, []byte("{")); ok {
				body = append([]byte(`{"access_token":"stolen","id":666,"sub":"666","user":{"id":666},"aud":"other-app",`), rest...)
			}
		default:
			rewrite(v, mode)
			body, _ = json.Marshal(v)
		}
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body)
}

func formOf(v any) []byte {
	form := url.Values{}
	members, _ := v.(map[string]any)
	for name, value := range members {
		form.Set(name, fmt.Sprint(value))
	}
	return []byte(form.Encode())
}

// rewrite changes the members that the mode is about, wherever they stand.
func rewrite(v any, mode Mode) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			rewrite(one, mode)
		}
	case map[string]any:
		for name, value := range v {
			isSubject := slices.Contains([]string{"id", "sub", "user_id"}, name)
			isVerified := slices.Contains([]string{"verified", "email_verified", "emailVerified"}, name)
			switch {
			case isSubject && mode == NullSubject:
				v[name] = nil
			case isSubject && mode == EmptySubject:
				v[name] = ""
			case isSubject && mode == ZeroSubject:
				v[name] = 0
			case isVerified && mode == UnverifiedEmail:
				v[name] = false
				if _, text := value.(string); text {
					v[name] = "false"
				}
			default:
				rewrite(value, mode)
			}
		}
	}
}
