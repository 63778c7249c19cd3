package caddymodule

import (
	"path/filepath"
	"strings"
	"testing"
)

// A guard behind what answers every request would protect nothing: such a configuration is
// refused, wherever in it the two stand, and one that only looks like it is not.
func TestGuardsThatNoRequestGetsTo(t *testing.T) {
	guarded := object{"handler": "gatehouse_guard"}
	proxy := object{"handler": "reverse_proxy", "upstreams": list{object{"dial": "127.0.0.1:1"}}}
	forward := object{
		"handler": "reverse_proxy", "upstreams": list{object{"dial": "127.0.0.1:1"}},
		"handle_response": list{object{"match": object{"status_code": list{2}}, "routes": list{}}},
	}
	files, passing := object{"handler": "file_server"}, object{"handler": "file_server", "pass_thru": true}
	text, hints := object{"handler": "static_response", "body": "x"}, object{"handler": "static_response", "status_code": 103}
	away := object{"handler": "static_response", "status_code": 302, "headers": object{"Location": list{"https://b.test/"}}}
	pages := object{
		"handler": "reverse_proxy", "upstreams": list{object{"dial": "127.0.0.1:1"}},
		"handle_response": list{
			object{"match": object{"status_code": list{404}}, "status_code": 410},
			object{"match": object{"status_code": list{5}}, "routes": list{object{"handle": list{text}}}},
			object{"routes": list{object{"handle": list{object{"handler": "copy_response"}}}}},
		},
	}
	path := list{object{"path": list{"/x"}}}
	route := func(handlers ...any) object { return object{"handle": handlers} }
	matched := func(handlers ...any) object { return object{"match": path, "handle": handlers} }
	grouped := func(match any, handlers ...any) object {
		r := object{"group": "g", "handle": handlers}
		if match != nil {
			r["match"] = match
		}
		return r
	}
	forHost := func(handler any, hosts ...any) object {
		return object{"match": list{object{"host": hosts}}, "handle": list{handler}}
	}
	block := func(routes ...any) object { return object{"handler": "subroute", "routes": routes} }
	catching := object{"handler": "subroute", "routes": list{route(files)}, "errors": object{"routes": list{}}}
	unknown := object{"handler": "static_response", "status_code": "{http.vars.status}"}
	for name, c := range map[string]struct {
		routes list
		by     string // what answers; empty: the guard is reached
	}{
		"a proxy before it":            {list{route(proxy), route(guarded)}, "reverse_proxy"},
		"in the same route":            {list{route(proxy, guarded)}, "reverse_proxy"},
		"with a matcher":               {list{route(text), matched(guarded)}, "respond"},
		"files":                        {list{route(files), route(guarded)}, "file_server"},
		"in a site with a host":        {list{object{"match": list{object{"host": list{"a.test"}}}, "handle": list{block(route(proxy), route(guarded))}}}, "reverse_proxy"},
		"in a block behind it":         {list{route(proxy), route(block(route(guarded)))}, "reverse_proxy"},
		"in a block of the same route": {list{route(text, block(route(guarded)))}, "respond"},
		"behind a block that answers":  {list{route(block(matched(text), route(proxy))), route(guarded)}, "reverse_proxy"},
		"behind blocks of which one answers": {
			list{grouped(path, text), grouped(nil, proxy), route(guarded)}, "reverse_proxy",
		},
		"a proxy with pages for errors": {list{route(pages), route(guarded)}, "reverse_proxy"},
		"in the same route as one":      {list{route(pages, guarded)}, "reverse_proxy"},
		"what sends everybody away":     {list{route(away), route(guarded)}, ""},
		"a second one":                  {list{route(guarded), route(proxy), route(guarded)}, "reverse_proxy"},
		"before it":                     {list{route(guarded), route(proxy)}, ""},
		"before it in the same route":   {list{route(guarded, proxy)}, ""},
		"what answers some":             {list{matched(proxy), route(guarded)}, ""},
		"what asks and goes on":         {list{route(forward), route(guarded)}, ""},
		"files or else":                 {list{route(passing), route(guarded)}, ""},
		"early hints":                   {list{route(hints), route(guarded)}, ""},
		"blocks of which one goes on":   {list{grouped(path, passing), grouped(nil, proxy), route(guarded)}, ""},
		"in another block":              {list{grouped(path, block(route(proxy))), grouped(nil, block(route(guarded)))}, ""},
		"a block that answers some":     {list{route(block(matched(text)), guarded)}, ""},
		"a block whose faults go on":    {list{route(catching), route(guarded)}, ""},
		"a status that is to be seen":   {list{route(unknown), route(guarded)}, ""},
		"another handler of the module": {list{route(object{"handler": "gatehouse"}), route(guarded)}, ""},
		"what takes every path": {
			list{object{"match": list{object{"path": list{"/*"}}}, "handle": list{proxy}}, route(guarded)}, "reverse_proxy",
		},
		"a block of such":       {list{route(block(object{"match": list{object{"path": list{"/x", "*"}}}, "handle": list{text}})), route(guarded)}, "respond"},
		"a part of every path":  {list{object{"match": list{object{"path": list{"/*"}, "method": list{"GET"}}}, "handle": list{proxy}}, route(guarded)}, ""},
		"another route for it":  {list{forHost(proxy, "B.test", "a.test"), forHost(guarded, "a.test", "b.test")}, "reverse_proxy"},
		"one of its hosts":      {list{forHost(proxy, "a.test"), forHost(guarded, "a.test", "b.test")}, ""},
		"behind one of a group": {list{grouped(nil, object{"handler": "vars", "a": "b"}), grouped(nil, guarded)}, anotherOfGroup},
		"behind its like":       {list{grouped(nil, guarded), grouped(nil, guarded)}, ""},
	} {
		_, err := provisioned(t, filepath.Join(t.TempDir(), "gatehouse.db"), c.routes)
		switch {
		case c.by == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.by != "" && (err == nil || !strings.Contains(err.Error(), "no request gets to this guard: "+c.by+" ")):
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nor does one with an empty segment, where such targets are refused.
func TestPathsThatNoTargetHas(t *testing.T) {
	for path, fault := range map[string]bool{"/app//admin/*": true, "//admin": true, "/app/admin/*": false, "/{http.vars.x}//y": false} {
		for _, lenient := range []bool{false, true} {
			handlers := list{object{"handler": "gatehouse_guard", "lenient_paths": lenient}}
			_, err := provisioned(t, filepath.Join(t.TempDir(), "gatehouse.db"), list{object{"match": list{object{"path": list{"/x", path}}}, "handle": handlers}})
			if got := err != nil && strings.Contains(err.Error(), "no request gets to this guard by the path "+path); got != (fault && !lenient) || !got && err != nil {
				t.Errorf("%s, lenient %v: %v", path, lenient, err)
			}
		}
	}
}
