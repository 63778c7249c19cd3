package config

// Available reports whether this version can do what a word asks for. A word of
// the grammar whose feature is not there yet is refused, never accepted and
// ignored: this is the one place that says which. The block `gatehouse` is the
// app, `endpoints` the directive of the same name; the others are called as they
// are written.
func Available(block, word string) bool {
	switch block + " " + word {
	case "directive gatehouse_verify",
		"gatehouse encryption_key",
		"store postgres",
		"cache on_loss",
		"session idle",
		"client redirect_uris",
		"grants authorization_code", "grants device_code", "grants token_exchange",
		"guard assertion", "guard long_requests",
		"login always":
		return false
	}
	return true
}

// Unavailable is the refusal of a word that is not Available.
func Unavailable(word string) string { return word + " is not available in this version" }
