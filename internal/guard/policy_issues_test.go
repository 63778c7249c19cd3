package guard

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/config"
)

// What people write who know other languages better than CEL: the error says what to
// write instead, every fault of the expression, and nothing of CEL's inside.
func TestPolicyFaultsAreWordedForPeople(t *testing.T) {
	for policy, want := range map[string]string{
		`request.method == 1`:                             `line 1, column 16: == is not for string and int`,
		`principal.scopes == "read"`:                      `line 1, column 18: == is not for list(string) and string: whether a list holds a value is asked with in, as in "admin" in principal.roles`,
		`principal.roles.contains("admin")`:               `contains of a value of the type list(string) is not for string: whether a list holds a value is asked with in`,
		`"admin" in principal.username`:                   `in is not for string and string: it looks into a list; whether a text holds another is asked with text.contains("part")`,
		`ip(request.remote_ip) in cidr("10.0.0.0/8")`:     `in is not for net.IP and net.CIDR: whether a network holds an address is asked with cidr("10.0.0.0/8").containsIP(request.remote_ip)`,
		`cidr("10.0.0.0/8").contains(request.remote_ip)`:  `contains of a value of the type net.CIDR is not for string: whether a network holds an address`,
		`ip(request.remote_ip) == "10.0.0.1"`:             `== is not for net.IP and string: an address is written ip("10.0.0.1")`,
		`timestamp("2026-01-01") < request.time`:          `line 1, column 11: invalid timestamp argument: a time is written timestamp("2026-01-02T15:04:05Z")`,
		`duration("1 day") > duration("1h")`:              `line 1, column 10: invalid duration argument: a length of time is written duration("1h30m")`,
		`principal.auth_time > 5`:                         `> is not for timestamp and int: a time is written timestamp("2026-01-02T15:04:05Z")`,
		`principal.email != null`:                         `!= is not for string and null: a text that is not known is ""`,
		`request.method == "GET" ? true : "no"`:           `the two values of ? : must be of one type, and are bool and string`,
		`!principal.username`:                             `! is not for string`,
		`principal.expires - principal.roles > 1`:         `- is not for timestamp and list(string)`,
		`principal.roles["a"] == "b"`:                     `[ ] is not for list(string) and string`,
		`request.time.hour > 8`:                           `line 1, column 13: a time has no part hour: it is asked for as in request.time.getHours()`,
		`principal.expires.year == 2026`:                  `a time has no part year: it is asked for as in request.time.getHours()`,
		`request.method = "GET"`:                          `line 1, column 16: syntax error: = is written ==`,
		`request.method == "GET" and true`:                `line 1, column 25: syntax error: and is written &&`,
		`request.method == "GET" or true`:                 `syntax error: or is written ||`,
		`true & true`:                                     `syntax error: & is written &&`,
		`not principal.email_verified`:                    `syntax error: not is written !`,
		`true && (not principal.email_verified)`:          `syntax error: not is written !`,
		`true # only read`:                                `syntax error: # is written // (a comment)`,
		`request.method ==`:                               `syntax error: the expression ends too early`,
		`(request.method == "GET"`:                        `syntax error: a ) is missing`,
		`"a`:                                              `syntax error: a text is not closed`,
		"\x00":                                            `syntax error: "\x00" is not expected here`,
		`true false`:                                      `syntax error: "false" is not expected here`,
		`request.method == GET`:                           `line 1, column 19: there is no GET: a text stands in quotation marks`,
		`request.headers.x-foo == "x"`:                    `there is no foo: a name with a hyphen stands in brackets, as in request.headers["x-name"]`,
		`principal.roles.length() > 0`:                    `there is no function length: it is size`,
		`len(principal.roles) > 0`:                        `there is no function len: it is size`,
		`request.path.hasPrefix("/x")`:                    `there is no function hasPrefix: it is startsWith`,
		`request.path.startswith("/x")`:                   `there is no function startswith, did you mean startsWith?`,
		`principal.role == "x" || request.methd == "GET"`: `line 1, column 10: there is no principal.role, did you mean roles?; there are `,
	} {
		err := Valid(config.Guard{Policy: policy, Accept: []string{"corp"}}, "corp")
		wantFault(t, err, want)
		for _, inside := range []string{"overload", "<EOF>", "token recognition", "mismatched", "extraneous", "!error!", "@in", "_=="} {
			if err != nil && strings.Contains(err.Error(), inside) {
				t.Errorf("%s: the error speaks of %q: %v", policy, inside, err)
			}
		}
	}
	err := Valid(config.Guard{Policy: "principal.role == \"x\" ||\nprincipal.roles.exists(r, r == request.methd)"})
	wantFault(t, err, "line 1, column 10: there is no principal.role")
	wantFault(t, err, "line 2, column 39: there is no request.methd")
}
