package gatehouse

import "net/http"

// Serves reports whether a dialect of the site answers the request.
func (s *Site) Serves(r *http.Request) bool {
	for _, d := range s.dialects {
		if d.Serves(r) {
			return true
		}
	}
	return false
}
