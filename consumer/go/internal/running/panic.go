package running

import (
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
