package guard

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// slow is a cache whose lookups take time by a clock of its own.
type slow struct {
	p      authority.Principal
	record string
	clock  time.Time
	takes  time.Duration
	seen   time.Time // what it was told the time is
}

func (v *slow) now() time.Time { return v.clock }

func (v *slow) Verify(context.Context, string) (authority.Principal, error) { return v.p, nil }

func (v *slow) VerifyRecorded(_ context.Context, _ string, now time.Time) (authority.Principal, string, error) {
	v.seen = now
	v.clock = v.clock.Add(v.takes)
	return v.p, v.record, nil
}

func (v *slow) Recall(record string) (authority.Principal, bool) { return v.p, record == v.record }

// A token that expires while its issuer is asked is not let through by the time at which
// the asking began.
func TestTimePassesDuringALookup(t *testing.T) {
	for _, c := range []struct {
		takes  time.Duration
		status int
	}{{time.Minute, 200}, {6 * time.Minute, 401}} {
		v := &slow{p: ada(), clock: noon, takes: c.takes}
		g, err := New(config.Guard{}, mainRealm(v), v.now)
		if err != nil {
			t.Fatal(err)
		}
		st, refusal := meet(get("Authorization", "Bearer "+token), g)
		status := 200
		if refusal != nil {
			status = refusal.Status
		}
		if _, known := st.Principal(); status != c.status || known != (status == 200) || !v.seen.Equal(noon) {
			t.Errorf("a lookup of %s: %d, want %d", c.takes, status, c.status)
		}
	}
}

// A request keeps a record of its principal, from which placeholders and later guards
// get it; a record that brings nothing is nobody.
func TestRecordedPrincipal(t *testing.T) {
	v := &slow{p: ada(), record: "record", clock: noon}
	g, err := New(config.Guard{}, mainRealm(v), v.now)
	if err != nil {
		t.Fatal(err)
	}
	st, refusal := meet(get("Authorization", "Bearer "+token), g)
	if p, known := st.Principal(); refusal != nil || !known || *p != ada() {
		t.Errorf("%v, %v, %v", refusal, known, p)
	}
	st, _ = meet(get("Authorization", "Bearer "+token), g)
	v.record = "another"
	if _, known := st.Principal(); known {
		t.Error("a record that says nothing is somebody")
	}
}
