package consumer

import (
	"context"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"disparo/consumer/internal/running"
)

const (
	// maxBatchNumbers is how many numbers a batch brings at most, unless a single delivery brings more.
	maxBatchNumbers = 10_000
	// linger is how long a batch that is not full waits for more, once.
	linger = 2 * time.Millisecond
)

// Batch is the deliveries that were buffered together, in the order of the queue.
type Batch struct {
	deliveries []*Delivery
	// since is when the first of them was there: idle time is no part of a batch.
	since      time.Time
	gatheredAt time.Time
	// turn is its place among the batches of the queue.
	turn *Turn
}

// Inbox has the deliveries of one queue that were fetched and not gathered yet. The prefetch bounds it.
type Inbox struct {
	prefetch int
	// over is done when no further batch is to be gathered.
	over context.Context
	// gathering is held while gathering: the first caller gets the batch that is first in the queue.
	gathering sync.Mutex
	turn      *Turn

	mutex      sync.Mutex
	deliveries []*Delivery
	// arrived has an entry when something came since it was last looked at.
	arrived chan struct{}
}

// newInbox is empty. At most prefetch deliveries make a batch.
func newInbox(prefetch int, over context.Context) *Inbox {
	return &Inbox{prefetch: prefetch, over: over, turn: firstTurn(), arrived: make(chan struct{}, 1)}
}

// push never blocks: the library hands over one delivery at a time, and a batch is what has come meanwhile.
func (i *Inbox) push(message amqp.Delivery) {
	i.mutex.Lock()
	i.deliveries = append(i.deliveries, &Delivery{message: message})
	i.mutex.Unlock()
	select {
	case i.arrived <- struct{}{}:
	default:
	}
}

// gather is step 1. It waits for at least one delivery. It is over when no further batch is to be gathered; what is fetched
// then goes back to the queue.
func (i *Inbox) gather() (batch Batch, over bool) {
	i.gathering.Lock()
	defer i.gathering.Unlock()
	for len(i.buffered()) == 0 {
		select {
		case <-i.over.Done():
			return Batch{}, true
		case <-i.arrived:
		}
	}
	since := time.Now()
	if !i.isFull() {
		running.Pause(i.over, linger)
	}
	if i.over.Err() != nil {
		return Batch{}, true
	}
	turn := i.turn
	i.turn = turn.next()
	return Batch{i.take(i.fitting(i.buffered())), since, time.Now(), turn}, false
}

func (i *Inbox) buffered() []*Delivery {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return i.deliveries
}

func (i *Inbox) take(count int) []*Delivery {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	taken := i.deliveries[:count:count]
	i.deliveries = append([]*Delivery(nil), i.deliveries[count:]...)
	return taken
}

func (i *Inbox) isFull() bool {
	deliveries := i.buffered()
	return len(deliveries) >= i.prefetch || i.fitting(deliveries) < len(deliveries)
}

// fitting is how many deliveries from the front make a batch. One that would exceed the limit of numbers waits for the next
// batch.
func (i *Inbox) fitting(deliveries []*Delivery) int {
	numbers := 0
	most := min(len(deliveries), i.prefetch)
	for count, delivery := range deliveries[:most] {
		if numbers += delivery.numbers(); numbers > maxBatchNumbers {
			return max(1, count)
		}
	}
	return most
}
