package producers

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

const drawn = 20_000

func streamOf(options Options, run string) *Stream {
	if options.Types == nil {
		options.Types = typeNames
	}
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.FixedZone("", -3*60*60))
	return newStream(options, run, func() time.Time { return noon })
}

func bodies(stream *Stream, count int) (all []string) {
	for range count {
		all = append(all, string(stream.next().Body))
	}
	return all
}

func TestTheSameSeedMakesTheSameMessagesAndAnotherSeedOthers(t *testing.T) {
	options := Options{Bad: 0.1, Duplicate: 0.2, Seed: 7}
	first := bodies(streamOf(options, "run"), 500)
	if again := bodies(streamOf(options, "run"), 500); !reflect.DeepEqual(first, again) {
		t.Error("another stream from the same seed")
	}
	options.Seed = 8
	if other := bodies(streamOf(options, "run"), 500); reflect.DeepEqual(first, other) {
		t.Error("the same stream from another seed")
	}
}

func TestASecondRunWithTheSameSeedIsOfOtherEvents(t *testing.T) {
	one, other := streamOf(Options{Seed: 7}, "one"), streamOf(Options{Seed: 7}, "other")
	for range 100 {
		a, b := one.next(), other.next()
		if a.ID == b.ID || strings.ReplaceAll(string(a.Body), "one-", "other-") != string(b.Body) {
			t.Fatalf("%s\n%s", a.Body, b.Body)
		}
	}
}

func TestTheSharesAreThoseOfTheOptions(t *testing.T) {
	stream := streamOf(Options{Bad: 0.11, Duplicate: 0.05, Seed: 1}, "run")
	seen, ids := map[string]bool{}, map[string]bool{}
	bad, duplicates := 0, 0
	for range drawn {
		message := stream.next()
		if ids[message.ID] {
			t.Fatal("two messages with the id", message.ID)
		}
		ids[message.ID] = true
		if string(message.Body) == "Hello, I'm a bad message" {
			bad++
		} else if seen[string(message.Body)] {
			duplicates++
		}
		seen[string(message.Body)] = true
	}
	for _, c := range []struct {
		got  int
		want float64
	}{{bad, 0.11}, {duplicates, 0.05}} {
		if math.Abs(float64(c.got)/drawn-c.want) > 0.01 {
			t.Errorf("%d of %d, wanted %v", c.got, drawn, c.want)
		}
	}
}

func TestAShareOfNothingOrOfAllIsExact(t *testing.T) {
	for _, body := range bodies(streamOf(Options{Bad: 1}, "run"), 1_000) {
		if body != "Hello, I'm a bad message" {
			t.Fatal(body)
		}
	}
	seen := map[string]bool{}
	for _, body := range bodies(streamOf(Options{}, "run"), 1_000) {
		if seen[body] || body[0] != '{' {
			t.Fatal(body)
		}
		seen[body] = true
	}
	// The first cannot be a duplicate.
	if all := bodies(streamOf(Options{Duplicate: 1}, "run"), 1_000); all[0][0] != '{' || strings.Count(fmt.Sprint(all), all[0]) != 1_000 {
		t.Error(all[:2])
	}
}

func TestOnlyTheTypesOfTheOptionsAreMadeForAllClients(t *testing.T) {
	types, clients := map[string]int{}, map[string]int{}
	for _, body := range bodies(streamOf(Options{Types: []string{"user-app", "monitor-app"}}, "run"), 3_000) {
		var envelope Envelope
		if err := json.Unmarshal([]byte(body), &envelope); err != nil {
			t.Fatal(err)
		}
		types[envelope.EventType]++
		clients[envelope.ClientID]++
	}
	if len(types) != 2 || types["user-app"] < 1_200 || types["monitor-app"] < 1_200 {
		t.Error(types)
	}
	if len(clients) != 3 || clients["client-1"] < 800 || clients["client-2"] < 800 || clients["client-3"] < 800 {
		t.Error(clients)
	}
}

func TestEachTypeHasItsShape(t *testing.T) {
	shapes := map[string]*regexp.Regexp{
		"monitor-app":     regexp.MustCompile(`^\{"host":"host-\d+","cpu":(0(\.\d+)?|1),"memory_mb":\d+\}$`),
		"user-app":        regexp.MustCompile(`^\{"user_id":"u-\d+","action":"(login|logout|update)"\}$`),
		"transaction-app": regexp.MustCompile(`^\{"transaction_id":"t-\d+","amount_cents":[1-9]\d*,"currency":"BRL"\}$`),
	}
	for _, body := range bodies(streamOf(Options{}, "run"), 1_000) {
		var envelope struct {
			ID, Time  string
			EventType string `json:"event_type"`
			Message   json.RawMessage
		}
		if err := json.Unmarshal([]byte(body), &envelope); err != nil {
			t.Fatal(err)
		}
		content := string(envelope.Message)
		if envelope.EventType == "user-app" {
			if err := json.Unmarshal(envelope.Message, &content); err != nil {
				t.Fatal("not a string:", body)
			}
		}
		if !shapes[envelope.EventType].MatchString(content) || envelope.Time != "2026-11-30T15:00:00Z" || !strings.HasPrefix(envelope.ID, "run-") {
			t.Fatal(body)
		}
	}
}
