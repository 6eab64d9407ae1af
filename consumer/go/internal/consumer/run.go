package consumer

import (
	"context"
	"errors"
	"math/rand/v2"

	"disparo/consumer/internal/running"
)

// batchesAtATime of one queue are under way: while one is stored, the next is gathered and admitted, and its storing begins.
const batchesAtATime = 2

// run consumes until told to stop, session after session. Returns a ConfigurationError at the start only; later only a bug.
func (c *Consumer) run() error {
	session, err := c.start()
	for failedSessions := 0; err == nil; session, err = c.openSession() {
		c.busy.Store(true)
		err = c.consumeSession(session)
		c.busy.Store(false)
		if err != nil || c.stop.Receiving.Err() != nil {
			break
		}
		// A broker that takes the connection and refuses everything after it must not be hammered.
		if failedSessions++; session.acknowledgements.Load() > 0 {
			failedSessions = 0
		}
		running.Pause(c.stop.Receiving, running.Backoff(failedSessions+1, rand.Float64()))
	}
	if errors.Is(err, running.ErrInterrupted) {
		return nil
	}
	return err
}

// start connects to all three side by side: the wrong password of one service must not wait for another service that is not
// up yet.
func (c *Consumer) start() (session *Session, err error) {
	results := make(chan error, 3)
	connect := func(action func() error) {
		go func() {
			defer running.ExitOnPanic()
			results <- action()
		}()
	}
	connect(func() (err error) {
		session, err = c.openSession()
		return err
	})
	connect(func() error {
		return running.UntilUp(c.stop.Receiving, c.services.postgres, inTime(func(ctx context.Context) error {
			return probeLedger(ctx, c.stores.postgres)
		}))
	})
	connect(func() error {
		return running.UntilUp(c.stop.Receiving, c.services.mongodb, inTime(func(ctx context.Context) error {
			return prepareMessages(ctx, c.stores)
		}))
	})
	for range 3 {
		if err := <-results; err != nil {
			return nil, err
		}
	}
	return session, nil
}

func (c *Consumer) openSession() (session *Session, err error) {
	err = running.UntilUp(c.stop.Receiving, c.services.rabbitmq, func() (err error) {
		session, err = openSession(c.config, c.stop, c.services.rabbitmq, c.log)
		return err
	})
	return session, err
}

// consumeSession consumes every partition of one session, until told to stop or the session is gone.
func (c *Consumer) consumeSession(session *Session) error {
	defer session.close()
	queues, err := c.subscribe(session)
	if err != nil {
		return err
	}
	results := make(chan error, len(queues)*batchesAtATime)
	for _, queue := range queues {
		for range batchesAtATime {
			go func() {
				defer running.ExitOnPanic()
				results <- c.consume(queue)
			}()
		}
	}
	for range cap(results) {
		if err := <-results; err != nil {
			return err
		}
	}
	session.awaitHeld()
	return nil
}

func (c *Consumer) subscribe(session *Session) ([]*Queue, error) {
	var queues []*Queue
	for _, partition := range c.config.Partitions {
		queue, err := session.subscribe(partition, c.config.PrefetchEach)
		if err != nil {
			bug := c.services.rabbitmq.Failed(err)
			session.end(err)
			return nil, bug
		}
		queues = append(queues, queue)
	}
	c.logReceiving(session, queues)
	return queues, nil
}

// logReceiving: one consumer of each queue receives; the others say that they stand by.
func (c *Consumer) logReceiving(session *Session, queues []*Queue) {
	say := func(what string, names ...string) {
		if len(names) > 0 {
			c.log.Info(what, "queues", names, "prefetch_each", c.config.PrefetchEach)
		}
	}
	var receiving, standingBy []string
	for _, queue := range queues {
		if queue.standby.isOver() {
			receiving = append(receiving, queue.name)
			continue
		}
		standingBy = append(standingBy, queue.name)
		go func() {
			defer running.ExitOnPanic()
			select {
			case <-queue.standby.over:
				say("receiving", queue.name)
			case <-session.over.Done():
			}
		}()
	}
	say("receiving", receiving...)
	say("standing by: another consumer has the queue", standingBy...)
}
