package producers

import (
	"errors"
	"flag"
	"reflect"
	"strings"
	"testing"

	"disparo/consumer/internal/contract"
)

func TestOptionsMayStandBeforeBetweenAndBehindTheTypes(t *testing.T) {
	want := Options{Types: []string{"monitor-app", "user-app"}, Rate: 1000, Bad: 0.11, Duplicate: 0.05, Count: 10, Seed: 3, SQS: true}
	for _, line := range []string{
		"monitor-app user-app -rate 1000 -bad 0.11 -duplicate 0.05 -count 10 -seed 3 -sqs",
		"--rate=1000 monitor-app --bad=.11 -duplicate 0.05 user-app -count=10 -seed 3 --sqs",
	} {
		if got, err := parseOptions(strings.Fields(line)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v %v", line, got, err)
		}
	}
}

func TestWithoutOptionsAllTypesArePublishedWithoutAnEnd(t *testing.T) {
	got, err := parseOptions(nil)
	got.Seed = 0
	if want := (Options{Types: []string{"monitor-app", "transaction-app", "user-app"}, Rate: 30}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestAWrongOptionIsNamed(t *testing.T) {
	for line, name := range map[string]string{
		"-rate 0":                   "-rate",
		"-rate -1":                  "-rate",
		"-rate NaN":                 "-rate",
		"-rate 1000001":             "-rate",
		"-bad 1.1":                  "-bad",
		"-bad NaN":                  "-bad",
		"-bad -0.1":                 "-bad",
		"-bad 0.6 -duplicate 0.5":   "-duplicate",
		"-duplicate -1":             "-duplicate",
		"-count -1":                 "-count",
		"-count x":                  "producers",
		"-nothing":                  "producers",
		"order-app":                 "producers",
		"monitor-app monitor-app":   "producers",
		"monitor-app -rate 5 other": "producers",
	} {
		var refused *contract.ConfigurationError
		if _, err := parseOptions(strings.Fields(line)); !errors.As(err, &refused) || refused.Variable != name {
			t.Errorf("%s: %v", line, err)
		}
	}
	if _, err := parseOptions([]string{"-help"}); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
}

func TestOnlyTheKeysOfItsBrokerAreNeeded(t *testing.T) {
	config, err := readConfig(contract.Environment{"RABBITMQ_URL": "amqp://h", "QUEUE_TYPE": "quorum"}, false)
	want := Config{LogLevel: "info", RabbitmqURL: "amqp://h", Names: contract.Topology{Prefix: "disparo", Type: "quorum"}}
	if err != nil || config != want {
		t.Errorf("%+v %v", config, err)
	}
	config, err = readConfig(contract.Environment{"EVENTS_SQS_QUEUE": "q", "SQS_ENDPOINT": "http://127.0.0.1:1"}, true)
	if err != nil || *config.SQS != (SQSConfig{Queue: "q", Region: "sa-east-1", Endpoint: "http://127.0.0.1:1"}) {
		t.Errorf("%+v %v", config.SQS, err)
	}
	for _, c := range []struct {
		sqs  bool
		env  contract.Environment
		name string
	}{
		{false, contract.Environment{}, "RABBITMQ_URL"},
		{false, contract.Environment{"RABBITMQ_URL": "amqp://h", "QUEUE_PREFIX": "a b"}, "QUEUE_PREFIX"},
		{false, contract.Environment{"RABBITMQ_URL": "amqp://h", "QUEUE_TYPE": "stream"}, "QUEUE_TYPE"},
		{false, contract.Environment{"RABBITMQ_URL": "amqp://h", "LOG_LEVEL": "loud"}, "LOG_LEVEL"},
		{true, contract.Environment{"RABBITMQ_URL": "amqp://h"}, "EVENTS_SQS_QUEUE"},
		{true, contract.Environment{"EVENTS_SQS_QUEUE": "a b"}, "EVENTS_SQS_QUEUE"},
		{true, contract.Environment{"EVENTS_SQS_QUEUE": "q", "SQS_ENDPOINT": "127.0.0.1:1"}, "SQS_ENDPOINT"},
	} {
		var refused *contract.ConfigurationError
		if _, err := readConfig(c.env, c.sqs); !errors.As(err, &refused) || refused.Variable != c.name {
			t.Errorf("%v: %v", c.env, err)
		}
	}
}
