package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"
)

// Services is what the loops know of the three services.
type Services struct{ postgres, mongodb, rabbitmq *Service }

// Consumer is all that the loops need.
type Consumer struct {
	config   Config
	stores   *Stores
	services *Services
	report   *Report
	stop     Stop
	log      *slog.Logger
	// busy: something may be at hand that a drain has to finish.
	busy atomic.Bool
}

// nothing is what a statement answers that only succeeds.
type nothing = struct{}

// consume is one of the loops of a partition, batch after batch. Returns when it is told to stop or its session is gone; never for one bad message.
func (c *Consumer) consume(queue *Queue) error {
	for {
		if err := c.consumeBatch(queue); errors.Is(err, ErrInterrupted) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// consumeBatch takes one batch from start to finish. Steps as in consumer/README.md.
func (c *Consumer) consumeBatch(queue *Queue) error {
	batch, err := queue.gather() // 1
	if err != nil {
		return err
	}
	watch := startStopwatch(batch.since)
	interrupted := queue.session.interrupted
	chunks, malformed := decode(batch.deliveries)                                    // 2
	admission, written, err := c.admitAndStore(interrupted, chunks, batch.at, watch) // 3, 4
	if err != nil {
		return err
	}
	campaigns, err := timed(&watch.record, func() ([]RecordRow, error) {
		// An acknowledgement of this batch may be one of all before it.
		if err := inTurn(interrupted, batch.before); err != nil {
			return nil, err
		}
		return c.recordAndMark(interrupted, written.accepted(admission.owed)) // 5
	})
	if err != nil {
		return err
	}
	outcomes, err := outcomesOf(batch, malformed, admission.verdicts, written)
	if err != nil {
		return err
	}
	report := reportOf(queue, outcomes, written, campaigns, watch)
	dead, err := settle(queue, outcomes) // 6
	if err != nil {
		return err
	}
	close(batch.settled)
	if len(dead) == 0 {
		c.report.batch(report) // 7
		return nil
	}
	// A broker in an alarm takes no dead letter, and the batches behind are not to wait for that.
	queue.session.hold(func() error {
		_, err := timed(&watch.settle, func() (nothing, error) { return nothing{}, bury(queue, dead) })
		if err == nil {
			c.report.batch(report) // 7
		}
		return err
	})
	return nil
}

// reportOf is what is reported of a batch; its deliveries are not kept for it.
func reportOf(queue *Queue, outcomes []Outcome, written Written, campaigns []RecordRow, watch *Stopwatch) SettledBatch {
	verdicts := make([]Verdict, len(outcomes))
	for i, outcome := range outcomes {
		verdicts[i] = outcome.Verdict
	}
	return SettledBatch{queue.name, verdicts, written.stored, written.repeated, campaigns, traceparentsOf(outcomes), watch}
}

// admitAndStore is steps 3 and 4. A batch that had to wait for MongoDB is admitted again: meanwhile its campaign may be
// cancelled.
func (c *Consumer) admitAndStore(interrupted context.Context, chunks []*Delivery, now time.Time, watch *Stopwatch) (admission Admission, written Written, err error) {
	if len(chunks) == 0 {
		return admission, written, nil
	}
	for failures := 0; ; failures++ {
		admission, err = timed(&watch.admit, func() (Admission, error) {
			return untilUp(interrupted, c.services.postgres, answering(func(ctx context.Context) (Admission, error) {
				return admit(ctx, c.stores.postgres, chunks)
			}))
		})
		if err != nil || len(admission.owed) == 0 {
			return admission, written, err
		}
		done := false
		written, err = timed(&watch.store, func() (written Written, err error) {
			written, done, err = attempt(interrupted, c.services.mongodb, failures, answering(func(ctx context.Context) (Written, error) {
				return c.store(ctx, admission.owed, now)
			}))
			return written, err
		})
		if done || err != nil {
			return admission, written, err
		}
		now = time.Now()
	}
}

func (c *Consumer) store(ctx context.Context, owed []*Delivery, now time.Time) (Written, error) {
	database, err := c.stores.mongo()
	if err != nil {
		return Written{}, err
	}
	return store(ctx, database, owed, now)
}

// recordAndMark is step 5.
func (c *Consumer) recordAndMark(interrupted context.Context, stored []*Delivery) ([]RecordRow, error) {
	if len(stored) == 0 {
		return nil, nil
	}
	campaigns, err := untilUp(interrupted, c.services.postgres, answering(func(ctx context.Context) ([]RecordRow, error) {
		return record(ctx, c.stores.postgres, stored)
	}))
	if err != nil {
		return nil, err
	}
	var deleted []RecordRow
	for _, campaign := range campaigns {
		if campaign.Deleted {
			deleted = append(deleted, campaign)
		}
	}
	if len(deleted) == 0 {
		return campaigns, nil
	}
	// Not dropped with the channel: the ledger tells of a deleted campaign only this once.
	_, err = untilUp(c.stop.Working, c.services.mongodb, answering(func(ctx context.Context) (nothing, error) {
		database, err := c.stores.mongo()
		if err != nil {
			return nothing{}, err
		}
		return nothing{}, markDeleted(ctx, database, deleted)
	}))
	return campaigns, err
}
