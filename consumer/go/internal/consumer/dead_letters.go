package consumer

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"disparo/consumer/internal/contract"
	"disparo/consumer/internal/running"
)

const (
	// slowConfirm: after this long without a confirm, one warning says that dead letters wait.
	slowConfirm = 10 * time.Second
	// questionKey: no queue is bound to it; what is published there is confirmed and dropped.
	questionKey = "does-the-broker-take-messages"
)

// question has one byte: a broker in an alarm lets the header of a message pass, and stops at its body.
var question = amqp.Publishing{Body: []byte("?")}

// DeadLetter is a delivery that becomes a dead letter, and why.
type DeadLetter struct {
	delivery *Delivery
	reason   DeadReason
}

// DeadLetters is the way to the dead-letter exchange, on a connection of its own: a broker in an alarm blocks a connection
// that publishes, and nothing could be acknowledged on it any more.
//
// A dead letter goes out only after the broker has confirmed a question that no queue gets. In an alarm the question waits
// in the socket, not the dead letter. So a process that ends meanwhile leaves no copy of a message that is delivered again.
type DeadLetters struct {
	channel *amqp.Channel
	names   contract.Topology
	// interrupted is done when the session is gone: nothing more is published, as the messages are delivered again.
	interrupted context.Context
	// frameMax is the size of a frame, at most, as it was agreed with the broker.
	frameMax int
	log      *slog.Logger

	mutex         sync.Mutex
	answer        *Answer
	loggedWaiting bool
}

// Answer is what the broker says to one question, for all that wait for it.
type Answer struct {
	done  chan struct{}
	taken bool
	err   error
}

// publish returns when the broker has it, however long that takes. It is sent in its turn, and does not wait for the
// confirms of those before. ErrInterrupted when the session is gone before.
func (d *DeadLetters) publish(deadLetter DeadLetter, sourceQueue string, turn *Turn) error {
	defer turn.pass()
	slow := time.AfterFunc(slowConfirm, d.logWaiting)
	defer slow.Stop()
	publishing := asItCame(deadLetter.delivery.message, deadLetter.reason, sourceQueue, d.frameMax)
	for failures := 1; ; failures++ {
		taken, err := d.publishOnce(publishing, turn)
		if err != nil {
			return err
		}
		if taken {
			d.logAccepted()
			return nil
		}
		running.Pause(d.interrupted, running.Backoff(failures, rand.Float64()))
	}
}

// publishOnce returns false when the broker refused it or its question, as it does when a queue is full: it is not there,
// and is published again.
func (d *DeadLetters) publishOnce(publishing amqp.Publishing, turn *Turn) (taken bool, err error) {
	answer := d.ask()
	select {
	case <-answer.done:
	case <-d.interrupted.Done():
	}
	if d.interrupted.Err() != nil {
		return false, running.ErrInterrupted
	}
	if answer.err != nil || !answer.taken {
		return false, answer.err
	}
	if err := turn.wait(d.interrupted); err != nil {
		return false, err
	}
	confirmation, err := d.channel.PublishWithDeferredConfirm(d.names.DeadLetterExchange(), "", false, false, publishing)
	turn.pass()
	return d.confirmed(confirmation, err)
}

// ask returns the answer to the question that is under way, or to a new one.
func (d *DeadLetters) ask() *Answer {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.answer != nil {
		return d.answer
	}
	answer := &Answer{done: make(chan struct{})}
	d.answer = answer
	go func() {
		defer running.ExitOnPanic()
		confirmation, err := d.channel.PublishWithDeferredConfirm(d.names.CampaignExchange(), questionKey, false, false, question)
		answer.taken, answer.err = d.confirmed(confirmation, err)
		d.mutex.Lock()
		d.answer = nil
		d.mutex.Unlock()
		close(answer.done)
	}()
	return answer
}

// confirmed waits for the confirm of what was published; err is what publishing returned.
func (d *DeadLetters) confirmed(confirmation *amqp.DeferredConfirmation, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	taken, err := confirmation.WaitContext(d.interrupted)
	if err != nil {
		return false, running.ErrInterrupted
	}
	return taken, nil
}

func (d *DeadLetters) logWaiting() {
	defer running.ExitOnPanic()
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.loggedWaiting || d.interrupted.Err() != nil {
		return
	}
	d.loggedWaiting = true
	d.log.Warn("RabbitMQ does not accept dead letters; they wait, and everything else continues")
}

func (d *DeadLetters) logAccepted() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.loggedWaiting {
		d.log.Info("RabbitMQ accepts dead letters again")
	}
	d.loggedWaiting = false
}

// asItCame is the message with its properties, persistent. Two are left out, because the broker acts on them: `expiration`
// would make the dead letter vanish, and another user's `user-id` makes the broker close the channel, batch after batch.
func asItCame(message amqp.Delivery, dead DeadReason, sourceQueue string, frameMax int) amqp.Publishing {
	headers := amqp.Table{}
	maps.Copy(headers, message.Headers)
	publishing := amqp.Publishing{
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
	if headers.Validate() != nil || propertiesSize(publishing) > frameMax {
		// The broker would close the connection for a frame above its limit, and would deliver the message again for ever.
		publishing.Headers = amqp.Table{"headers_dropped": true}
		addReason(publishing.Headers, dead, sourceQueue)
	}
	return publishing
}

func addReason(headers amqp.Table, dead DeadReason, sourceQueue string) {
	headers["reason"] = string(dead.Reason)
	headers["detail"] = dead.Detail
	headers["source_queue"] = sourceQueue
}
