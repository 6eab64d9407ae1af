package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"disparo/consumer/internal/contract"
	"disparo/consumer/internal/cuid2"
	"disparo/consumer/internal/running"
)

// Queue is one partition on one channel: where its batches come from and where they are settled.
type Queue struct {
	name    string
	session *Session
	channel *amqp.Channel
	inbox   *Inbox
	// standby tells whether another consumer has it.
	standby *Standby
	// held is how many deliveries wait, unacknowledged, for their dead letter. The prefetch bounds it.
	held atomic.Int64
}

// gather is step 1.
func (q *Queue) gather() (batch Batch, over bool) { return q.inbox.gather() }

// acknowledge acknowledges a delivery, or all up to it on the channel. The broker does not confirm an acknowledgement: if it
// is lost, the message is delivered again and step 3 finds it stored. ErrInterrupted when the session is gone.
func (q *Queue) acknowledge(delivery *Delivery, multiple bool) error {
	if q.session.interrupted.Err() != nil {
		return running.ErrInterrupted
	}
	if err := q.channel.Ack(delivery.message.DeliveryTag, multiple); err != nil {
		q.session.end(err)
		return running.ErrInterrupted
	}
	q.session.acknowledgements.Add(1)
	return nil
}

// Session is two connections to the broker with everything on them: one receives and acknowledges, one is for dead letters.
// When any part of it breaks, the whole session ends.
type Session struct {
	names      contract.Topology
	receiving  *running.BrokerConnection
	publishing *running.BrokerConnection
	// channels are the channels of its queues.
	channels    []*amqp.Channel
	deadLetters *DeadLetters
	// holding is what waits for dead letters.
	holding sync.WaitGroup
	stop    running.Stop
	service *running.Service
	log     *slog.Logger
	// interrupted is done when the current batches are to be dropped: the session is gone, or working is over.
	interrupted context.Context
	// over is done when no further batch is to be gathered.
	over    context.Context
	cancel  func()
	gone    sync.Once
	closing atomic.Bool
	// acknowledgements is how many this session has sent.
	acknowledgements atomic.Int64
}

// openSession connects and declares. Returns what the broker refuses.
func openSession(config Config, stop running.Stop, service *running.Service, log *slog.Logger) (*Session, error) {
	names := contract.Topology{Prefix: config.QueuePrefix, Partitions: config.QueuePartitions, Type: config.QueueType}
	session := &Session{names: names, stop: stop, service: service, log: log}
	interrupted, cancelInterrupted := context.WithCancel(stop.Working)
	over, cancelOver := context.WithCancel(stop.Receiving)
	session.interrupted, session.over = interrupted, over
	session.cancel = func() { cancelInterrupted(); cancelOver() }
	if err := session.connect(config.RabbitmqURL); err != nil {
		session.close()
		return nil, err
	}
	return session, nil
}

func (s *Session) connect(rabbitmqURL string) (err error) {
	if s.receiving, err = running.ConnectBroker(rabbitmqURL, appName); err != nil {
		return err
	}
	if err := declare(s.receiving.Connection, s.names); err != nil {
		return err
	}
	if s.publishing, err = running.ConnectBroker(rabbitmqURL, appName); err != nil {
		return err
	}
	confirming, err := s.publishing.Channel()
	if err != nil {
		return err
	}
	if err := confirming.Confirm(false); err != nil {
		return err
	}
	frameMax := s.publishing.Config.FrameSize
	s.deadLetters = &DeadLetters{channel: confirming, names: s.names, interrupted: s.interrupted, frameMax: frameMax, log: s.log}
	go s.watch(s.receiving.NotifyClose(make(chan *amqp.Error, 1)), "connection closed")
	go s.watch(s.publishing.NotifyClose(make(chan *amqp.Error, 1)), "connection closed")
	go s.watch(confirming.NotifyClose(make(chan *amqp.Error, 1)), "channel closed")
	return nil
}

// subscribe begins to receive from a partition.
func (s *Session) subscribe(partition, prefetch int) (*Queue, error) {
	name, tag := s.names.Queue(partition), cuid2.New()
	channel, err := s.receiving.Channel()
	if err != nil {
		return nil, err
	}
	s.channels = append(s.channels, channel)
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	if err := channel.Qos(prefetch, 0, false); err != nil {
		return nil, err
	}
	deliveries, err := channel.Consume(name, tag, false, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	queue := &Queue{name: name, session: s, channel: channel, inbox: newInbox(prefetch, s.over), standby: newStandby()}
	go s.receive(deliveries, closed, queue)
	context.AfterFunc(s.over, func() {
		defer running.ExitOnPanic()
		if s.interrupted.Err() == nil && !s.closing.Load() {
			_ = channel.Cancel(tag, false)
		}
	})
	consumers := func() (int, error) {
		found, err := channel.QueueDeclarePassive(name, true, false, false, false, nil)
		return found.Consumers, err
	}
	count, err := consumers()
	if err != nil {
		return nil, err
	}
	if count == 1 {
		queue.standby.end()
	}
	go queue.standby.watch(consumers, s.over)
	return queue, nil
}

// hold runs work that is not settled yet; only the end of the session waits for it. ErrInterrupted does not count as a
// failure.
func (s *Session) hold(work func() error) {
	s.holding.Go(func() {
		defer running.ExitOnPanic()
		if err := work(); err != nil && !errors.Is(err, running.ErrInterrupted) {
			panic(err)
		}
	})
}

// awaitHeld waits until nothing is held any more, or the session is interrupted.
func (s *Session) awaitHeld() {
	released := make(chan struct{})
	go func() {
		defer running.ExitOnPanic()
		s.holding.Wait()
		close(released)
	}()
	select {
	case <-released:
	case <-s.interrupted.Done():
	}
}

// end ends the session: the current batches are dropped. Only the first reason counts.
func (s *Session) end(err error) {
	if s.closing.Load() {
		return
	}
	s.gone.Do(func() {
		s.service.Lost(err)
		s.cancel()
	})
}

// close closes what is left of it; what was fetched and not acknowledged goes back to the queue.
func (s *Session) close() {
	s.closing.Store(true)
	s.cancel()
	var closing sync.WaitGroup
	closing.Go(func() {
		defer running.ExitOnPanic()
		running.CloseBroker(s.receiving, s.channels)
	})
	closing.Go(func() {
		defer running.ExitOnPanic()
		running.CloseBroker(s.publishing, nil)
	})
	closing.Wait()
}

// receive takes what is delivered as fast as it comes.
func (s *Session) receive(deliveries <-chan amqp.Delivery, closed <-chan *amqp.Error, queue *Queue) {
	defer running.ExitOnPanic()
	for message := range deliveries {
		queue.standby.end()
		queue.inbox.push(message)
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
	defer running.ExitOnPanic()
	s.end(reasonOr(<-closed, what))
}

func reasonOr(err *amqp.Error, what string) error {
	if err == nil {
		return errors.New(what)
	}
	return err
}
