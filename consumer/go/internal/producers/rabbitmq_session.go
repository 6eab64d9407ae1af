package producers

import (
	"errors"
	"math/rand/v2"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"disparo/consumer/internal/running"
)

// published is a message that waits for its confirm.
type published struct {
	message *Message
	// confirmation is nil when it could not be written.
	//
	// The library's other way, a channel of confirmations, tells an `ack` of several for one among them that was refused
	// before.
	confirmation *amqp.DeferredConfirmation
}

// rabbitSession is one connection, with what waits for a confirm on it.
type rabbitSession struct {
	*rabbitSender
	connection *running.BrokerConnection
	channel    *amqp.Channel
	closed     <-chan *amqp.Error
	// returned is what no queue took. The library writes a return there before the confirm of the same message is done.
	returned   <-chan amqp.Return
	unroutable map[string]bool
	inFlight   []published
	// resume fires when refused messages may be published again; nil when nothing waits for it.
	resume <-chan time.Time
	// refusals is how often in a row.
	refusals  int
	confirmed int
}

// openRabbitSession connects and declares. Returns what the broker refuses.
func openRabbitSession(sender *rabbitSender) (*rabbitSession, error) {
	connection, err := running.ConnectBroker(sender.url, appName)
	if err != nil {
		return nil, err
	}
	session := &rabbitSession{rabbitSender: sender, connection: connection, unroutable: map[string]bool{}}
	if err := session.prepare(); err != nil {
		session.close()
		return nil, err
	}
	return session, nil
}

func (s *rabbitSession) prepare() (err error) {
	if s.channel, err = s.connection.Channel(); err != nil {
		return err
	}
	s.closed = s.channel.NotifyClose(make(chan *amqp.Error, 1))
	s.returned = s.channel.NotifyReturn(make(chan amqp.Return, window))
	if err := s.names.DeclareEvents(s.channel); err != nil {
		return err
	}
	return s.channel.Confirm(false)
}

// publishAll publishes what is to be published again, then what comes out of work. Returns nil when work is closed and all
// is confirmed, and else why the session is over.
func (s *rabbitSession) publishAll(work <-chan *Message) error {
	for {
		for s.resume == nil && len(s.again) > 0 {
			message := s.again[0]
			s.again = s.again[1:]
			if err := s.publish(message); err != nil {
				return err
			}
		}
		if work == nil && len(s.again)+len(s.inFlight) == 0 {
			return nil
		}
		var more <-chan *Message
		if s.resume == nil && len(s.inFlight) < window {
			more = work
		}
		select {
		case message, open := <-more:
			if !open {
				work = nil
			} else if err := s.publish(message); err != nil {
				return err
			}
		case <-s.oldest():
			if err := s.settleOldest(); err != nil {
				return err
			}
		case <-s.resume:
			s.resume = nil
		case err := <-s.closed:
			return closedBy(err)
		}
	}
}

func (s *rabbitSession) publish(message *Message) error {
	confirmation, err := s.channel.PublishWithDeferredConfirm(s.names.EventsExchange(), s.names.EventsRoutingKey(), true, false, amqp.Publishing{
		ContentType:  "application/json",
		DeliveryMode: amqp.Persistent,
		MessageId:    message.ID,
		Timestamp:    message.At,
		Body:         message.Body,
	})
	s.inFlight = append(s.inFlight, published{message, confirmation})
	return err
}

// oldest is done when the first in flight is confirmed or refused. The broker confirms nearly in order, so the others wait
// hardly longer for their turn.
func (s *rabbitSession) oldest() <-chan struct{} {
	if len(s.inFlight) == 0 {
		return nil
	}
	return s.inFlight[0].confirmation.Done()
}

// settleOldest counts the first in flight, or keeps it to be published again: one that was refused after a wait, one that
// no queue has over another session, which declares the queue.
func (s *rabbitSession) settleOldest() error {
	first := s.inFlight[0]
	s.inFlight = s.inFlight[1:]
	if s.isStored(first) {
		s.count(first.message)
		s.refusals = 0
		s.sayRefused(false)
		return nil
	}
	s.again = append(s.again, first.message)
	if s.unroutable[first.message.ID] {
		return errUnroutable
	}
	// When a connection breaks, the library has everything on it refused.
	if s.channel.IsClosed() {
		return closedBy(nil)
	}
	s.sayRefused(true)
	if s.resume == nil {
		s.refusals++
		s.resume = time.After(running.Backoff(s.refusals, rand.Float64()))
	}
	return nil
}

// isStored tells whether the broker has it in the queue: confirmed, and not returned.
func (s *rabbitSession) isStored(one published) bool {
	if one.confirmation == nil || !one.confirmation.Acked() {
		return false
	}
	for {
		select {
		case returned, open := <-s.returned:
			if !open {
				return !s.unroutable[one.message.ID]
			}
			s.unroutable[returned.MessageId] = true
		default:
			return !s.unroutable[one.message.ID]
		}
	}
}

func (s *rabbitSession) count(message *Message) {
	s.confirmed++
	s.tally.confirm(message)
}

// close closes it, and returns what is not confirmed.
func (s *rabbitSession) close() (unconfirmed []*Message) {
	running.CloseBroker(s.connection, nil)
	for _, one := range s.inFlight {
		if s.isStored(one) {
			s.count(one.message)
		} else {
			unconfirmed = append(unconfirmed, one.message)
		}
	}
	return unconfirmed
}

func closedBy(err *amqp.Error) error {
	if err == nil {
		return errors.New("connection closed")
	}
	return err
}
