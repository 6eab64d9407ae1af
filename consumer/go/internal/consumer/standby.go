package consumer

import (
	"context"
	"sync"
	"time"

	"disparo/consumer/internal/running"
)

// askEvery is how often a consumer that stands by asks whether it is alone.
const askEvery = time.Second

// Standby tells whether another consumer has the queue, and this one stands by. The broker does not say which is the active
// one: a delivery proves it, and so does a queue that has no other consumer.
type Standby struct {
	once sync.Once
	// over is closed when this consumer is the active one.
	over chan struct{}
}

func newStandby() *Standby { return &Standby{over: make(chan struct{})} }

func (s *Standby) isOver() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// end: this consumer is the active one; only the first time counts.
func (s *Standby) end() { s.once.Do(func() { close(s.over) }) }

// watch asks how many consumers the queue has until this is the only one, or the session is over.
func (s *Standby) watch(consumers func() (int, error), session context.Context) {
	defer running.ExitOnPanic()
	for !s.isOver() && session.Err() == nil {
		count, err := consumers()
		// A channel that breaks ends the session, which says so.
		if err != nil {
			return
		}
		if count == 1 {
			s.end()
			return
		}
		running.Pause(session, askEvery)
	}
}
