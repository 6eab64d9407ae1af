package consumer

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"disparo/consumer/internal/contract"
	"disparo/consumer/internal/cuid2"
)

const closeTimeout = 2 * time.Second

// Queue is one partition on one channel: where its batches come from and where they are settled.
type Queue struct {
	name    string
	session *Session
	channel *amqp.Channel
	waiting *Waiting
}

// gather is step 1.
func (q *Queue) gather() (Batch, error) { return q.waiting.gather() }

// acknowledgeUpTo acknowledges this message and all before it on the channel.
func (q *Queue) acknowledgeUpTo(message amqp.Delivery) error {
	return q.channel.Ack(message.DeliveryTag, true)
}

// Session is one connection to the broker with all that hangs on it. Whatever breaks of it ends the whole of it.
type Session struct {
	config      Config
	names       contract.Topology
	connection  *amqp.Connection
	socket      net.Conn
	deadLetters *amqp.Channel
	// channels are all that are to be closed before the connection.
	channels []*amqp.Channel
	stop     Stop
	onGone   func(error)
	// interrupted is done when a batch at hand is to be dropped: the session is gone, or working is over.
	interrupted context.Context
	// over is done when no further batch is to be gathered.
	over    context.Context
	cancel  func()
	gone    sync.Once
	closing atomic.Bool
	// settled is how many batches were settled here.
	settled atomic.Int64
}

// openSession connects and declares. Answers what the broker refuses.
func openSession(config Config, stop Stop, onGone func(error)) (*Session, error) {
	connection, socket, err := connectBroker(config.RabbitmqURL)
	if err != nil {
		return nil, err
	}
	names := contract.Topology{Prefix: config.QueuePrefix, Partitions: config.QueuePartitions}
	session := &Session{config: config, names: names, connection: connection, socket: socket, stop: stop, onGone: onGone}
	interrupted, cancelInterrupted := context.WithCancel(stop.Working)
	over, cancelOver := context.WithCancel(stop.Receiving)
	session.interrupted, session.over = interrupted, over
	session.cancel = func() { cancelInterrupted(); cancelOver() }
	if err := session.declare(); err != nil {
		session.close()
		return nil, err
	}
	return session, nil
}

// declare makes the topology on a channel of its own, which a refusal closes, and opens the one for dead letters.
func (s *Session) declare() error {
	declaring, err := s.connection.Channel()
	if err != nil {
		return err
	}
	if err := s.names.Declare(declaring); err != nil {
		return err
	}
	if err := declaring.Close(); err != nil {
		return err
	}
	if s.deadLetters, err = s.connection.Channel(); err != nil {
		return err
	}
	s.channels = append(s.channels, s.deadLetters)
	if err := s.deadLetters.Confirm(false); err != nil {
		return err
	}
	go s.watch(s.connection.NotifyClose(make(chan *amqp.Error, 1)), "connection closed")
	go s.watch(s.deadLetters.NotifyClose(make(chan *amqp.Error, 1)), "channel closed")
	return nil
}

// subscribe begins to receive from a partition.
func (s *Session) subscribe(partition int) (*Queue, error) {
	name, tag := s.names.Queue(partition), cuid2.New()
	channel, err := s.connection.Channel()
	if err != nil {
		return nil, err
	}
	s.channels = append(s.channels, channel)
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	if err := channel.Qos(s.config.PrefetchEach, 0, false); err != nil {
		return nil, err
	}
	deliveries, err := channel.Consume(name, tag, false, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	waiting := newWaiting(s.over, s.config.PrefetchEach)
	go s.receive(deliveries, closed, waiting)
	context.AfterFunc(s.over, func() {
		if s.interrupted.Err() == nil && !s.closing.Load() {
			_ = channel.Cancel(tag, false)
		}
	})
	return &Queue{name, s, channel, waiting}, nil
}

// receive takes what is delivered as fast as it comes.
func (s *Session) receive(deliveries <-chan amqp.Delivery, closed <-chan *amqp.Error, waiting *Waiting) {
	defer exitOnPanic()
	for message := range deliveries {
		waiting.push(message)
	}
	select {
	case err := <-closed:
		s.end(reasonOr(err, "channel closed"))
	default:
		// We cancelled it ourselves, or the broker did, as when somebody deletes the queue.
		if s.stop.Receiving.Err() == nil {
			s.end(errors.New("the broker cancelled the consumer"))
		}
	}
}

func (s *Session) watch(closed <-chan *amqp.Error, what string) {
	defer exitOnPanic()
	s.end(reasonOr(<-closed, what))
}

func reasonOr(err *amqp.Error, what string) error {
	if err == nil {
		return errors.New(what)
	}
	return err
}

// end: the session is over, what is at hand is dropped. Only the first reason counts.
func (s *Session) end(err error) {
	if s.closing.Load() {
		return
	}
	s.gone.Do(func() {
		s.onGone(err)
		s.cancel()
	})
}

// close closes what is left of it; what was fetched and not acknowledged goes back to the queue. A broker that does not
// answer must not hold up the next connection, or the end of the process.
func (s *Session) close() {
	s.closing.Store(true)
	s.cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Channels first: the close of the connection may overtake the acknowledgement that a channel still holds.
		for _, channel := range s.channels {
			_ = channel.Close()
		}
		_ = s.connection.CloseDeadline(time.Now().Add(closeTimeout))
	}()
	select {
	case <-done:
	case <-time.After(closeTimeout):
	}
	_ = s.socket.Close()
}
