package consumer

import (
	"errors"

	"disparo/consumer/internal/running"
)

// Outcome is what a delivery gets, and what it is counted as: acknowledged As stored, repeated or let go, or a dead letter.
type Outcome Verdict

// isDead tells whether the delivery becomes a dead letter.
func (o Outcome) isDead() bool { return o.Dead.Reason != "" }

// outcomeOf is what a delivery gets, from what steps 2 to 4 saw of it. Pure.
//
//	seen in  verdict   refused in 4  gets          as
//	2, 3     a reason  -             dead letter   that reason
//	3        let_go    -             acknowledged  let_go
//	3        repeated  -             acknowledged  repeated
//	4        owed      yes           dead letter   refused_by_store
//	5        owed      no            acknowledged  stored
func outcomeOf(verdict Verdict, refused bool) Outcome {
	switch {
	case verdict.As != Owed:
		return Outcome(verdict)
	case refused:
		return Outcome{Dead: DeadReason{RefusedByStore, "mongodb 121"}}
	}
	return Outcome{As: Stored}
}

var errNoVerdict = errors.New("a delivery without a verdict")

// outcomesOf is the outcome of each delivery of a batch, in the order of the queue.
func outcomesOf(batch Batch, malformed, admitted map[*Delivery]Verdict, written Written) ([]Outcome, error) {
	outcomes := make([]Outcome, 0, len(batch.deliveries))
	for _, delivery := range batch.deliveries {
		verdict, found := malformed[delivery]
		if !found {
			verdict, found = admitted[delivery]
		}
		if !found {
			// Acknowledging a delivery that no step has judged would lose it.
			return nil, errNoVerdict
		}
		outcomes = append(outcomes, outcomeOf(verdict, written.refused[delivery]))
	}
	return outcomes, nil
}

// Acknowledgement is one of a delivery, or of all up to it on its channel.
type Acknowledgement struct {
	delivery *Delivery
	multiple bool
}

// acknowledgementsOf returns the acknowledgements of a batch. One, `multiple`, is of the last delivery before the first that
// is held for its dead letter. Each one behind that is acknowledged alone: `multiple` would acknowledge what is held, too.
// Pure.
//
// held tells whether a delivery of an earlier batch is still held.
func acknowledgementsOf(deliveries []*Delivery, outcomes []Outcome, held bool) []Acknowledgement {
	var last *Delivery
	var alone []Acknowledgement
	for i, outcome := range outcomes {
		switch {
		case outcome.isDead():
			held = true
		case held:
			alone = append(alone, Acknowledgement{deliveries[i], false})
		default:
			last = deliveries[i]
		}
	}
	if last == nil {
		return alone
	}
	return append([]Acknowledgement{{last, true}}, alone...)
}

// settle is step 6. It acknowledges what is stored, repeated or let go, and returns what is held until its dead letter is
// confirmed. ErrInterrupted when the session broke.
func settle(queue *Queue, deliveries []*Delivery, outcomes []Outcome) ([]DeadLetter, error) {
	for _, one := range acknowledgementsOf(deliveries, outcomes, queue.held.Load() > 0) {
		if err := queue.acknowledge(one.delivery, one.multiple); err != nil {
			return nil, err
		}
	}
	if queue.session.interrupted.Err() != nil {
		return nil, running.ErrInterrupted
	}
	var dead []DeadLetter
	for i, outcome := range outcomes {
		if outcome.isDead() {
			dead = append(dead, DeadLetter{deliveries[i], outcome.Dead})
		}
	}
	queue.held.Add(int64(len(dead)))
	return dead, nil
}

// publishDead publishes dead letters, in their order, until the broker has them all. Acknowledges each delivery alone, when
// its dead letter is confirmed. ErrInterrupted when the session broke.
func publishDead(queue *Queue, dead []DeadLetter) error {
	results := make(chan error, len(dead))
	turn := firstTurn()
	for _, deadLetter := range dead {
		mine := turn
		go func() {
			defer running.ExitOnPanic()
			results <- publishOneDead(queue, deadLetter, mine)
		}()
		turn = turn.next()
	}
	for range dead {
		if err := <-results; err != nil {
			return err
		}
	}
	return nil
}

func publishOneDead(queue *Queue, deadLetter DeadLetter, turn *Turn) error {
	if err := queue.session.deadLetters.publish(deadLetter, queue.name, turn); err != nil {
		queue.session.end(err)
		return running.ErrInterrupted
	}
	// Acknowledged first, then counted down: in the other order, a `multiple` acknowledgement between the two would include
	// this delivery.
	err := queue.acknowledge(deadLetter.delivery, false)
	queue.held.Add(-1)
	return err
}
