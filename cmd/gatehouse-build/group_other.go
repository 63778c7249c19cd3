//go:build !unix

package main

import "os/exec"

// ownGroup leaves a command as it is: there are no process groups here, and a
// command whose context ends is killed alone.
func ownGroup(*exec.Cmd) {}

func killGroup(*exec.Cmd) {}
