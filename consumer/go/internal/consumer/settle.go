package consumer

import (
	"context"
	"errors"
	"maps"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const confirmTimeout = 10 * time.Second

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

// settle is step 6. Dead letters, confirmed, then one acknowledgement for the batch. ErrInterrupted when the session broke.
func settle(queue *Queue, outcomes []Outcome) error {
	session := queue.session
	if session.interrupted.Err() != nil {
		return ErrInterrupted
	}
	err := publishDeadLetters(session, queue.name, outcomes)
	if err == nil && session.interrupted.Err() == nil {
		// An acknowledgement has no answer. If it is lost, the deliveries come again and step 3 finds them stored.
		err = queue.acknowledgeUpTo(outcomes[len(outcomes)-1].delivery.message)
	}
	if err != nil {
		session.end(err)
	}
	if session.interrupted.Err() != nil {
		return ErrInterrupted
	}
	session.settled.Add(1)
	return nil
}

func publishDeadLetters(session *Session, sourceQueue string, outcomes []Outcome) error {
	var letters []amqp.Publishing
	for _, outcome := range outcomes {
		if outcome.isDead() {
			letters = append(letters, asItCame(outcome.delivery.message, outcome.Dead, sourceQueue, session.connection.Config.FrameSize))
		}
	}
	if len(letters) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(session.interrupted, confirmTimeout, errors.New("a dead letter was not confirmed in time"))
	defer cancel()
	// Beside the deadline: a broker that takes no more publishes lets the write itself wait.
	confirmed := make(chan error, 1)
	go func() {
		defer exitOnPanic()
		confirmed <- publishConfirmed(ctx, session, letters)
	}()
	select {
	case err := <-confirmed:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func publishConfirmed(ctx context.Context, session *Session, letters []amqp.Publishing) error {
	exchange := session.names.DeadLetterExchange()
	confirmations := make([]*amqp.DeferredConfirmation, len(letters))
	for i, letter := range letters {
		confirmation, err := session.deadLetters.PublishWithDeferredConfirm(exchange, "", false, false, letter)
		if err != nil {
			return err
		}
		confirmations[i] = confirmation
	}
	for _, confirmation := range confirmations {
		taken, err := confirmation.WaitContext(ctx)
		if err != nil {
			return context.Cause(ctx)
		}
		if !taken {
			return errors.New("the broker did not take a dead letter")
		}
	}
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
