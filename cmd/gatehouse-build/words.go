package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// meant maps names that people write, since other tools or pages use them, to ours.
var meant = map[string]string{
	"caddy": "caddy_version", "dependencies": "plugins", "with": "plugins", "modules": "plugins",
	"module": "module_path", "packagepath": "module_path", "path": "module_path",
	"replace": "replacements", "goos": "os", "goarch": "arch", "goarm": "arm", "cgoenabled": "cgo",
	"race": "race_detector", "pgo": "pgo_profile", "embed": "embed_dir", "embeddirs": "embed_dir",
	"goflags": "build_flags", "gobuildflags": "build_flags", "gomodflags": "mod_flags",
}

// codeOnly are the fields of Builder that have no JSON form.
var codeOnly = map[string]bool{"onstep": true, "env": true, "secrets": true, "redactcredentials": true}

// unknownField says what is wrong with a field's name and, if that is near, what was
// meant.
func unknownField(path, name string, known []string) string {
	plain := bare(name)
	if path == "" && codeOnly[plain] {
		return fmt.Sprintf("%q is for programs that call xcaddy.Builder themselves; a file cannot say it", name)
	}
	if path == "" && (plain == "output" || plain == "out") {
		return fmt.Sprintf("unknown field %q; the flag -output names the binary", name)
	}
	text := fmt.Sprintf("unknown field %q", clip(name))
	if path != "" {
		text += " in " + path
	}
	if near := nearest(plain, known); near != "" {
		return text + fmt.Sprintf("; did you mean %q?", near)
	}
	return text + "; there are " + strings.Join(known, ", ")
}

// nearest returns the known name that was probably meant, or "".
func nearest(plain string, known []string) string {
	if len(plain) > 64 {
		return ""
	}
	best, limit := "", min(2, (len(plain)-1)/2)
	for _, k := range known {
		if k == meant[plain] || bare(k) == plain {
			return k
		}
		if d := distance(plain, bare(k)); d <= limit {
			best, limit = k, d-1
		}
	}
	return best
}

// bare is a name without case and without what joins its words.
func bare(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}

// distance counts the letters to insert, delete or change to make a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// words splits flags as a shell does: at blanks, with '...', "..." and \. It splits
// as xcaddy does, so that a file means the same with and without it: inside double
// quotes a backslash stands before any character. Where xcaddy would begin a
// comment, or would drop the flags since they cannot be split, words refuses.
func words(s string) ([]string, error) {
	var (
		list   []string
		word   strings.Builder
		inWord bool
		quote  rune // ' or " inside a quotation
		escape bool // the last character was a backslash
	)
	for _, c := range s {
		switch {
		case escape:
			word.WriteRune(c)
			escape = false
		case c == '\\' && quote != '\'':
			escape, inWord = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == ' ' || c == '\t':
			if inWord {
				list = append(list, word.String())
			}
			word.Reset()
			inWord = false
		case c == '#' && !inWord:
			return nil, errors.New("a word that begins with # would be a comment; put it in quotes")
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	switch {
	case escape:
		return nil, errors.New("a backslash at the end stands before nothing")
	case quote != 0:
		return nil, fmt.Errorf("a quotation that begins with %c does not end", quote)
	case inWord:
		list = append(list, word.String())
	}
	return list, nil
}

// quoted writes a word so that a shell reads it as it is.
func quoted(word string) string {
	plain := func(c rune) bool {
		return c < unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c)) || strings.ContainsRune("@%+=:,./_-", c)
	}
	if word != "" && !strings.ContainsFunc(word, func(c rune) bool { return !plain(c) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// line writes a command line that a shell can read.
func line(words ...string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = quoted(w)
	}
	return strings.Join(q, " ")
}
