package contract

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	files "disparo/contract"
)

type exchangeTemplate struct {
	Name    string
	Type    string
	Durable bool
}

type queueTemplate struct {
	Name       string
	RoutingKey string `json:"routing_key"`
	Durable    bool
	Arguments  map[string]any
}

var template = func() (parsed struct {
	Exchange   exchangeTemplate
	Queue      queueTemplate
	DeadLetter struct {
		Exchange exchangeTemplate
		Queue    queueTemplate
	} `json:"dead_letter"`
	// QueueTypes is what every queue has in addition to its own arguments, by the word in QUEUE_TYPE.
	QueueTypes map[string]map[string]any `json:"queue_types"`
}) {
	if err := json.Unmarshal(files.TopologyJSON, &parsed); err != nil {
		panic(err)
	}
	return parsed
}()

// eventsTemplate is the one exchange and the one queue of events.
var eventsTemplate = func() (parsed struct {
	Exchange exchangeTemplate
	Queue    queueTemplate
}) {
	if err := json.Unmarshal(files.EventsTopologyJSON, &parsed); err != nil {
		panic(err)
	}
	return parsed
}()

// queueTypes are the words that QUEUE_TYPE may have.
var queueTypes = slices.Sorted(maps.Keys(template.QueueTypes))

// Topology has the names on the broker that topology.json gives for a prefix.
type Topology struct {
	Prefix string
	// Partitions is how many queues there are, numbered from 0.
	Partitions int
	// Type is one of queueTypes; when it is empty the vhost's default decides.
	Type string
}

// Queue is the name of a partition's queue.
func (t Topology) Queue(partition int) string { return t.fill(template.Queue.Name, partition) }

// CampaignExchange is where chunks are published.
func (t Topology) CampaignExchange() string { return t.fill(template.Exchange.Name, 0) }

// DeadLetterExchange is where dead letters are published.
func (t Topology) DeadLetterExchange() string { return t.fill(template.DeadLetter.Exchange.Name, 0) }

// Declare makes exchanges, queues and bindings, all durable and with identical arguments in every app, so that the app that
// starts first on an empty broker creates them. Idempotent. When one exists with other arguments, or a queue with another
// type, the broker refuses with 406 and closes the channel.
func (t Topology) Declare(channel *amqp.Channel) error {
	dead := template.DeadLetter
	if err := t.declareExchange(channel, dead.Exchange); err != nil {
		return err
	}
	if err := t.declareQueue(channel, dead.Queue, dead.Exchange, 0); err != nil {
		return err
	}
	if err := t.declareExchange(channel, template.Exchange); err != nil {
		return err
	}
	for partition := range t.Partitions {
		if err := t.declareQueue(channel, template.Queue, template.Exchange, partition); err != nil {
			return err
		}
	}
	return nil
}

// EventsExchange is where events are published, under EventsRoutingKey.
func (t Topology) EventsExchange() string { return t.fill(eventsTemplate.Exchange.Name, 0) }

// EventsRoutingKey is the key that the queue of events is bound to.
func (t Topology) EventsRoutingKey() string { return t.fill(eventsTemplate.Queue.RoutingKey, 0) }

// DeclareEvents makes the exchange and the queue of events. Idempotent, and refused with 406, as Declare is.
func (t Topology) DeclareEvents(channel *amqp.Channel) error {
	if err := t.declareExchange(channel, eventsTemplate.Exchange); err != nil {
		return err
	}
	return t.declareQueue(channel, eventsTemplate.Queue, eventsTemplate.Exchange, 0)
}

func (t Topology) declareExchange(channel *amqp.Channel, exchange exchangeTemplate) error {
	return channel.ExchangeDeclare(t.fill(exchange.Name, 0), exchange.Type, exchange.Durable, false, false, false, nil)
}

func (t Topology) declareQueue(channel *amqp.Channel, queue queueTemplate, exchange exchangeTemplate, partition int) error {
	arguments := amqp.Table{}
	for _, of := range []map[string]any{queue.Arguments, template.QueueTypes[t.Type]} {
		for key, value := range of {
			arguments[key] = t.argument(value, partition)
		}
	}
	name := t.fill(queue.Name, partition)
	if _, err := channel.QueueDeclare(name, queue.Durable, false, false, false, arguments); err != nil {
		return err
	}
	return channel.QueueBind(name, t.fill(queue.RoutingKey, partition), t.fill(exchange.Name, partition), false, nil)
}

// argument is a value of JSON as the broker takes it: where it wants a whole number it refuses a double.
func (t Topology) argument(value any, partition int) any {
	switch value := value.(type) {
	case string:
		return t.fill(value, partition)
	case float64:
		return int64(value)
	}
	return value
}

func (t Topology) fill(text string, partition int) string {
	// One pass: a placeholder within a prefix is not filled.
	return strings.NewReplacer("{prefix}", t.Prefix, "{partition}", strconv.Itoa(partition)).Replace(text)
}
