package running

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// grace is how long the current batches may take after the first signal.
const grace = 20 * time.Second

// Stop is how this process is told to stop: two contexts, done in this order.
type Stop struct {
	// Receiving is done when no more is to be received; the current batches are finished.
	Receiving context.Context
	// Working is done when the current batches are dropped: they are delivered again.
	Working context.Context
}

// StopOnSignals ends Receiving at SIGTERM or SIGINT. The end of the grace time, or a second signal, ends Working and then
// calls forced.
func StopOnSignals(forced func()) Stop {
	receiving, stopReceiving := context.WithCancel(context.Background())
	working, stopWorking := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		defer ExitOnPanic()
		<-signals
		stopReceiving()
		select {
		case <-signals:
		case <-time.After(grace):
		}
		stopWorking()
		forced()
	}()
	return Stop{receiving, working}
}
