// Command gatehouse-build builds a Caddy from a file: the release of Caddy, the
// plugins and the replacements that xcaddy.json names. In a checkout of Gatehouse
//
//	go run ./cmd/gatehouse-build
//
// makes ./gatehouse from that very checkout.
//
// The file has the JSON names of xcaddy.Builder, which the xcaddy command itself
// does not read. Where xcaddy is on the PATH and its command line can say what the
// file says, it does the work; else the same steps are done with the go command.
//
// It owns the reading of that file and both ways to build. It never builds anything
// that the file does not name, never changes the checkout, and ignores no word: a
// field it does not know is an error. Nothing imports it, and it imports nothing of
// ours and nothing but the standard library, so that it runs before anything else
// has been fetched.
package main
