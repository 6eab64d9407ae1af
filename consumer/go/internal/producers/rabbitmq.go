package producers

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"

	"disparo/consumer/internal/contract"
	"disparo/consumer/internal/running"
)

const (
	appName = "disparo-producers"
	// window is how many messages are published and not confirmed, at most.
	window = 256
)

// rabbitSender publishes to RabbitMQ, session after session.
type rabbitSender struct {
	url     string
	names   contract.Topology
	stop    running.Stop
	tally   *Tally
	service *running.Service
	log     *slog.Logger
	// again has what was published and not confirmed. It goes out again before anything new, as it was.
	again []*Message
	// refused tells that the broker refuses messages, and that this was logged.
	refused bool
}

func newRabbitSender(config Config, stop running.Stop, tally *Tally, log *slog.Logger) (*rabbitSender, error) {
	if _, err := running.BrokerURL(config.RabbitmqURL); err != nil {
		return nil, err
	}
	service := &running.Service{Title: "RabbitMQ", Variable: "RABBITMQ_URL", URL: config.RabbitmqURL, Log: log}
	return &rabbitSender{url: config.RabbitmqURL, names: config.Names, stop: stop, tally: tally, service: service, log: log}, nil
}

// send publishes over a connection after the other, each time the one before is lost.
func (r *rabbitSender) send(work <-chan *Message) error {
	for failedSessions := 0; ; {
		session, err := r.open()
		if err != nil {
			return err
		}
		err = session.publishAll(work)
		r.again = append(session.close(), r.again...)
		if err == nil {
			return nil
		}
		r.service.Lost(err)
		// A broker that takes the connection and refuses everything after it must not be hammered.
		if failedSessions++; session.confirmed > 0 {
			failedSessions = 0
		}
		running.Pause(r.untilToldToStop(), running.Backoff(failedSessions+1, rand.Float64()))
	}
}

// untilToldToStop is done at the first signal, or at the end of the grace time when messages wait for their confirm.
func (r *rabbitSender) untilToldToStop() context.Context {
	if len(r.again) > 0 {
		return r.stop.Working
	}
	return r.stop.Receiving
}

func (r *rabbitSender) open() (session *rabbitSession, err error) {
	err = running.UntilUp(r.untilToldToStop(), r.service, func() (err error) {
		session, err = openRabbitSession(r)
		return err
	})
	return session, err
}

// sayRefused says once that the broker refuses messages, and once that it takes them again.
func (r *rabbitSender) sayRefused(refused bool) {
	if refused == r.refused {
		return
	}
	r.refused = refused
	if refused {
		r.log.Warn("RabbitMQ refuses events, as it does when their queue is full; they are published again")
	} else {
		r.log.Info("RabbitMQ takes events again")
	}
}

var errUnroutable = errors.New("the queue of events is gone")
