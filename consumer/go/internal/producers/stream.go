package producers

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// clients are client-1 to client-3.
	clients = 3
	// recentEvents is from how many of the last events one is taken to be sent once more.
	recentEvents = 100
)

// badBody is no JSON, so that it is no event.
var badBody = []byte("Hello, I'm a bad message")

// Message is what is published. When it is published again because nobody confirmed it, nothing in it changes.
type Message struct {
	// ID is the broker's id of it, where the broker lets us choose.
	ID   string
	Body []byte
	At   time.Time
	// event is nil for a bad one.
	event *event
}

// event is the good content of one message, or of several that are the same event.
type event struct {
	body []byte
	// confirmed belongs to the tally.
	confirmed bool
}

// Envelope is an event as consumer/contract/event.v1.schema.json has it.
type Envelope struct {
	ID        string `json:"id"`
	EventType string `json:"event_type"`
	ClientID  string `json:"client_id"`
	Time      string `json:"time"`
	Message   any    `json:"message"`
}

// contents makes the message of each type.
var contents = map[string]func(*rand.Rand) any{
	"monitor-app": func(random *rand.Rand) any {
		return struct {
			Host     string  `json:"host"`
			CPU      float64 `json:"cpu"`
			MemoryMB int     `json:"memory_mb"`
		}{fmt.Sprintf("host-%d", 1+random.IntN(20)), float64(random.IntN(101)) / 100, 128 + random.IntN(16_000)}
	},
	// A string that holds JSON: the other form that a message may have.
	"user-app": func(random *rand.Rand) any {
		actions := []string{"login", "logout", "update"}
		return fmt.Sprintf(`{"user_id":"u-%d","action":"%s"}`, 1+random.IntN(10_000), actions[random.IntN(len(actions))])
	},
	"transaction-app": func(random *rand.Rand) any {
		return struct {
			TransactionID string `json:"transaction_id"`
			AmountCents   int    `json:"amount_cents"`
			Currency      string `json:"currency"`
		}{fmt.Sprintf("t-%d", random.IntN(1_000_000_000)), 1 + random.IntN(500_000), "BRL"}
	},
}

// typeNames are the types that there are, in the order of the alphabet.
var typeNames = slices.Sorted(maps.Keys(contents))

// Stream is what is published, message after message. All but ids and times follows from the seed.
type Stream struct {
	options Options
	// run begins every id: a second run with the same seed publishes other events.
	run    string
	now    func() time.Time
	random *rand.Rand
	made   int
	// recent is a ring.
	recent []*event
	events int
}

func newStream(options Options, run string, now func() time.Time) *Stream {
	return &Stream{options: options, run: run, now: now, random: rand.New(rand.NewPCG(options.Seed, 0))}
}

// next is a bad message, an earlier event once more, or a new event, by the shares of the options.
func (s *Stream) next() *Message {
	s.made++
	message := &Message{ID: fmt.Sprintf("%s-%d", s.run, s.made), At: s.now()}
	chance := s.random.Float64()
	switch {
	case chance < s.options.Bad:
		message.Body = badBody
		return message
	case chance < s.options.Bad+s.options.Duplicate && len(s.recent) > 0:
		message.event = s.recent[s.random.IntN(len(s.recent))]
	default:
		message.event = s.newEvent(message)
	}
	message.Body = message.event.body
	return message
}

func (s *Stream) newEvent(message *Message) *event {
	name := s.options.Types[s.random.IntN(len(s.options.Types))]
	body, err := json.Marshal(Envelope{
		ID:        message.ID,
		EventType: name,
		ClientID:  fmt.Sprintf("client-%d", 1+s.random.IntN(clients)),
		Time:      message.At.UTC().Format(time.RFC3339Nano),
		Message:   contents[name](s.random),
	})
	if err != nil {
		panic(err)
	}
	made := &event{body: body}
	if len(s.recent) < recentEvents {
		s.recent = append(s.recent, made)
	} else {
		s.recent[s.events%recentEvents] = made
	}
	s.events++
	return made
}
