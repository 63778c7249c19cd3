package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// JSONType is the media type of every JSON answer.
const JSONType = "application/json"

// WriteJSON writes v and nothing after it. On an error nothing was written.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	raw, err := JSON(v)
	if err != nil {
		return err
	}
	WriteBytes(w, status, JSONType, raw)
	return nil
}

// JSON encodes v without a final newline. <, > and & stay as they are: they mean
// nothing in application/json, and every answer forbids a browser to guess
// another type.
func JSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// WriteBytes writes an answer that is already encoded.
func WriteBytes(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that hung up cannot be told
}

// NoStore forbids every cache to keep the answer (RFC 6749 §5.1 asks for both fields).
func NoStore(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
}
