package provider

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestObjectHasOneMeaning(t *testing.T) {
	for story, raw := range map[string]string{
		"nothing":                "",
		"blanks":                 " \n",
		"a page":                 "<html>",
		"a list":                 `[{"a":1}]`,
		"text":                   `"a"`,
		"null":                   "null",
		"a member twice":         `{"id":1,"id":2}`,
		"a member twice, hidden": `{"id":1,"\u0069d":2}`,
		"two objects":            `{"id":1}{"id":2}`,
		"something after it":     `{"id":1} x`,
		"half an object":         `{"id":1`,
		"a byte order mark":      "\ufeff{}",
		"bytes that are no text": "{\"id\":\"\xff\"}",
		"a comma too many":       `{"id":1,}`,
	} {
		if o, err := ParseObject([]byte(raw)); err == nil {
			t.Errorf("%s is read as %v", story, o)
		}
	}
}

func TestMembers(t *testing.T) {
	o, err := ParseObject([]byte(`{"text":"a","number":7,"digits":"7","part":7.5,"yes":true,"no":false,"null":null,` +
		`"object":{"id":1},"twice":{"id":1,"id":2},"list":[1]}`))
	if err != nil {
		t.Fatal(err)
	}
	good := func(what string, ok bool, err error) {
		t.Helper()
		if !ok || err != nil {
			t.Errorf("%s is misread, error %v", what, err)
		}
	}
	text, err := o.Text("text")
	good("text", text == "a", err)
	text, err = o.Text("null")
	good("a null text", text == "" && !o.Has("null"), err)
	text, err = o.Text("TEXT")
	good("another name", text == "" && !o.Has("TEXT"), err)
	n, err := o.Integer("number")
	good("a number", n == 7, err)
	n, err = o.Integer("digits")
	good("a number as text", n == 7, err)
	n, err = o.Integer("nothing")
	good("no number", n == 0, err)
	is, err := o.Bool("yes")
	good("true", is, err)
	is, err = o.Bool("no")
	good("false", !is, err)
	inner, err := o.Object("object")
	good("an object", inner.Has("id"), err)

	bad := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	_, err = o.Text("number")
	bad("a number as text", err)
	_, err = o.Integer("part")
	bad("a fraction", err)
	_, err = o.Integer("yes")
	bad("true as a number", err)
	_, err = o.Integer("text")
	bad("text as a number", err)
	_, err = o.Bool("text")
	bad("text as a truth", err)
	_, err = o.Bool("number")
	bad("a number as a truth", err)
	for _, name := range []string{"twice", "list", "text", "null", "nothing"} {
		_, err = o.Object(name)
		bad(name+" as an object", err)
	}
}

func TestListsAreOfObjects(t *testing.T) {
	list, err := ParseList([]byte(` [{"a":1},{"a":2}] `))
	if err != nil || len(list) != 2 {
		t.Errorf("list is %v, error %v", list, err)
	}
	for _, raw := range []string{``, `{}`, `null`, `[1]`, `[{"a":1,"a":2}]`, `[{}]]`, `[null]`} {
		if list, err := ParseList([]byte(raw)); err == nil {
			t.Errorf("%s is read as %v", raw, list)
		}
	}
}

// What is read is what every other reader of JSON reads.
func FuzzParseObject(f *testing.F) {
	for _, text := range []string{`{}`, `{"id":1}`, `{"id":1,"id":2}`, `{"a":{"b":[1,null]}}`, `[{}]`, `{"id":"7"}`, ``, `{"a":1}x`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, err := ParseObject(raw)
		if err != nil {
			if len(err.Error()) > 100 {
				t.Errorf("the error may repeat what was read: %v", err)
			}
			return
		}
		other := map[string]json.RawMessage{}
		if err := json.Unmarshal(raw, &other); err != nil {
			t.Fatalf("%q is no JSON object: %v", raw, err)
		}
		if len(o) != len(other) {
			t.Errorf("%q has %d members, another reader finds %d", raw, len(o), len(other))
		}
		for name := range o {
			_, notText := o.Text(name)
			_, notTruth := o.Bool(name)
			if o.Has(name) && notText == nil && notTruth == nil {
				t.Errorf("%q: %q is text and a truth", raw, name)
			}
			if _, notNumber := o.Integer(name); notNumber == nil && notTruth == nil && o.Has(name) {
				t.Errorf("%q: %q is a number and a truth", raw, name)
			}
		}
	})
}

func FuzzCheckProfileText(f *testing.F) {
	f.Add("Ada Lovelace")
	f.Add("line\nbreak\x00")
	f.Add(strings.Repeat("ä", 300))
	f.Add("a@b@c")
	f.Fuzz(func(t *testing.T, s string) {
		c := clean(s)
		if len(c) > maxName || strings.ContainsAny(c, "\x00\r\n\x1b") || c != strings.ToValidUTF8(c, "") {
			t.Errorf("%q is cleaned to %q", s, c)
		}
		if CheckEmail(s) && (strings.Count(s, "@") != 1 || len(s) > maxEmail) {
			t.Errorf("%q is taken for an address", s)
		}
	})
}
