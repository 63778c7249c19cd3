package authority

import (
	"context"
	"errors"
	"time"
)

// The bounds of questions by callers who do not say who they are.
const (
	askWindow = time.Minute
	askLimit  = 600 // questions of one network in a window
)

// introspectAnonymously answers whoever asks, where the operator lets anybody ask:
// about tokens of the one realm only, and each network so many times a minute. It
// counts before it looks, whatever the token is.
func (a *Authority) introspectAnonymously(ctx context.Context, op string, q TokenQuery) (Introspection, error) {
	r, err := a.realm(op, q.Realm)
	if err != nil {
		return Introspection{}, a.refuse(ctx, nil, "", err)
	}
	if wait := a.throttle.ask(CallerOf(ctx).Address); wait > 0 {
		a.audit.Record(ctx, Event{Name: "throttle", Realm: r.Name, Detail: "anonymous introspection"})
		return Introspection{}, a.refuse(ctx, r, "", &Error{Kind: Throttled, Op: op,
			Public: "too many questions without client authentication: try again later", RetryAfter: wait})
	}
	p, err := a.verify(ctx, op, r, q.Token)
	if KindOf(err) == TokenInvalid {
		return Introspection{}, nil
	}
	if err != nil {
		return Introspection{}, a.refuse(ctx, r, "", err)
	}
	return a.told(ctx, r, p)
}

// told is the answer about an active token: its facts and where its session began.
func (a *Authority) told(ctx context.Context, r *Realm, p Principal) (Introspection, error) {
	in := Introspection{Active: true, Principal: p}
	if p.Session == "" {
		return in, nil
	}
	err := a.store.View(ctx, func(tx Tx) error {
		s, err := tx.Session(r.ID, p.Session)
		in.Address = s.Address
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound): // it ended a moment ago
		return Introspection{}, nil
	case err != nil:
		return Introspection{}, a.refuse(ctx, r, p.Client, err)
	}
	return in, nil
}

// ask counts a question of the address's network. It answers how long to wait
// instead, or zero.
func (t *Throttle) ask(address string) time.Duration {
	return t.count(t.asked, networkOf(address), askWindow, askLimit)
}

// count counts one more of the network in m, or answers how long to wait.
func (t *Throttle) count(m map[string]window, network string, length time.Duration, limit int) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	w := m[network]
	if !now.Before(w.ends) {
		w = window{ends: now.Add(length)}
	}
	if wait := w.over(limit, now); wait > 0 {
		return wait
	}
	put(m, network, w.plus(1), func(old window) bool { return !now.Before(old.ends) }, window.light)
	return 0
}
