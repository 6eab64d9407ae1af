package running

import (
	"errors"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"disparo/consumer/internal/contract"
)

const (
	brokerTimeout      = 10 * time.Second
	brokerCloseTimeout = 2 * time.Second
	heartbeat          = 30 * time.Second
)

// BrokerConnection is a connection to the broker, and the socket below it: closing the socket ends the connection at once.
type BrokerConnection struct {
	*amqp.Connection
	socket net.Conn
}

// ConnectBroker opens a connection to the broker. The broker shows its name to an operator.
func ConnectBroker(rabbitmqURL, name string) (*BrokerConnection, error) {
	address, err := BrokerURL(rabbitmqURL)
	if err != nil {
		return nil, err
	}
	connection, err := dialBroker(address, name)
	if err == amqp.ErrCredentials {
		// When a password is wrong, the broker closes the connection without a word. So does a broker that dies at this
		// moment: ask twice.
		connection, err = dialBroker(address, name)
	}
	if err == amqp.ErrVhost {
		err = errors.New("the broker closed the connection while it was opened")
	}
	return connection, err
}

// CloseBroker closes a connection, if there is one. A broker that does not answer must not hold up the next connection, or
// the end of the process.
func CloseBroker(connection *BrokerConnection, channels []*amqp.Channel) {
	if connection == nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer ExitOnPanic()
		// Channels first: the close of the connection may overtake the acknowledgement that a channel still holds.
		for _, channel := range channels {
			_ = channel.Close()
		}
		_ = connection.CloseDeadline(time.Now().Add(brokerCloseTimeout))
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(brokerCloseTimeout):
	}
	_ = connection.socket.Close()
}

// BrokerURL is the URL as the driver reads it. Returns a ConfigurationError for one that it cannot work with.
func BrokerURL(rabbitmqURL string) (string, error) {
	address := contract.StrictURL(rabbitmqURL)
	if _, err := contract.ParseURL(rabbitmqURL); err != nil {
		return "", Unusable("RABBITMQ_URL")
	}
	if _, err := amqp.ParseURI(address); err != nil {
		return "", Unusable("RABBITMQ_URL")
	}
	return address, nil
}

func dialBroker(address, name string) (*BrokerConnection, error) {
	var socket net.Conn
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(name)
	connection, err := amqp.DialConfig(address, amqp.Config{
		// What an operator wrote into the URL wins.
		Heartbeat:  heartbeat,
		Properties: properties,
		Dial: func(network, address string) (net.Conn, error) {
			dialed, err := net.DialTimeout(network, address, brokerTimeout)
			if err != nil {
				return nil, err
			}
			socket = dialed
			// For the handshake alone: the library removes the deadline when the connection is open.
			return dialed, dialed.SetDeadline(time.Now().Add(brokerTimeout))
		},
	})
	if err != nil {
		return nil, err
	}
	return &BrokerConnection{connection, socket}, nil
}

// Unusable says so without the words of a driver: they may quote a part of a password.
func Unusable(variable string) error {
	return &contract.ConfigurationError{Variable: variable, Problem: contract.UnusableURL}
}
