// Package tests looks at Gatehouse from outside: the built binary, real
// databases, the sources as the go command lists them.
//
// Fakes stand only for login providers that nobody can have (upstreams); a real
// OpenID provider is in oidcprovider.
//
// It owns the rules that no single room can hold (imports_test.go, size_test.go)
// and the tests of what a user meets. It holds no production code; nothing
// imports it. It may import everything.
package tests
