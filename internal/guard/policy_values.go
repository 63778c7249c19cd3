package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/gatehouse-auth/gatehouse/internal/authority"
)

// packed is a list of texts as the principal holds it. Asking whether it has a text,
// the most that rules ask, unpacks nothing.
type packed authority.List

func (p *packed) list() authority.List { return authority.List(*p) }

// unpacked is the same list as CEL's own.
func (p *packed) unpacked() traits.Lister {
	return types.NewStringList(types.DefaultTypeAdapter, p.list().Slice())
}

// Contains reports whether a text is in the list.
func (p *packed) Contains(value ref.Val) ref.Val {
	if text, ok := value.(types.String); ok {
		return types.Bool(p.list().Has(string(text)))
	}
	return p.unpacked().Contains(value)
}

// Size counts the texts.
func (p *packed) Size() ref.Val { return types.Int(p.list().Len()) }

// Get returns the text at an index.
func (p *packed) Get(index ref.Val) ref.Val { return p.unpacked().Get(index) }

// Add concatenates two lists.
func (p *packed) Add(other ref.Val) ref.Val { return p.unpacked().Add(other) }

// Iterator goes over the texts.
func (p *packed) Iterator() traits.Iterator { return p.unpacked().Iterator() }

// ConvertToNative converts the list to a Go value.
func (p *packed) ConvertToNative(t reflect.Type) (any, error) { return p.unpacked().ConvertToNative(t) }

// ConvertToType converts the list to another type.
func (p *packed) ConvertToType(t ref.Type) ref.Val { return p.unpacked().ConvertToType(t) }

// Equal compares element by element.
func (p *packed) Equal(other ref.Val) ref.Val { return p.unpacked().Equal(other) }

// Type is that of lists.
func (*packed) Type() ref.Type { return types.ListType }

// Value is the list as Go has it.
func (p *packed) Value() any { return p.list().Slice() }

// asked is a map of which only what an expression names is looked up. What it is
// asked for beyond that is an error: wordCheck refuses such expressions at load.
type asked struct {
	scene *scene
	of    string // the field
	find  func(*scene, string) (ref.Val, error)
}

// lookup is what a name was found to be. It is kept for the evaluation: CEL counts asking
// for a name as nothing, and in a loop it would be looked for each time.
type lookup struct {
	of, name string
	value    ref.Val // nil: it is not there
	err      error
}

var errWhole = errors.New("it is asked for names only")

// Find looks a name up.
func (a *asked) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), false
	}
	found := a.lookup(string(name))
	if found.err != nil {
		return types.WrapErr(found.err), false
	}
	return found.value, found.value != nil
}

func (a *asked) lookup(name string) lookup {
	for _, known := range a.scene.known {
		if known.name == name && known.of == a.of {
			return known
		}
	}
	found := lookup{of: a.of, name: name}
	found.value, found.err = a.find(a.scene, name)
	if a.scene.known == nil {
		a.scene.known = make([]lookup, 0, 4) // most ask for no more
	}
	a.scene.known = append(a.scene.known, found)
	return found
}

// Get looks up a name that must be there.
func (a *asked) Get(key ref.Val) ref.Val {
	value, found := a.Find(key)
	if value == nil && !found {
		return types.WrapErr(errNoValue)
	}
	return value
}

// Contains reports whether a name is there.
func (a *asked) Contains(key ref.Val) ref.Val {
	value, found := a.Find(key)
	if types.IsError(value) {
		return value
	}
	return types.Bool(found)
}

// Size is refused.
func (*asked) Size() ref.Val { return types.WrapErr(errWhole) }

// Iterator goes over nothing.
func (*asked) Iterator() traits.Iterator {
	return types.NewStringList(types.DefaultTypeAdapter, nil).Iterator()
}

// ConvertToNative is refused.
func (*asked) ConvertToNative(reflect.Type) (any, error) { return nil, errWhole }

// ConvertToType is refused.
func (*asked) ConvertToType(ref.Type) ref.Val { return types.WrapErr(errWhole) }

// Equal is refused.
func (*asked) Equal(ref.Val) ref.Val { return types.WrapErr(errWhole) }

// Type is that of maps.
func (*asked) Type() ref.Type { return types.MapType }

// Value is the map itself.
func (a *asked) Value() any { return a }

var (
	_ traits.Lister = (*packed)(nil)
	_ traits.Mapper = (*asked)(nil)
)

// Limits of a claim that a policy or a header reads.
const (
	maxClaimText  = 16 << 10 // bytes of JSON
	maxClaimDepth = 8
)

var errClaim = errors.New("it is an object, too large, or no JSON: no value for a policy")

// celOfJSON returns the value of a JSON text. A number without fraction that fits is
// an int or else a uint, so that no digit of an id is lost, and one with a fraction or
// exponent is a double; one that does not fit has no value.
func celOfJSON(text string) (ref.Val, error) {
	if s, ok := plainString(text); ok {
		return types.String(s), nil
	}
	if n, ok := plainInt(text); ok {
		return types.Int(n), nil
	}
	switch text {
	case "true":
		return types.True, nil
	case "false":
		return types.False, nil
	}
	value, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	if _, none := value.(tooLarge); none {
		return nil, errClaim
	}
	return types.DefaultTypeAdapter.NativeToValue(value), nil
}

// plainString returns the JSON string that text is, if it has neither escapes nor
// bytes beyond ASCII.
func plainString(text string) (string, bool) {
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' {
		return "", false
	}
	inner := text[1 : len(text)-1]
	for i := range len(inner) {
		if c := inner[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return "", false
		}
	}
	return inner, true
}

// plainInt returns the JSON number that text is, if it is an int (RFC 8259 §6).
func plainInt(text string) (int64, bool) {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || digits[0] < '0' || digits[0] > '9' || digits[0] == '0' && digits != "0" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// parseJSON reads one JSON value strictly: nothing after it, no member twice, not too
// long and not too deep. It returns a string, a bool, an int64, a uint64, a float64, a
// tooLarge, CEL's null, a []any or a map[string]any.
func parseJSON(text string) (any, error) {
	if len(text) > maxClaimText {
		return nil, errClaim
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	value, err := parseValue(d, 0)
	if err != nil {
		return nil, errClaim
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errClaim
	}
	return value, nil
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if depth == maxClaimDepth {
			return nil, errClaim
		}
		if t == '[' {
			return parseArray(d, depth+1)
		}
		return parseObject(d, depth+1)
	case json.Number:
		return parseNumber(t.String())
	case nil:
		return types.NullValue, nil
	default: // a string or a bool
		return t, nil
	}
}

func parseArray(d *json.Decoder, depth int) (any, error) {
	list := []any{}
	for d.More() {
		value, err := parseValue(d, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := d.Token()
	return list, err
}

func parseObject(d *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if _, twice := object[name]; !ok || twice {
			return nil, fmt.Errorf("%w: a member twice", errClaim)
		}
		if object[name], err = parseValue(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return object, err
}

// tooLarge is a whole number beyond 64 bits, or one with a fraction or an exponent beyond
// the whole numbers that a double tells apart. To a policy it has no value: rounded to a
// double, it would equal its neighbours.
type tooLarge struct{}

// maxExact is the largest double of which the whole numbers below are all exact.
const maxExact = 1<<53 - 1

func parseNumber(text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return n, nil
	}
	if !strings.ContainsAny(text, ".eE") {
		return tooLarge{}, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || math.IsInf(f, 0):
		return nil, errClaim
	case math.Abs(f) > maxExact:
		return tooLarge{}, nil
	}
	return f, nil
}
