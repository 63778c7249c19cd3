package config

// Available reports whether this version can do what a word asks for. A word of
// the grammar whose feature is not there yet is refused, never accepted and
// ignored: this is the one place that says which. The block `gatehouse` is the
// app, `endpoints` the directive of the same name; the others are called as they
// are written.
func Available(block, word string) bool {
	switch block + " " + word {
	case "directive gatehouse_verify",
		"gatehouse encryption_key", "gatehouse gc_floor", "gatehouse trust",
		"store postgres",
		"cache on_loss",
		"realm refresh_token", "realm session", "realm personal_token",
		"realm sign_up", "realm provider", "realm user",
		"session idle",
		"client redirect_uris",
		"grants refresh_token", "grants password",
		"grants authorization_code", "grants device_code", "grants token_exchange",
		"endpoints gmi", "endpoints pakt", "endpoints keycloak",
		"dialects gmi", "dialects pakt", "dialects golem", "dialects keycloak",
		"guard policy", "guard assertion", "guard lenient_paths", "guard long_requests",
		"login always":
		return false
	}
	return true
}

// Unavailable is the refusal of a word that is not Available.
func Unavailable(word string) string { return word + " is not available in this version" }

// later refuses what the structs can hold and this version cannot do. c has its
// defaults: a value that equals its own asks for nothing.
func (ck *checker) later(c *Config) {
	for i := range c.Realms {
		r, at := &c.Realms[i], index("realms", i)
		if len(r.Users) > 0 && !Available("realm", "user") {
			ck.fault(at+".users", "%s", Unavailable("user"))
		}
		if r.RefreshToken != defaultRefreshToken() && !Available("realm", "refresh_token") {
			ck.fault(at+".refresh_token", "%s", Unavailable("refresh_token"))
		}
		if r.Session != defaultSession() && !Available("realm", "session") {
			ck.fault(at+".session", "%s", Unavailable("session"))
		}
	}
}
