package introspect

import (
	"sync"
	"sync/atomic"
	"time"
)

// life is how long verdicts of a kind may be used. The limit may change; what has outlived
// a shorter one does not come back with a longer one: meanwhile somebody may have asked
// again and have got another answer.
type life struct {
	limit  atomic.Int64 // nanoseconds
	oldest atomic.Int64 // verdicts that were born before this age have outlived a limit

	mu sync.Mutex // held by whoever changes the limit
}

// set makes the limit another one at the age now.
func (l *life) set(limit, now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old := l.limit.Load(); old > 0 && int64(limit) > old {
		l.oldest.Store(max(l.oldest.Load(), int64(now)-old+1))
	}
	l.limit.Store(int64(limit))
}

// end is when what was born then has lived.
func (l *life) end(birth time.Duration) time.Duration { return birth + time.Duration(l.limit.Load()) }

// over tells whether what was born then has lived. The limit is read first: whoever sees
// a longer one sees what has outlived the one before.
func (l *life) over(birth, now time.Duration) bool {
	return int64(now-birth) >= l.limit.Load() || int64(birth) < l.oldest.Load()
}
