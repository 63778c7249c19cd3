// Command bare is Caddy with its standard modules and nothing else: what the guard
// is measured against.
package main
