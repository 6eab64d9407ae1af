package consumer

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"disparo/consumer/internal/contract"
)

const (
	// slowConfirm: after that long without a confirm it is said, once, that dead letters wait.
	slowConfirm = 10 * time.Second
	// questionKey: no queue is bound to it; what is published there is confirmed and dropped.
	questionKey = "does-the-broker-take-messages"
)

// question has a byte in it: a broker in an alarm lets the header of a message pass, and stops at its body.
var question = amqp.Publishing{Body: []byte("?")}

// DeadLetters is the way to the dead-letter exchange, on a connection of its own: a broker in an alarm blocks a connection
// that publishes, and nothing could be acknowledged on it any more.
//
// A letter goes out only after the broker has confirmed a question that no queue gets. In an alarm the question waits in the
// socket and not the letter, so a process that ends meanwhile leaves no copy behind of a delivery that comes again.
type DeadLetters struct {
	channel   *amqp.Channel
	names     contract.Topology
	frameSize int
	log       *slog.Logger

	mutex    sync.Mutex
	answer   *Answer
	saidSlow bool
}

// Answer is what the broker says to one question, for all that wait for it.
type Answer struct {
	done  chan struct{}
	taken bool
	err   error
}

// Turn keeps the letters of a batch in its order: each is sent behind the one before, and none waits for another's confirm.
type Turn struct {
	before <-chan struct{}
	sent   chan struct{}
	once   sync.Once
}

// turns are those of a batch, the first of which waits for nobody.
func turns(count int) []*Turn {
	before := make(chan struct{})
	close(before)
	all := make([]*Turn, count)
	for i := range all {
		all[i] = &Turn{before: before, sent: make(chan struct{})}
		before = all[i].sent
	}
	return all
}

func (t *Turn) pass() { t.once.Do(func() { close(t.sent) }) }

// publish returns when the broker has it, however long that takes. ErrInterrupted when the session is gone before.
func (d *DeadLetters) publish(interrupted context.Context, letter amqp.Publishing, turn *Turn) error {
	defer turn.pass()
	slow := time.AfterFunc(slowConfirm, func() { d.sayThatTheyWait(interrupted) })
	defer slow.Stop()
	for failures := 1; ; failures++ {
		taken, err := d.try(interrupted, letter, turn)
		if err != nil {
			return err
		}
		if taken {
			d.sayThatTheyAreTaken()
			return nil
		}
		pause(interrupted, backoff(failures, rand.Float64()))
	}
}

// try answers false when the broker refused it, as a full queue does: it is not there, and is published again.
func (d *DeadLetters) try(interrupted context.Context, letter amqp.Publishing, turn *Turn) (bool, error) {
	answer := d.ask(interrupted)
	select {
	case <-answer.done:
	case <-interrupted.Done():
	}
	if interrupted.Err() != nil {
		return false, ErrInterrupted
	}
	if answer.err != nil || !answer.taken {
		return false, answer.err
	}
	select {
	case <-turn.before:
	case <-interrupted.Done():
		return false, ErrInterrupted
	}
	confirmation, err := d.channel.PublishWithDeferredConfirm(d.names.DeadLetterExchange(), "", false, false, letter)
	turn.pass()
	return confirmed(interrupted, confirmation, err)
}

func (d *DeadLetters) ask(interrupted context.Context) *Answer {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.answer != nil {
		return d.answer
	}
	answer := &Answer{done: make(chan struct{})}
	d.answer = answer
	go func() {
		defer exitOnPanic()
		confirmation, err := d.channel.PublishWithDeferredConfirm(d.names.CampaignExchange(), questionKey, false, false, question)
		answer.taken, answer.err = confirmed(interrupted, confirmation, err)
		d.mutex.Lock()
		d.answer = nil
		d.mutex.Unlock()
		close(answer.done)
	}()
	return answer
}

// confirmed waits for what has been published, or was not.
func confirmed(interrupted context.Context, confirmation *amqp.DeferredConfirmation, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	taken, err := confirmation.WaitContext(interrupted)
	if err != nil {
		return false, ErrInterrupted
	}
	return taken, nil
}

func (d *DeadLetters) sayThatTheyWait(interrupted context.Context) {
	defer exitOnPanic()
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.saidSlow || interrupted.Err() != nil {
		return
	}
	d.saidSlow = true
	d.log.Warn("RabbitMQ takes no dead letters at present: they wait, and all else goes on")
}

func (d *DeadLetters) sayThatTheyAreTaken() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.saidSlow {
		d.log.Info("RabbitMQ takes dead letters again")
	}
	d.saidSlow = false
}
