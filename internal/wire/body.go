package wire

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// MaxBody is the largest request body any dialect reads, in bytes.
const MaxBody = 64 << 10

// FormType is the media type of form-encoded parameters.
const FormType = "application/x-www-form-urlencoded"

const opRead = "read request"

// Body reads the request's body. Errors: TooLarge, Invalid.
func Body(r *http.Request) ([]byte, error) {
	tooLarge := &authority.Error{Kind: authority.TooLarge, Op: opRead, Public: "the request body is larger than 64 KiB"}
	if r.ContentLength > MaxBody {
		return nil, tooLarge
	}
	// A small body may unfold to any size, and nobody needs it for a form.
	for _, coding := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(coding, "identity") {
			return nil, invalid("the request body must not be compressed")
		}
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	if _, limited := errors.AsType[*http.MaxBytesError](err); limited || len(raw) > MaxBody {
		return nil, tooLarge
	}
	if err != nil {
		return nil, &authority.Error{Kind: authority.Invalid, Op: opRead, Public: "the request body did not arrive whole", Err: err}
	}
	return raw, nil
}

// MediaType returns which of the wanted media types the body has, by its
// Content-Type (RFC 9110 §8.3). A charset other than UTF-8 is refused. Errors: Invalid.
func MediaType(r *http.Request, want ...string) (string, error) {
	fields := r.Header.Values("Content-Type")
	if len(fields) == 1 {
		got, params, err := mime.ParseMediaType(fields[0])
		charset, named := params["charset"]
		if err == nil && slices.Contains(want, got) && (!named || strings.EqualFold(charset, "utf-8")) {
			return got, nil
		}
	}
	return "", invalid("the Content-Type must be " + strings.Join(want, " or ") + " in UTF-8")
}

// Form reads a form-encoded body. Errors: TooLarge, Invalid.
func Form(r *http.Request, repeatable ...string) (Params, error) {
	if _, err := MediaType(r, FormType); err != nil {
		return nil, err
	}
	raw, err := Body(r)
	if err != nil {
		return nil, err
	}
	return ParseForm(string(raw), repeatable...)
}

// Query reads the query. Errors: TooLarge, Invalid.
func Query(r *http.Request, repeatable ...string) (Params, error) {
	raw, err := RawQuery(r)
	if err != nil {
		return nil, err
	}
	return ParseForm(raw, repeatable...)
}

// RawQuery returns the query, undecoded. Errors: TooLarge.
func RawQuery(r *http.Request) (string, error) {
	if len(r.URL.RawQuery) > MaxBody {
		return "", &authority.Error{Kind: authority.TooLarge, Op: opRead, Public: "the query is larger than 64 KiB"}
	}
	return r.URL.RawQuery, nil
}

func invalid(public string) error {
	return &authority.Error{Kind: authority.Invalid, Op: opRead, Public: public}
}
