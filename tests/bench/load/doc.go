// Command load compares requests through a guarded Gatehouse with requests through a
// bare Caddy, by processor time: what a guard costs, and what the shipped binary's
// settings give back. It builds what it measures, serves upstream and issuer itself,
// all on loopback, and prints a table in Markdown.
//
//	go run ./tests/bench/load                    every workload
//	go run ./tests/bench/load -w W1,W2 -rounds 20 -secs 1
//
// Each round measures every peer in turn, and ratios are taken within a round: on a
// machine that does other things as well, only these say anything. It needs Linux, whose
// /proc tells a process's processor time.
package main
