package guard

import (
	"io"
	"net/http"
)

// body takes identity out of the trailer section. net/http adds the fields of an
// HTTP/1 trailer section to Request.Trailer when it meets the end of the body,
// undeclared ones too (RFC 9110 §6.5), so they can be removed only then: in the
// same call, before a proxy that waits for the end looks at them.
type body struct {
	io.ReadCloser
	names   *Names
	request *http.Request
}

// Read reads the body and, at its end, cleans the trailers.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.names.deleteFrom(b.request.Trailer)
	}
	return n, err
}

// Close closes the body. net/http may read the rest of it while closing.
func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.names.deleteFrom(b.request.Trailer)
	return err
}

var _ io.ReadCloser = (*body)(nil)
