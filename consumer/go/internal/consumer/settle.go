package consumer

import (
	"errors"
	"maps"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Outcome is what a delivery gets, and as what it is counted: acknowledged As stored, repeated or let go, or a dead letter.
type Outcome struct {
	delivery *Delivery
	Verdict
}

// isDead tells whether the delivery gets to the dead-letter exchange.
func (v Verdict) isDead() bool { return v.Dead.Reason != "" }

// outcomeOf is what a delivery gets, from what the steps 2 to 4 saw of it. Pure.
//
//	seen in  verdict   refused in 4  gets          as
//	2, 3     a reason  -             dead letter   that reason
//	3        let_go    -             acknowledged  let_go
//	3        repeated  -             acknowledged  repeated
//	4        owed      yes           dead letter   refused_by_store
//	5        owed      no            acknowledged  stored
func outcomeOf(verdict Verdict, refused bool) Verdict {
	switch {
	case verdict.isDead() || verdict.As != Owed:
		return verdict
	case refused:
		return Verdict{Dead: DeadReason{RefusedByStore, "/ must match the validator of the collection"}}
	}
	return Verdict{As: Stored}
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
			// To acknowledge what no step has judged would lose it.
			return nil, errNoVerdict
		}
		outcomes = append(outcomes, Outcome{delivery, outcomeOf(verdict, written.refused[delivery])})
	}
	return outcomes, nil
}

// Acknowledgement is one of a delivery, or of all up to it on its channel.
type Acknowledgement struct {
	delivery *Delivery
	multiple bool
}

// acknowledgementsOf is how a batch is acknowledged: one, multiple, of the last delivery before the first that is held for
// its dead letter; behind that each alone, as an acknowledgement of all before would be one of what is held, too. Pure.
//
// held tells whether a delivery of an earlier batch is still held.
func acknowledgementsOf(outcomes []Outcome, held bool) []Acknowledgement {
	var last *Delivery
	var alone []Acknowledgement
	for _, outcome := range outcomes {
		switch {
		case outcome.isDead():
			held = true
		case held:
			alone = append(alone, Acknowledgement{outcome.delivery, false})
		default:
			last = outcome.delivery
		}
	}
	if last == nil {
		return alone
	}
	return append([]Acknowledgement{{last, true}}, alone...)
}

// settle is step 6. It acknowledges what is stored, repeated or let go, and answers the deliveries that are held for their
// dead letters. ErrInterrupted when the session broke.
func settle(queue *Queue, outcomes []Outcome) ([]Outcome, error) {
	for _, acknowledgement := range acknowledgementsOf(outcomes, queue.held.Load() > 0) {
		if err := acknowledge(queue, acknowledgement); err != nil {
			return nil, err
		}
	}
	if queue.session.interrupted.Err() != nil {
		return nil, ErrInterrupted
	}
	var dead []Outcome
	for _, outcome := range outcomes {
		if outcome.isDead() {
			dead = append(dead, outcome)
		}
	}
	queue.held.Add(int64(len(dead)))
	return dead, nil
}

// bury publishes dead letters, in their order, until the broker has them all, and acknowledges each delivery, alone, when its letter is
// confirmed. ErrInterrupted when the session broke.
func bury(queue *Queue, dead []Outcome) error {
	results := make(chan error, len(dead))
	for i, turn := range turns(len(dead)) {
		go func() {
			defer exitOnPanic()
			results <- buryOne(queue, dead[i], turn)
		}()
	}
	for range dead {
		if err := <-results; err != nil {
			return err
		}
	}
	return nil
}

func buryOne(queue *Queue, outcome Outcome, turn *Turn) error {
	session := queue.session
	letter := asItCame(outcome.delivery.message, outcome.Dead, queue.name, session.deadLetters.frameSize)
	if err := session.deadLetters.publish(session.interrupted, letter, turn); err != nil {
		session.end(err)
		return ErrInterrupted
	}
	// An acknowledgement of all before it may come between the two, and must not be one of this delivery as well.
	err := acknowledge(queue, Acknowledgement{outcome.delivery, false})
	queue.held.Add(-1)
	return err
}

// acknowledge: an acknowledgement has no answer. If it is lost, the delivery comes again and step 3 finds it stored.
func acknowledge(queue *Queue, acknowledgement Acknowledgement) error {
	session := queue.session
	if session.interrupted.Err() != nil {
		return ErrInterrupted
	}
	if err := queue.acknowledge(acknowledgement); err != nil {
		session.end(err)
		return ErrInterrupted
	}
	session.settled.Add(1)
	return nil
}

// asItCame is the message with its properties, persistent. Two are left out, as the broker acts upon them: `expiration`
// would make the dead letter vanish, and another user's `user-id` makes the broker close the channel, batch after batch.
func asItCame(message amqp.Delivery, dead DeadReason, sourceQueue string, frameMax int) amqp.Publishing {
	headers := amqp.Table{}
	maps.Copy(headers, message.Headers)
	letter := amqp.Publishing{
		Headers:         headers,
		ContentType:     message.ContentType,
		ContentEncoding: message.ContentEncoding,
		DeliveryMode:    amqp.Persistent,
		Priority:        message.Priority,
		CorrelationId:   message.CorrelationId,
		ReplyTo:         message.ReplyTo,
		MessageId:       message.MessageId,
		Timestamp:       message.Timestamp,
		Type:            message.Type,
		AppId:           message.AppId,
		Body:            message.Body,
	}
	addReason(headers, dead, sourceQueue)
	if headers.Validate() != nil || propertiesSize(letter) > frameMax {
		// The broker would close the connection for a frame above its limit, and such a message must not come again for ever.
		letter.Headers = amqp.Table{"headers_dropped": true}
		addReason(letter.Headers, dead, sourceQueue)
	}
	return letter
}

func addReason(headers amqp.Table, dead DeadReason, sourceQueue string) {
	headers["reason"] = string(dead.Reason)
	headers["detail"] = dead.Detail
	headers["source_queue"] = sourceQueue
}
