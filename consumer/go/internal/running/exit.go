package running

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"disparo/consumer/internal/contract"
)

// ExitOnPanic gives a bug its exit code: Go's own is 2. Every goroutine and every callback that runs in one begins
// by deferring it.
func ExitOnPanic() {
	if bug := recover(); bug != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", bug, debug.Stack())
		os.Exit(contract.ExitBug)
	}
}

// ExitCode returns the exit code of a process that ended with this error or none. What it ended with is said in one line.
func ExitCode(err error) int {
	if err == nil {
		return contract.ExitDrained
	}
	var configuration *contract.ConfigurationError
	if errors.As(err, &configuration) {
		fmt.Fprintln(os.Stderr, configuration)
		return contract.ExitConfiguration
	}
	fmt.Fprintln(os.Stderr, err)
	return contract.ExitBug
}
