package tests

import (
	"slices"
	"strings"
	"testing"
)

// Attack 16, where an app's answer takes the place of another one: of the gateway's own, of a
// guard's refusal, or the other way round. It may say what an app may say anywhere else.
func TestAnswersInAnothersPlace(t *testing.T) {
	s, _, before := newTalkerServer(t)
	before += "&(protected) {\n\tguard /admin/*\n\treverse_proxy $BACKEND\n}\n"
	const answered = "\n\thandle_errors {\n\t\theader -Content-Length\n\t\treverse_proxy $BACKEND\n\t}\n"
	intercepting := func(does string) string {
		return "route {\n\t\tintercept {\n\t\t\t@fault status 4xx\n\t\t\thandle_response @fault {\n\t\t\t\t" + does +
			"\n\t\t\t}\n\t\t}\n\t\tgatehouse\n\t\tguard /admin/*\n\t\treverse_proxy $BACKEND\n\t}\n"
	}
	cases := []struct {
		name, site, path string
		status           int
		clean            bool // of identity headers too
	}{
		{"for the gateway's", intercepting("header -Content-Length\n\t\t\t\treverse_proxy $BACKEND"), "/oauth2/token", 200, false},
		{"for the gateway's, as an error", intercepting("error 500") + answered, "/oauth2/token", 200, true},
		{"the gateway's for an app's", `route {
		guard /admin/*
		reverse_proxy $BACKEND {
			@ok status 2xx
			handle_response @ok {
				copy_response_headers
				gatehouse
			}
		}
	}`, "/oauth2/token", 405, false},
		{"for a refusal in a named route", "invoke protected" + answered, "/admin/x", 200, true},
		{"for an error beside a named route", "handle /err/* {\n\t\terror 500\n\t}\n\thandle {\n\t\tinvoke protected\n\t}" + answered, "/err/x", 200, true},
	}
	ports := freePorts(t, 2*len(cases))
	for i, c := range cases {
		for j, host := range []string{"localhost", ""} {
			before += "http://" + host + ":" + ports[2*i+j] + " {\n\tbind 127.0.0.1\n\t" + c.site + "\n}\n"
		}
	}
	s.start(before)
	for i, c := range cases {
		for _, port := range ports[2*i : 2*i+2] {
			a := send(t, "GET", "http://localhost:"+port+c.path, "", "Remote-User", "forged")
			if a.status != c.status || strings.Contains(a.body, "forged") || !slices.Equal(a.header["Set-Cookie"], []string{"app=1", "=app=2"}) {
				t.Errorf("%s: %d %v %s", c.name, a.status, a.header, a.body)
			}
			if c.clean {
				quiet(t, c.name, a)
			}
		}
	}
}
