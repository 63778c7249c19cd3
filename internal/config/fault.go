package config

import (
	"fmt"
	"strings"
)

// Fault is one thing wrong with a configuration.
type Fault struct {
	// Path of the JSON field, such as realms[0].clients[1].secrets[0]. What is
	// missing is found at the path it should have.
	Path string
	// Message says what is wrong and what to mend. It quotes no secret.
	Message string
}

// String is the path and the message.
func (f Fault) String() string {
	if f.Path == "" {
		return f.Message
	}
	return f.Path + ": " + f.Message
}

// Faults are all things wrong with a configuration.
type Faults []Fault

// Error lists the faults, one per line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the faults as an error, nil if there are none.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// checker gathers faults.
type checker struct {
	faults   Faults
	expanded bool // placeholders have been replaced: what looks like one is none
}

func (ck *checker) fault(path, format string, args ...any) {
	ck.faults = append(ck.faults, Fault{Path: path, Message: fmt.Sprintf(format, args...)})
}
