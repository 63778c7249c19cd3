package wire

import (
	"math"
	"net/http/httptest"
	"testing"
)

func TestWriteJSON(t *testing.T) {
	w := httptest.NewRecorder()
	if err := WriteJSON(w, 201, map[string]string{"a": "<b>&\"\n"}); err != nil {
		t.Fatal(err)
	}
	h := w.Header()
	if w.Code != 201 || w.Body.String() != `{"a":"<b>&\"\n"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if h.Get("Content-Type") != "application/json" || h.Get("Content-Length") != "16" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v", h)
	}

	w = httptest.NewRecorder()
	if err := WriteJSON(w, 200, math.NaN()); err == nil || w.Body.Len() != 0 || len(w.Header()) != 0 {
		t.Errorf("what cannot be encoded: %v, %q, %v", err, w.Body, w.Header())
	}
}
