package authority

import "context"

// Caller is who sent the request at hand, as the network shows it.
type Caller struct {
	Address   string // the client's IP address, without port
	RequestID string // the request's id in the access log
}

type callerKey struct{}

// WithCaller returns a context that carries the caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns the context's caller; the zero Caller when it carries none.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
