package main

import (
	"slices"
	"testing"
)

func TestWords(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"  \t ", nil},
		{"-v", []string{"-v"}},
		{" -tags  a,b\t-v ", []string{"-tags", "a,b", "-v"}},
		{"-ldflags '-w -s' -v", []string{"-ldflags", "-w -s", "-v"}},
		{`-ldflags="-X 'main.a=b c'"`, []string{"-ldflags=-X 'main.a=b c'"}},
		{`a\ b "c\"d" 'e\f'`, []string{"a b", `c"d`, `e\f`}},
		{`"" ''`, []string{"", ""}},
		{`a""b`, []string{"ab"}},
		{"a#b", []string{"a#b"}},
	} {
		got, err := words(tc.text)
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%q: got %q, %v; want %q", tc.text, got, err, tc.want)
		}
	}
	for _, bad := range []string{`'`, `"a`, `a\`, "-v #x", `"a\"`} {
		if got, err := words(bad); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

// What -print shows can be pasted into a shell: quoting and splitting are inverse.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{"", "-v", `-ldflags '-w -s'`, `"a\"b" c\ d`, `'it'\''s'`, "#", "a\u00e9 ' '"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := words(text)
		if err != nil {
			return
		}
		again, err := words(line(list...))
		if err != nil || !slices.Equal(list, again) {
			t.Fatalf("%q: %q became %q, %v", text, list, again, err)
		}
	})
}

func TestNearest(t *testing.T) {
	known := []string{"arch", "arm", "build_flags", "cgo", "embed_dir", "mod_flags", "os", "plugins", "skip_build", "skip_cleanup"}
	for name, want := range map[string]string{
		"plugin": "plugins", "embed_dirs": "embed_dir", "skip-build": "skip_build", "skipCleanUp": "skip_cleanup",
		"goarch": "arch", "ACH": "arch", "dependencies": "plugins", "x": "", "": "", "something": "",
	} {
		if got := nearest(bare(name), known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
