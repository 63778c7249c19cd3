package guard

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
)

// maxIssues is how many faults of one expression are reported.
const maxIssues = 5

// policyFaults is the error of an expression with these faults; macros make some of
// them appear twice.
func policyFaults(faults []string) error {
	var all []string
	for _, fault := range faults {
		if !slices.Contains(all, fault) && len(all) < maxIssues {
			all = append(all, fault)
		}
	}
	return errors.New("policy: " + strings.Join(all, "; "))
}

// policyIssues words what CEL found wrong, each with its place. CEL speaks of overloads
// and tokens; who writes a policy wants to know what to write instead.
func policyIssues(text string, issues *cel.Issues, env *cel.Env) error {
	var all []string
	for _, issue := range issues.Errors() {
		message, _, _ := strings.Cut(issue.Message, "\n")
		before, from := around(text, issue.Location.Line(), issue.Location.Column())
		at := fmt.Sprintf("line %d, column %d: ", issue.Location.Line(), issue.Location.Column()+1)
		if wrong, ok := strings.CutPrefix(message, "Syntax error: "); ok {
			// Those after the first are mostly its consequence.
			return policyFaults([]string{at + "syntax error: " + syntaxIssue(wrong, before, from)})
		}
		if rest, ok := strings.CutPrefix(message, "undeclared reference to '"); ok {
			word, _, _ := strings.Cut(rest, "'")
			message = unknownWord(word, before, from, env)
		}
		if rest, ok := strings.CutPrefix(message, "found no matching overload for '"); ok {
			function, types, _ := strings.Cut(rest, "' applied to '")
			message = typesIssue(function, strings.TrimSuffix(types, "'"))
		}
		switch message {
		case "type 'timestamp' does not support field selection":
			part, _, _ := strings.Cut(strings.TrimPrefix(from, "."), " ")
			message = fmt.Sprintf("a time has no part %.20s: it is asked for as in request.time.getHours()", part)
		case "invalid timestamp argument":
			message += `: a time is written timestamp("2026-01-02T15:04:05Z")`
		case "invalid duration argument":
			message += `: a length of time is written duration("1h30m"), in h, m and s`
		}
		if message != "" {
			all = append(all, at+message)
		}
	}
	return policyFaults(all)
}

// around returns what stands before a place in the expression, on its line, and what
// from it on. Columns count characters from 0.
func around(text string, line, column int) (before, from string) {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return "", ""
	}
	chars := []rune(lines[line-1])
	column = min(max(column, 0), len(chars))
	return string(chars[:column]), string(chars[column:])
}

// elsewhere are words of other languages, and what they are here.
var elsewhere = map[string]string{
	"and": "&&", "or": "||", "not": "!", "&": "&&", "|": "||", "=": "==", "<>": "!=", "#": "// (a comment)",
	"length": "size", "len": "size", "count": "size", "hasPrefix": "startsWith", "hasSuffix": "endsWith",
	"toLower": "lowerAscii", "lower": "lowerAscii", "toUpper": "upperAscii", "upper": "upperAscii",
	"includes": "in", "hour": "getHours", "hours": "getHours", "any": "exists", "some": "exists", "every": "all",
}

// unknownWord is about a name or a function that is not there.
func unknownWord(word, before, from string, env *cel.Env) string {
	if strings.HasPrefix(from, "(") || strings.HasPrefix(from, word+"(") {
		text := "there is no function " + word
		if here := elsewhere[word]; here != "" {
			return text + ": it is " + here
		}
		return text + meant(word, slices.Collect(maps.Keys(env.Functions())))
	}
	text := "there is no " + word
	switch near := meant(word, []string{principalVar, requestVar}); {
	case near != "":
		return text + near
	case strings.HasSuffix(strings.TrimSpace(before), "-"):
		return text + `: a name with a hyphen stands in brackets, as in request.headers["x-name"]`
	}
	return text + `: a text stands in quotation marks, and all that is known is in principal and request`
}

// typesIssue is about an operator or function that is not for values of these types,
// written by CEL as `(int, string)` or `string.(int)`; empty if that is but the
// consequence of another fault.
func typesIssue(function, types string) string {
	if strings.Contains(types, "!error!") {
		return ""
	}
	name := strings.Trim(function, "_@")
	on, args, member := strings.Cut(types, ".(")
	if !member {
		on, args = "", strings.TrimPrefix(types, "(")
	}
	args = inWords(strings.TrimSuffix(args, ")"))
	switch name {
	case "?_:":
		return "the two values of ? : must be of one type, and are " + strings.TrimPrefix(args, "bool and ")
	case "[_]":
		return "[ ] is not for " + args
	}
	text := name + " is not for " + args
	if member {
		text = fmt.Sprintf("%s of a value of the type %s is not for %s", name, on, args)
		if args == "" {
			text = fmt.Sprintf("%s is not for a value of the type %s", name, on)
		}
	}
	lists := strings.Count(types, "list(")
	switch {
	case strings.Contains(types, "net.") && (name == "==" || name == "!="):
		text += `: an address is written ip("10.0.0.1"), and a network cidr("10.0.0.0/8")`
	case strings.Contains(types, "net."):
		text += `: whether a network holds an address is asked with cidr("10.0.0.0/8").containsIP(request.remote_ip)`
	case name == "in":
		text += `: it looks into a list; whether a text holds another is asked with text.contains("part")`
	case lists == 1 && (name == "==" || name == "!=" || name == "contains"):
		text += `: whether a list holds a value is asked with in, as in "admin" in principal.roles`
	case strings.Contains(types, "timestamp"):
		text += `: a time is written timestamp("2026-01-02T15:04:05Z")`
	case strings.Contains(types, "null"):
		text += `: a text that is not known is "", and has(...) asks whether there is one`
	}
	return text
}

// inWords writes a list of types with "and" between them, for its commas: those within
// a type stay.
func inWords(types string) string {
	var b strings.Builder
	depth := 0
	for i := range len(types) {
		switch c := types[i]; {
		case c == ',' && depth == 0:
			b.WriteString(" and")
			continue
		case c == '(':
			depth++
		case c == ')':
			depth--
		}
		b.WriteByte(types[i])
	}
	return b.String()
}

// syntaxIssue is about a place that cannot be read.
func syntaxIssue(wrong, before, from string) string {
	word := strings.TrimSpace(from)
	if end := strings.IndexAny(word, " \t()[]\"'"); end > 0 {
		word = word[:end]
	}
	last := before[strings.LastIndexAny(strings.TrimSpace(before), " \t(")+1:]
	switch {
	case strings.TrimSpace(last) == "not":
		return "not is written !"
	case elsewhere[word] != "":
		return word + " is written " + elsewhere[word]
	case strings.Contains(wrong, "missing ')'"):
		return "a ) is missing"
	case strings.Contains(wrong, "<EOF>'") || word == "":
		return "the expression ends too early"
	case strings.HasPrefix(wrong, "token recognition error") && strings.ContainsAny(word[:1], "\"'"):
		return "a text is not closed"
	}
	return fmt.Sprintf("%.40q is not expected here", word)
}
