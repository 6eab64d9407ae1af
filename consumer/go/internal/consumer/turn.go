package consumer

import (
	"context"
	"sync"

	"disparo/consumer/internal/running"
)

// Turn is a place in a row, like that of a batch in its queue: each batch is settled after the one before.
type Turn struct {
	before <-chan struct{}
	passed chan struct{}
	once   sync.Once
}

// firstTurn is the first in its row; it waits for no other.
func firstTurn() *Turn {
	before := make(chan struct{})
	close(before)
	return &Turn{before: before, passed: make(chan struct{})}
}

// next is the place behind this one.
func (t *Turn) next() *Turn {
	return &Turn{before: t.passed, passed: make(chan struct{})}
}

// wait waits until the one before has passed. One that was dropped never passes. ErrInterrupted when the context is done.
func (t *Turn) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return running.ErrInterrupted
	case <-t.before:
		return nil
	}
}

// pass: it is done, the one behind may go on. Only the first time counts.
func (t *Turn) pass() { t.once.Do(func() { close(t.passed) }) }
