package consumer

import (
	amqp "github.com/rabbitmq/amqp091-go"

	"disparo/consumer/internal/contract"
)

// declare makes the topology on a channel of its own: a refusal closes that channel.
func declare(connection *amqp.Connection, names contract.Topology) error {
	declaring, err := connection.Channel()
	if err != nil {
		return err
	}
	if err := names.Declare(declaring); err != nil {
		return err
	}
	return declaring.Close()
}
