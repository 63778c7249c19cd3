// Command gatehouse is Caddy with the Gatehouse plugin built in, for those who do
// not build with xcaddy. It takes every command that `caddy` takes.
package main
