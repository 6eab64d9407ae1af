package consumer

import (
	"context"
	"sync"
)

// Turn is a place in a row, as that of a batch among those of its queue: each is settled after the one before.
type Turn struct {
	before <-chan struct{}
	passed chan struct{}
	once   sync.Once
}

// firstTurn is the first in its row; it waits for nobody.
func firstTurn() *Turn {
	before := make(chan struct{})
	close(before)
	return &Turn{before: before, passed: make(chan struct{})}
}

// next is the place behind this one.
func (t *Turn) next() *Turn {
	return &Turn{before: t.passed, passed: make(chan struct{})}
}

// wait waits until the one before has passed, which one that was dropped never does. ErrInterrupted when the context is done.
func (t *Turn) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ErrInterrupted
	case <-t.before:
		return nil
	}
}

// pass: it is done, the one behind may go on. Only the first time counts.
func (t *Turn) pass() { t.once.Do(func() { close(t.passed) }) }
