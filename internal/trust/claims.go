package trust

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
	"github.com/gatehouse-auth/gatehouse/internal/provider"
)

const (
	maxText = 1024 // bytes of one text
	// maxTime is the latest time. Issuers that count milliseconds are beyond it.
	maxTime = authority.NoExpiry

	maxClaim  = 1 << 10 // bytes of the JSON text of one further claim
	maxClaims = 4 << 10 // bytes of all further claims, names and all
)

// reader reads claims and keeps the first fault, which goes on "the token". The faults
// hold names that we know, and nothing of the token.
type reader struct {
	o     provider.Object
	said  provider.Object // as it came, where o has been filled in; nil: o is as it came
	fault string
}

func (r *reader) refuse(why string) {
	if r.fault == "" {
		r.fault = why
	}
}

// checked refuses a text that could be taken for another: a NUL divides our lists, and
// U+FFFD may stand for anything.
func (r *reader) checked(name, text string) string {
	switch {
	case len(text) > maxText:
		r.refuse(fmt.Sprintf("has more than %d bytes in %s", maxText, name))
	case strings.ContainsRune(text, 0), strings.ContainsRune(text, utf8.RuneError):
		r.refuse("has a NUL or broken text in " + name)
	default:
		return text
	}
	return ""
}

// identifier returns a text that decides; empty if it is not there.
func (r *reader) identifier(name string) string {
	text, err := r.o.Text(name)
	if err != nil {
		r.refuse("has no text in " + name)
	}
	return r.checked(name, text)
}

// quiet is identifier without a fault.
func (r *reader) quiet(name string) string {
	text, _ := r.o.Text(name)
	return text
}

// description returns a text that only describes: one of another type is left out.
func (r *reader) description(name string) string {
	text, err := r.o.Text(name)
	if err != nil {
		return ""
	}
	return r.checked(name, text)
}

// time returns a NumericDate (RFC 7519 §2), a JSON number that may have a fraction, in
// Unix seconds; zero if it is not there.
func (r *reader) time(name string) int64 {
	if !r.o.Has(name) {
		return 0
	}
	seconds, err := strconv.ParseFloat(string(r.o[name]), 64)
	if err != nil || !(seconds >= 0 && seconds <= float64(maxTime)) {
		r.refuse("has no time in " + name + ": seconds since 1970 are asked for")
		return 0
	}
	return int64(math.Floor(seconds))
}

// texts returns a text or a list of texts; none if it is not there. Empty ones are left
// out.
func (r *reader) texts(name string, most int) []string {
	if !r.o.Has(name) || r.o[name][0] == '"' {
		if one := r.identifier(name); one != "" {
			return []string{one}
		}
		return nil
	}
	return r.list(name, r.o[name], most)
}

// list reads an array of texts, and no more of it than there may be.
func (r *reader) list(name string, raw json.RawMessage, most int) []string {
	elements := json.NewDecoder(bytes.NewReader(raw))
	if open, err := elements.Token(); err != nil || open != json.Delim('[') {
		r.refuse("has neither text nor a list of texts in " + name)
		return nil
	}
	var texts []string
	for n := 0; elements.More(); n++ {
		if n == most {
			r.refuse(fmt.Sprintf("has more than %d texts in %s", most, name))
			return nil
		}
		element, err := elements.Token()
		text, ok := element.(string)
		if err != nil || !ok {
			r.refuse("has neither text nor a list of texts in " + name)
			return nil
		}
		if text = r.checked(name, text); text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// scopes returns `scope` (RFC 9068 §2.2.3) or, at some issuers, `scp`. A text has them
// divided by spaces, so that no scope has one (RFC 6749 §3.3).
func (r *reader) scopes() []string {
	name := "scope"
	if !r.o.Has(name) {
		name = "scp"
	}
	var scopes []string
	if raw, ok := r.o[name]; ok && raw[0] == '"' {
		text, err := r.o.Text(name)
		if err != nil {
			r.refuse("has no text in " + name)
		}
		for scope := range strings.SplitSeq(text, " ") {
			if len(scopes) > maxScopes {
				break
			}
			if scope != "" {
				scopes = append(scopes, r.checked(name, scope))
			}
		}
	} else {
		scopes = r.texts(name, maxScopes)
	}
	if len(scopes) > maxScopes {
		r.refuse(fmt.Sprintf("has more than %d scopes", maxScopes))
		return nil
	}
	for _, scope := range scopes {
		if strings.ContainsFunc(scope, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }) {
			r.refuse("has a scope with characters that no scope has (RFC 6749 §3.3)")
			return nil
		}
	}
	return scopes
}

// roles returns the first list of them that is there: `roles` (RFC 9068 §2.2.3.1), that of
// Keycloak's realm_access, or `groups`; or that it is elsewhere.
func (r *reader) roles() (roles []string, elsewhere bool) {
	if r.o.Has("roles") {
		return r.list("roles", r.o["roles"], maxRoles), false
	}
	if r.elsewhere("roles") || r.elsewhere("realm_access") && !r.o.Has("realm_access") {
		return nil, true
	}
	if r.o.Has("realm_access") {
		access, err := r.o.Object("realm_access")
		if err != nil {
			r.refuse("has no object in realm_access")
			return nil, false
		}
		if access.Has("roles") {
			return r.list("realm_access.roles", access["roles"], maxRoles), false
		}
	}
	if r.o.Has("groups") {
		return r.list("groups", r.o["groups"], maxRoles), false
	}
	return nil, r.elsewhere("groups")
}

// elsewhere reports whether the issuer says of a claim that it is there, and leaves it to
// others to give its value (OpenID Connect Core §5.6.2), as Entra does of more than 200
// groups. Whoever took it for absent would let in whom a rule keeps out for being in one.
func (r *reader) elsewhere(name string) bool {
	if name == "groups" && r.o.Has("hasgroups") && string(r.o["hasgroups"]) != "false" {
		return true // Entra again, in tokens that must be short
	}
	if !r.o.Has("_claim_names") {
		return false
	}
	names, err := r.o.Object("_claim_names")
	return err != nil || names.Has(name)
}

// further returns the claims of these names that are there and are plain: scalars, or
// lists of scalars. What is too large, elsewhere, or anything else, is there without its
// value, so that no rule takes it for absent.
func (r *reader) further(names []string) authority.List {
	said := r.said
	if said == nil {
		said = r.o
	}
	var list strings.Builder
	for _, name := range names {
		var value bytes.Buffer
		if !said.Has(name) {
			if !r.elsewhere(name) {
				continue
			}
			value.WriteString(authority.ClaimUnreadable)
		} else if json.Compact(&value, said[name]) != nil || value.Len() > maxClaim || !r.plain(value.Bytes(), true) ||
			list.Len()+len(name)+value.Len()+2 > maxClaims {
			value.Reset()
			value.WriteString(authority.ClaimUnreadable)
		}
		list.WriteString(name)
		list.WriteByte(0)
		list.Write(value.Bytes())
		list.WriteByte(0)
	}
	return authority.List(list.String())
}

// plain reports whether a value is a scalar or, where that is allowed, a list of scalars.
// Its texts must be as good as those of the claims that we know.
func (r *reader) plain(raw json.RawMessage, lists bool) bool {
	switch raw[0] {
	case '"':
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return false
		}
		if strings.ContainsRune(text, 0) || strings.ContainsRune(text, utf8.RuneError) {
			r.refuse("has a NUL or broken text in a claim that is asked for")
		}
		return true
	case '[':
		var elements []json.RawMessage
		if !lists || json.Unmarshal(raw, &elements) != nil {
			return false
		}
		for _, e := range elements {
			if !r.plain(e, false) {
				return false
			}
		}
		return true
	}
	return raw[0] != '{' && raw[0] != 'n'
}
