package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"disparo/consumer/internal/running"
)

// Services is what the loops know of the three services.
type Services struct{ postgres, mongodb, rabbitmq *running.Service }

// Consumer is all that the loops need.
type Consumer struct {
	config   Config
	stores   *Stores
	services *Services
	report   *Report
	stop     running.Stop
	log      *slog.Logger
	// busy: there may be batches that a drain has to finish.
	busy atomic.Bool
}

// consume is one of the loops of a partition, batch after batch. Returns when it is told to stop or its session is gone;
// never for one bad message.
func (c *Consumer) consume(queue *Queue) error {
	for {
		over, err := c.consumeBatch(queue)
		if over || errors.Is(err, running.ErrInterrupted) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// consumeBatch takes one batch from start to finish. Steps as in consumer/README.md. It is over when there will be no
// further batch.
func (c *Consumer) consumeBatch(queue *Queue) (over bool, err error) {
	batch, over := queue.gather() // 1
	if over {
		return true, nil
	}
	watch := newStopwatch(batch.since)
	interrupted := queue.session.interrupted
	chunks, malformed := decode(batch.deliveries)                                            // 2
	admission, written, err := c.admitAndStore(interrupted, chunks, batch.gatheredAt, watch) // 3, 4
	if err != nil {
		return false, err
	}
	var campaigns []RecordRow
	err = watch.time(&watch.record, func() (err error) {
		// An acknowledgement of this batch may include all batches before it.
		if err := batch.turn.wait(interrupted); err != nil {
			return err
		}
		campaigns, err = c.recordAndMark(interrupted, written.accepted(admission.owed)) // 5
		return err
	})
	if err != nil {
		return false, err
	}
	outcomes, err := outcomesOf(batch, malformed, admission.verdicts, written)
	if err != nil {
		return false, err
	}
	// Its deliveries are not kept for the report.
	settled := SettledBatch{queue.name, outcomes, written.stored, written.repeated, campaigns, traceparentsOf(batch.deliveries), watch}
	dead, err := settle(queue, batch.deliveries, outcomes) // 6
	if err != nil {
		return false, err
	}
	batch.turn.pass()
	if len(dead) == 0 {
		c.report.batch(settled) // 7
		return false, nil
	}
	// A broker in an alarm accepts no dead letters, and the batches behind this one must not wait for that.
	queue.session.hold(func() error {
		err := watch.time(&watch.settle, func() error { return publishDead(queue, dead) })
		if err == nil {
			c.report.batch(settled) // 7
		}
		return err
	})
	return false, nil
}

// admitAndStore is steps 3 and 4. A batch that had to wait for MongoDB is admitted again: its campaign may have been
// cancelled meanwhile.
func (c *Consumer) admitAndStore(interrupted context.Context, chunks []*Delivery, now time.Time, watch *Stopwatch) (admission Admission, written Written, err error) {
	if len(chunks) == 0 {
		return admission, written, nil
	}
	for failures := 0; ; failures++ {
		err = watch.time(&watch.admit, func() error {
			return running.UntilUp(interrupted, c.services.postgres, inTime(func(ctx context.Context) (err error) {
				admission, err = admit(ctx, c.stores.postgres, chunks)
				return err
			}))
		})
		if err != nil || len(admission.owed) == 0 {
			return admission, written, err
		}
		var up bool
		err = watch.time(&watch.store, func() (err error) {
			up, err = running.Attempt(interrupted, c.services.mongodb, failures, func() (err error) {
				written, err = store(c.stores, admission.owed, now)
				return err
			})
			return err
		})
		if up || err != nil {
			return admission, written, err
		}
		now = time.Now()
	}
}

// recordAndMark is step 5.
func (c *Consumer) recordAndMark(interrupted context.Context, stored []*Delivery) (campaigns []RecordRow, err error) {
	if len(stored) == 0 {
		return nil, nil
	}
	err = running.UntilUp(interrupted, c.services.postgres, inTime(func(ctx context.Context) (err error) {
		campaigns, err = record(ctx, c.stores.postgres, stored)
		return err
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
	return campaigns, running.UntilUp(c.stop.Working, c.services.mongodb, inTime(func(ctx context.Context) error {
		return markDeleted(ctx, c.stores, deleted)
	}))
}
