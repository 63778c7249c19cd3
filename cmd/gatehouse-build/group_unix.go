//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// ownGroup makes a command the head of a process group of its own and has the whole
// group interrupted when its context ends: xcaddy does not pass an interrupt on to
// the go command, nor that to the compiler.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
}

// killGroup ends what is left of a command's group.
func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}
