package consumer

import (
	"context"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// maxBatchNumbers is how many numbers a batch brings at most, unless a single delivery brings more.
	maxBatchNumbers = 10_000
	// linger is how long a batch that is not full waits for more, once.
	linger = 2 * time.Millisecond
)

// Batch is what was at hand together, in the order of the queue.
type Batch struct {
	deliveries []*Delivery
	// since is when the first of them was at hand: idle time is no part of a batch.
	since time.Time
	// at is when it was gathered.
	at time.Time
	// before is closed when the batch before is settled; never, when that one was dropped.
	before <-chan struct{}
	// settled is to be closed when this one is settled.
	settled chan<- struct{}
}

// Waiting is what was fetched and not yet gathered, on one channel. The prefetch bounds it.
type Waiting struct {
	prefetch int
	// over is done when no more is to be gathered here.
	over context.Context
	// gathering is held by who gathers: who asks first gets the batch that is first in the queue.
	gathering sync.Mutex
	before    chan struct{}

	mutex      sync.Mutex
	deliveries []*Delivery
	// arrived has an entry when something came since it was last looked at.
	arrived chan struct{}
}

func newWaiting(over context.Context, prefetch int) *Waiting {
	before := make(chan struct{})
	close(before)
	return &Waiting{prefetch: prefetch, over: over, before: before, arrived: make(chan struct{}, 1)}
}

// push never blocks: the library hands over one delivery at a time, and a batch is what has come meanwhile.
func (w *Waiting) push(message amqp.Delivery) {
	w.mutex.Lock()
	w.deliveries = append(w.deliveries, &Delivery{message: message})
	w.mutex.Unlock()
	select {
	case w.arrived <- struct{}{}:
	default:
	}
}

// gather is step 1. It waits for at least one delivery. It is over when no further batch is to be gathered; what is fetched
// then goes back to the queue.
func (w *Waiting) gather() (batch Batch, over bool) {
	w.gathering.Lock()
	defer w.gathering.Unlock()
	for len(w.atHand()) == 0 {
		select {
		case <-w.over.Done():
			return Batch{}, true
		case <-w.arrived:
		}
	}
	since := time.Now()
	if atHand := w.atHand(); len(atHand) < w.prefetch && w.fitting(atHand) == len(atHand) {
		pause(w.over, linger)
	}
	if w.over.Err() != nil {
		return Batch{}, true
	}
	before, settled := w.before, make(chan struct{})
	w.before = settled
	return Batch{w.take(w.fitting(w.atHand())), since, time.Now(), before, settled}, false
}

func (w *Waiting) atHand() []*Delivery {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.deliveries
}

func (w *Waiting) take(count int) []*Delivery {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	taken := w.deliveries[:count:count]
	w.deliveries = append([]*Delivery(nil), w.deliveries[count:]...)
	return taken
}

// fitting is how many from the front make a batch: one that goes over the numbers waits for the next.
func (w *Waiting) fitting(deliveries []*Delivery) int {
	numbers := 0
	most := min(len(deliveries), w.prefetch)
	for count, delivery := range deliveries[:most] {
		if numbers += delivery.numbers(); numbers > maxBatchNumbers {
			return max(1, count)
		}
	}
	return most
}
