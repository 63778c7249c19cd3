package guard

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// wordCheck goes through a parsed policy for what CEL's own checker lets pass or says
// less well: the fields of the variables, the names asked of the maps, and the
// functions that are not offered.
type wordCheck struct {
	facts   map[string]map[string]fact
	info    *ast.SourceInfo
	foreign bool
	fields  []field
	claims  []string // found on the way
}

// place says where in the expression a node stands.
func (c *wordCheck) place(id int64) string {
	at := c.info.GetStartLocation(id)
	return fmt.Sprintf("line %d, column %d", at.Line(), at.Column()+1)
}

func (c *wordCheck) fault(e ast.Expr, format string, args ...any) error {
	return fmt.Errorf("%s: %s", c.place(e.ID()), fmt.Sprintf(format, args...))
}

// walk checks an expression and everything in it; its error lists every fault.
func (c *wordCheck) walk(e ast.Expr) error {
	switch e.Kind() {
	case ast.IdentKind:
		if name := variable(e); name != "" {
			return c.fault(e, "%s is asked for its fields only; it has %s", name, strings.Join(c.fieldNames(name), ", "))
		}
	case ast.SelectKind:
		return c.walkSelect(e)
	case ast.CallKind:
		return c.walkCall(e)
	case ast.ListKind:
		return c.walkAll(e.AsList().Elements())
	case ast.MapKind:
		var all []ast.Expr
		for _, entry := range e.AsMap().Entries() {
			all = append(all, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
		return c.walkAll(all)
	case ast.StructKind:
		return c.fault(e, "a policy makes no objects")
	case ast.ComprehensionKind:
		loop := e.AsComprehension()
		for _, name := range []string{loop.IterVar(), loop.IterVar2(), loop.AccuVar()} {
			if name == principalVar || name == requestVar {
				return c.fault(e, "%s is a variable of every policy: give the element another name", name)
			}
		}
		return c.walkAll([]ast.Expr{loop.IterRange(), loop.AccuInit(), loop.LoopCondition(), loop.LoopStep(), loop.Result()})
	}
	return nil
}

func (c *wordCheck) walkAll(all []ast.Expr) error {
	var faults []error
	for _, e := range all {
		faults = append(faults, c.walk(e))
	}
	return errors.Join(faults...)
}

// variable returns which of the variables e is, or "".
func variable(e ast.Expr) string {
	if e.Kind() != ast.IdentKind {
		return ""
	}
	if name := strings.TrimPrefix(e.AsIdent(), "."); name == principalVar || name == requestVar {
		return name
	}
	return ""
}

// mapField returns the name of the map that e is, such as principal.claims, or "".
func mapField(e ast.Expr) string {
	if e.Kind() != ast.SelectKind || e.AsSelect().IsTestOnly() {
		return ""
	}
	of, name := variable(e.AsSelect().Operand()), e.AsSelect().FieldName()
	switch {
	case of == principalVar && name == claimsField, of == requestVar && (name == headersField || name == queryField):
		return name
	}
	return ""
}

func (c *wordCheck) walkSelect(e ast.Expr) error {
	operand, name := e.AsSelect().Operand(), e.AsSelect().FieldName()
	if of := mapField(operand); of != "" {
		return c.asksFor(e, of, name)
	}
	of := variable(operand)
	if of == "" {
		return c.walk(operand)
	}
	there := c.fieldNames(of)
	if !slices.Contains(there, name) {
		return c.fault(e, "there is no %s.%s%s; there are %s", of, name, meant(name, there), strings.Join(there, ", "))
	}
	if of == principalVar && name == claimsField || of == requestVar && (name == headersField || name == queryField) {
		return c.fault(e, `%s.%s is asked for names only, and they are written in the expression: %s.%s["name"]`, of, name, of, name)
	}
	return nil
}

func meant(word string, known []string) string {
	if near := config.Nearest(word, known); near != "" {
		return fmt.Sprintf(", did you mean %s?", near)
	}
	return ""
}

func (c *wordCheck) fieldNames(of string) []string {
	if of == principalVar {
		return namesOf(c.facts[principalType])
	}
	return namesOf(c.facts[requestType])
}

func namesOf(facts map[string]fact) []string { return slices.Sorted(maps.Keys(facts)) }

// asksFor checks a name that is asked of one of the maps.
func (c *wordCheck) asksFor(e ast.Expr, of, name string) error {
	switch of {
	case claimsField:
		if !c.foreign {
			return c.fault(e, "only the tokens of a trust have further claims, and this guard accepts no trust")
		}
		if err := validForeign(name); err != nil {
			return c.fault(e, "%s", err)
		}
		c.claims = append(c.claims, name)
	case headersField:
		switch {
		case name == "" || strings.ContainsFunc(name, func(r rune) bool { return r > '~' || !isToken(byte(r)) }):
			return c.fault(e, "%q is not a header name (RFC 9110 §5.1)", name)
		case name != strings.ToLower(name):
			return c.fault(e, "the names of headers are written in lower case: %q", strings.ToLower(name))
		case name == "authorization" || name == "proxy-authorization":
			return c.fault(e, "a policy does not see the credential")
		case name == "host":
			return c.fault(e, "the host is request.host")
		case (&Guard{fields: c.fields}).sets(name):
			return c.fault(e, "%s is an identity header of this guard: ask principal", name)
		}
	}
	return nil
}

// notOffered tells the functions of CEL's libraries that can make much of little.
func notOffered(function string) bool {
	switch function {
	case "replace", "format", "join", "strings.quote":
		return true
	}
	return false
}

func (c *wordCheck) walkCall(e ast.Expr) error {
	call := e.AsCall()
	args := call.Args()
	name := call.FunctionName()
	if call.IsMemberFunction() {
		if target := call.Target(); target.Kind() == ast.IdentKind && notOffered(target.AsIdent()+"."+name) {
			name = target.AsIdent() + "." + name
		}
	}
	switch {
	case notOffered(name):
		return c.fault(e, "the function %s is not offered", name)
	case name == "_[_]" && len(args) == 2 && mapField(args[0]) != "":
		return c.constant(e, mapField(args[0]), args[1])
	case name == "@in" && len(args) == 2 && mapField(args[1]) != "":
		return c.constant(e, mapField(args[1]), args[0])
	case name == "matches":
		pattern := literalText(args[len(args)-1])
		if pattern == nil {
			return c.fault(e, "a pattern is a text written in the expression")
		}
		if why := patternFault(*pattern); why != "" {
			return c.fault(e, "the pattern %s", why)
		}
	case (name == "cidr" || name == "ip") && len(args) == 1:
		if err := literalAddress(name, args[0]); err != nil {
			return c.fault(e, "%s", err)
		}
	case call.IsMemberFunction() && len(args) == 1 && strings.HasPrefix(name, "get"):
		if err := timeZone(args[0]); err != nil {
			return c.fault(e, "%s", err)
		}
	}
	if call.IsMemberFunction() {
		args = append([]ast.Expr{call.Target()}, args...)
	}
	return c.walkAll(args)
}

// constant checks what a map is asked for with brackets or `in`.
func (c *wordCheck) constant(e ast.Expr, of string, key ast.Expr) error {
	name := literalText(key)
	if name == nil {
		return c.fault(e, "a name of %s is a text written in the expression", of)
	}
	return c.asksFor(e, of, *name)
}

// literalText returns the text that e is, nil if it is anything else.
func literalText(e ast.Expr) *string {
	if e.Kind() != ast.LiteralKind {
		return nil
	}
	text, ok := e.AsLiteral().(types.String)
	if !ok {
		return nil
	}
	return (*string)(&text)
}

// literalAddress reports what is wrong with a network or an address that stands in
// the expression: at run time it would refuse everybody.
func literalAddress(function string, e ast.Expr) error {
	text := literalText(e)
	if text == nil {
		return nil
	}
	if function == "cidr" {
		if prefix, err := netip.ParsePrefix(*text); err != nil || prefix.Addr().Is4In6() {
			return fmt.Errorf("%q is not a network such as 10.0.0.0/8 or 2001:db8::/32", *text)
		}
		return nil
	}
	if ip, err := netip.ParseAddr(*text); err != nil || ip.Is4In6() || ip.Zone() != "" {
		return fmt.Errorf("%q is not an address such as 10.0.0.1 or 2001:db8::1", *text)
	}
	return nil
}

// timeZone reports what is wrong with the time zone that a part of a time is asked in. It
// stands in the expression: one that is not there would refuse everybody, at run time.
func timeZone(e ast.Expr) error {
	text := literalText(e)
	if text == nil {
		return errors.New("a time zone is a text written in the expression")
	}
	if _, err := time.LoadLocation(*text); err == nil && *text != "" {
		return nil
	}
	offset := *text
	if offset != "" && isDigit(offset[0]) { // which is east of Greenwich, too
		offset = "+" + offset
	}
	if _, err := time.Parse("-07:00", offset); err != nil {
		return fmt.Errorf("%q is not a time zone such as Europe/Berlin or +02:00", *text)
	}
	return nil
}

// patternFault says what is wrong with a regular expression (RE2), empty if nothing is.
// CEL's own limit of its size does not know repetitions such as {2,3}.
func patternFault(pattern string) string {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "is no regular expression: " + err.Error()
	}
	program, err := syntax.Compile(parsed.Simplify())
	switch {
	case err != nil:
		return "is no regular expression: " + err.Error()
	case len(program.Inst) > maxPolicyRegex:
		return fmt.Sprintf("is too large: %d instructions, and %d are the limit", len(program.Inst), maxPolicyRegex)
	}
	return ""
}
