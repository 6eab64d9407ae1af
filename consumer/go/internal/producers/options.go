package producers

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"disparo/consumer/internal/contract"
)

const (
	defaultRate = 30
	mostRate    = 1_000_000
)

const usage = `usage: producers [options] [%s ...]
Publishes events of these types, all of them by default, until it is stopped.
`

// Options are what the command line says.
type Options struct {
	// Types are the names of the types, each once.
	Types []string
	// Rate is events a second, all types together.
	Rate float64
	// Bad is the share of messages that are no events, from 0 to 1.
	Bad float64
	// Duplicate is the share of messages that are an earlier event once more, from 0 to 1.
	Duplicate float64
	// Count is how many messages are published; 0 is no end.
	Count int
	// Seed decides everything but ids and times.
	Seed uint64
	SQS  bool
}

// parseOptions reads the command line; options may stand before, between and behind the types. Returns a ConfigurationError
// for what is wrong, and flag.ErrHelp when help was asked for and given.
func parseOptions(args []string) (Options, error) {
	options := Options{Rate: defaultRate, Seed: rand.Uint64() >> 32}
	flags := flag.NewFlagSet("producers", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Float64Var(&options.Rate, "rate", options.Rate, "`events` a second, all types together")
	flags.Float64Var(&options.Bad, "bad", 0, "`share` of messages that are no events, 0 to 1")
	flags.Float64Var(&options.Duplicate, "duplicate", 0, "`share` of messages that are an earlier event once more, 0 to 1")
	flags.IntVar(&options.Count, "count", 0, "`messages` in all; 0: until it is stopped")
	flags.Uint64Var(&options.Seed, "seed", options.Seed, "`number` from which all but ids and times follows")
	flags.Lookup("seed").DefValue = "any"
	flags.BoolVar(&options.SQS, "sqs", false, "to the queue of Amazon SQS in EVENTS_SQS_QUEUE, not to RabbitMQ")
	for rest := args; ; {
		if err := flags.Parse(rest); err != nil {
			return Options{}, refusedFlag(flags, err)
		}
		if rest = flags.Args(); len(rest) == 0 {
			break
		}
		options.Types = append(options.Types, rest[0])
		rest = rest[1:]
	}
	return checked(options)
}

func refusedFlag(flags *flag.FlagSet, err error) error {
	if !errors.Is(err, flag.ErrHelp) {
		return &contract.ConfigurationError{Variable: "producers", Problem: err.Error()}
	}
	flags.SetOutput(os.Stderr)
	fmt.Fprintf(os.Stderr, usage, strings.Join(typeNames, "|"))
	flags.PrintDefaults()
	return err
}

func checked(options Options) (Options, error) {
	wrong := func(name, problem string, value any) (Options, error) {
		return Options{}, &contract.ConfigurationError{Variable: name, Problem: fmt.Sprintf(problem, value)}
	}
	for i, name := range options.Types {
		if !slices.Contains(typeNames, name) {
			return wrong("producers", "there is no type \"%s\"; there are "+strings.Join(typeNames, ", "), name)
		}
		if slices.Contains(options.Types[:i], name) {
			return wrong("producers", "%s is named twice", name)
		}
	}
	if len(options.Types) == 0 {
		options.Types = typeNames
	}
	switch {
	case !(options.Rate > 0 && options.Rate <= mostRate):
		return wrong("-rate", "must be over 0 and at most 1,000,000, not %v", options.Rate)
	case !(options.Bad >= 0 && options.Bad <= 1):
		return wrong("-bad", "must be from 0 to 1, not %v", options.Bad)
	case !(options.Duplicate >= 0 && options.Bad+options.Duplicate <= 1):
		return wrong("-duplicate", "must be from 0 to what -bad leaves of 1, not %v", options.Duplicate)
	case options.Count < 0:
		return wrong("-count", "must be 0 or more, not %v", options.Count)
	}
	return options, nil
}
