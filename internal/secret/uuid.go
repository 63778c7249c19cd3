package secret

import "github.com/google/uuid"

// UUID returns a random UUID (RFC 9562 version 4).
func UUID() string { return uuid.NewString() }

// NamedUUID returns the UUID version 5 of name under a UUID or, when space is not
// one, under the UUID version 5 of space in the URL namespace.
func NamedUUID(space, name string) string {
	ns, err := uuid.Parse(space)
	if err != nil {
		ns = uuid.NewSHA1(uuid.NameSpaceURL, []byte(space))
	}
	return uuid.NewSHA1(ns, []byte(name)).String()
}
