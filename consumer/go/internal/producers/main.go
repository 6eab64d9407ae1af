// Package producers publishes events until it is told to stop, and then says what the broker has confirmed. What an event
// is stands in consumer/contract/event.v1.schema.json.
package producers

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"disparo/consumer/internal/contract"
	"disparo/consumer/internal/cuid2"
	"disparo/consumer/internal/running"
)

// burstsASecond: the pace is kept within this part of a second. A time in which the broker was away is not made up for.
const burstsASecond = 20

// sender publishes what comes out of work until that is closed and all of it is confirmed. Returns ErrInterrupted when it is
// told to stop before anything was published, and a ConfigurationError at the start only.
type sender interface {
	send(work <-chan *Message) error
}

// Main publishes until it is told to stop, and returns the exit code.
func Main() int {
	defer running.ExitOnPanic()
	err := produce(os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return contract.ExitDrained
	}
	return running.ExitCode(err)
}

func produce(args []string, out io.Writer) error {
	options, err := parseOptions(args)
	if err != nil {
		return err
	}
	config, err := readConfigHere(options.SQS)
	if err != nil {
		return err
	}
	log := running.NewLog(os.Stderr, "producers-go", config.LogLevel)
	tally := &Tally{}
	say := sync.OnceFunc(func() { _ = json.NewEncoder(out).Encode(tally.Summary()) })
	stop := running.StopOnSignals(func() {
		log.Warn("forced to stop; what is not confirmed may be on the queue all the same")
		say()
		os.Exit(contract.ExitForced)
	})
	to, err := senderOf(config, stop, tally, log)
	if err != nil {
		return err
	}
	run := cuid2.New()
	log.Info("publishing", "types", options.Types, "events_per_second", options.Rate, "seed", options.Seed, "run", run)
	work := make(chan *Message)
	go func() {
		defer running.ExitOnPanic()
		pump(stop.Receiving, newStream(options, run, time.Now), options, work)
	}()
	if err := to.send(work); err != nil && !errors.Is(err, running.ErrInterrupted) {
		return err
	}
	say()
	return nil
}

func senderOf(config Config, stop running.Stop, tally *Tally, log *slog.Logger) (sender, error) {
	if config.SQS != nil {
		return newSQSSender(*config.SQS, stop, tally, log)
	}
	return newRabbitSender(config, stop, tally, log)
}

// pump hands out messages at the pace of the options, until there were enough or the context is done. Then it closes work.
func pump(ctx context.Context, stream *Stream, options Options, work chan<- *Message) {
	defer close(work)
	pace := rate.NewLimiter(rate.Limit(options.Rate), max(1, int(options.Rate/burstsASecond)))
	for made := 0; options.Count == 0 || made < options.Count; made++ {
		if pace.Wait(ctx) != nil {
			return
		}
		select {
		case work <- stream.next():
		case <-ctx.Done():
			return
		}
	}
}
