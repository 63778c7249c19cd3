package tests

import (
	"strings"
	"testing"
)

// Our own binary collects no garbage below a floor, unless the configuration or the
// environment says otherwise; a reload changes it.
func TestHeapFloor(t *testing.T) {
	const metrics = "http://$METRICS {\n\tbind 127.0.0.1\n\tmetrics\n}\n"
	with := func(word string) string {
		return strings.Replace(mainJob, "		store sqlite", "		"+word+"\n		store sqlite", 1) + metrics
	}
	s := newServer(t)
	s.stockGC = false
	s.start(mainJob + metrics)
	percent := func() float64 {
		s.app(s.token(appCredentials)) // it acts from the first request on
		return s.metric("go_gc_gogc_percent")
	}
	if p := percent(); p <= 100 {
		t.Errorf("GOGC is %v without a word", p)
	}
	for word, floor := range map[string]bool{"gc_floor off": false, "gc_floor 256MiB": true} {
		if err := s.reload(with(word)); err != nil {
			t.Fatal(err)
		}
		if p := percent(); (p > 100) != floor {
			t.Errorf("%s: GOGC is %v", word, p)
		}
	}
	s.stop()
	s.stockGC = true
	s.start(with("gc_floor 256MiB"))
	if p := percent(); p != 100 {
		t.Errorf("the operator's GOGC=100 became %v", p)
	}
}
