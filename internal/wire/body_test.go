package wire

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

func post(body io.Reader, contentType ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/x", body)
	r.Header["Content-Type"] = contentType
	return r
}

func TestForm(t *testing.T) {
	for _, contentType := range []string{
		FormType, FormType + "; charset=UTF-8", FormType + ";charset=\"utf-8\"", "Application/X-WWW-Form-Urlencoded",
	} {
		p, err := Form(post(strings.NewReader("a=b"), contentType))
		if err != nil || p.Get("a") != "b" {
			t.Errorf("%s: %q, %v", contentType, p, err)
		}
	}
}

func TestFormRefusesTypes(t *testing.T) {
	for _, tc := range []struct {
		name  string
		types []string
	}{
		{"none", nil},
		{"empty", []string{""}},
		{"JSON", []string{"application/json"}},
		{"multipart", []string{"multipart/form-data; boundary=x"}},
		{"two fields", []string{FormType, "application/json"}},
		{"two in one", []string{FormType + ", application/json"}},
		{"another charset", []string{FormType + "; charset=utf-7"}},
		{"charset said twice", []string{FormType + "; charset=utf-8; charset=utf-7"}},
		{"malformed", []string{FormType + "; ="}},
		{"longer", []string{FormType + "2"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Form(post(strings.NewReader("a=b"), tc.types...))
			e, ok := errors.AsType[*authority.Error](err)
			if !ok || e.Kind != authority.Invalid || !strings.Contains(e.Public, FormType) {
				t.Errorf("got %v, want invalid, naming %s", err, FormType)
			}
		})
	}
}

// endless is a body that never ends, as a hostile caller sends it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	e.read += len(p)
	return len(p), nil
}

func TestBodyIsBounded(t *testing.T) {
	raw, err := Body(post(strings.NewReader(strings.Repeat("a", MaxBody))))
	if err != nil || len(raw) != MaxBody {
		t.Errorf("a body of exactly the limit: %d bytes, %v", len(raw), err)
	}
	if _, err = Body(post(strings.NewReader(strings.Repeat("a", MaxBody+1)))); authority.KindOf(err) != authority.TooLarge {
		t.Errorf("one byte more: %v", err)
	}

	source := &endless{}
	r := post(source)
	r.ContentLength = -1 // chunked: the length is not said
	if _, err = Body(r); authority.KindOf(err) != authority.TooLarge {
		t.Errorf("an endless body: %v", err)
	}
	if source.read > 2*MaxBody {
		t.Errorf("read %d bytes of an endless body", source.read)
	}

	source = &endless{}
	r = post(source)
	r.ContentLength = 1 << 40
	if _, err = Body(r); authority.KindOf(err) != authority.TooLarge || source.read != 0 {
		t.Errorf("a body that says it is too large: %v, %d bytes read", err, source.read)
	}

	// A tighter limit of the site's own speaks with the same kind.
	r = post(strings.NewReader(strings.Repeat("a", 100)))
	r.ContentLength = -1
	r.Body = http.MaxBytesReader(nil, r.Body, 10)
	if _, err = Body(r); authority.KindOf(err) != authority.TooLarge {
		t.Errorf("over the site's limit: %v", err)
	}
}

func TestBodyFaults(t *testing.T) {
	broken := errors.New("connection reset")
	_, err := Body(post(iotest.ErrReader(broken)))
	if authority.KindOf(err) != authority.Invalid || !errors.Is(err, broken) {
		t.Errorf("a body that breaks off: %v", err)
	}
	r := post(strings.NewReader("a=b"))
	r.Header["Content-Encoding"] = []string{"identity", "gzip"}
	if _, err = Body(r); authority.KindOf(err) != authority.Invalid {
		t.Errorf("a compressed body: %v", err)
	}
}

func TestQueryIsBounded(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/x?a=b&c=%20", nil)
	if p, err := Query(r); err != nil || p.Get("a") != "b" || p.Get("c") != " " {
		t.Errorf("Query = %q, %v", p, err)
	}
	r.URL.RawQuery = strings.Repeat("a", MaxBody+1)
	if _, err := Query(r); authority.KindOf(err) != authority.TooLarge {
		t.Errorf("an endless query: %v", err)
	}
}
