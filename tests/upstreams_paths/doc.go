// Command upstreams_paths is the Go upstream of the path corpus: it says of each
// request, in one line of JSON on its output, which readings of its target lead to
// what is guarded, and which fields it came with.
package main
