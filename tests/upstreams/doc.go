// Command upstreams serves the fake upstream logins of the tests on loopback ports,
// for people who try the examples without registering an app anywhere:
//
//	go run ./tests/upstreams
//
// prints the addresses, the clients and the users. Logging in takes one click on a
// name; nothing is protected, so it listens on loopback addresses only. It ends with
// an interrupt.
package main
