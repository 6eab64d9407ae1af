package consumer

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// grace is how long a batch at hand may take after the first signal.
const grace = 20 * time.Second

// Stop is how this process is told to stop: two contexts, done in this order.
type Stop struct {
	// Receiving is done when no more is to be received; the batch at hand is finished.
	Receiving context.Context
	// Working is done when what is at hand is interrupted: it comes again.
	Working context.Context
}

// stopOnSignals ends Receiving at SIGTERM or SIGINT; the end of the grace time or a second signal ends Working, and then
// calls forced.
func stopOnSignals(forced func()) Stop {
	receiving, stopReceiving := context.WithCancel(context.Background())
	working, stopWorking := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
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
