package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// maxClaimName is the longest name of a foreign claim, in bytes: room for one that is
// an address.
const maxClaimName = 256

// validForeign reports why a name cannot be that of a foreign claim.
func validForeign(name string) error {
	switch {
	case name == "":
		return errors.New("the name of a claim is missing")
	case len(name) > maxClaimName:
		return fmt.Errorf("the name of a claim is longer than %d bytes", maxClaimName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%q is not the name of a claim: it has a control character or is not UTF-8", name)
	}
	return nil
}

// foreignClaim finds the JSON text of a claim in Principal.Claims, which holds name
// and text in turn.
func foreignClaim(claims authority.List, name string) (string, bool) {
	rest := string(claims)
	for rest != "" {
		key, after, ok := strings.Cut(rest, "\x00")
		if !ok {
			return "", false
		}
		text, after, ok := strings.Cut(after, "\x00")
		if !ok {
			return "", false
		}
		if key == name {
			return text, true
		}
		rest = after
	}
	return "", false
}

// foreignHeader returns a foreign claim in the form of a header, empty if there is none.
func foreignHeader(p *authority.Principal, name string) string {
	text, list := foreignText(p, name)
	if list != "" {
		return encodeList(list, ',')
	}
	return encodeText(text)
}

// foreignText returns a foreign claim as one text, or as a list if it is an array of
// texts, numbers and truth values. Null, an object and whatever holds one have no form
// in a header. An array with a text that has a NUL has none either: left out, it could
// turn the others into something else.
func foreignText(p *authority.Principal, name string) (string, authority.List) {
	raw, ok := foreignClaim(p.Claims, name)
	if !ok {
		return "", ""
	}
	if s, ok := plainString(raw); ok {
		return s, ""
	}
	value, err := parseJSON(raw)
	if err != nil {
		return "", ""
	}
	elements, isList := value.([]any)
	if !isList {
		text, _ := scalar(value, raw)
		return text, ""
	}
	var raws []json.RawMessage // the same elements as they are written
	if json.Unmarshal([]byte(raw), &raws) != nil || len(raws) != len(elements) {
		return "", ""
	}
	texts := make([]string, 0, len(elements))
	for i, e := range elements {
		text, ok := scalar(e, string(raws[i]))
		if !ok || strings.IndexByte(text, 0) >= 0 {
			return "", ""
		}
		texts = append(texts, text)
	}
	return "", authority.ListOf(texts...)
}

// scalar writes a value that is no array and no object. A number is written as the token
// has it: as a double, a long id would become its neighbour's.
func scalar(value any, raw string) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64, uint64, float64, tooLarge:
		return raw, true
	}
	return "", false
}
