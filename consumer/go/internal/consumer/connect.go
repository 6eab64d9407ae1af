package consumer

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.mongodb.org/mongo-driver/v2/mongo"

	files "disparo/contract"

	"disparo/consumer/internal/contract"
)

const (
	appName = "disparo-consumer"
	// Enough for the two batches of a queue and for health; further queues wait.
	postgresConnections = 4
	connectTimeout      = 5 * time.Second
	// answerTimeout: a store whose answer takes longer counts as down, and the batch is retried.
	answerTimeout      = 30 * time.Second
	brokerTimeout      = 10 * time.Second
	brokerCloseTimeout = 2 * time.Second
	heartbeat          = 30 * time.Second
)

// Stores are the two stores. Nothing is connected before the first statement.
type Stores struct {
	postgres   *pgxpool.Pool
	mongodbURL string

	mutex  sync.Mutex
	client *mongo.Client
}

// openStores makes the clients. Returns a ConfigurationError for a URL that its driver cannot read.
func openStores(config Config) (*Stores, error) {
	stores := &Stores{mongodbURL: config.MongodbURL}
	pool, err := openPostgres(config.DatabaseURL)
	if err != nil {
		return nil, unusable("DATABASE_URL")
	}
	stores.postgres = pool
	// The client itself is made when it connects: an SRV record is looked up then, and that may wait for a name server.
	if err := checkMongoURL(config.MongodbURL); err != nil {
		return nil, unusable("MONGODB_URL")
	}
	if _, err := brokerURL(config.RabbitmqURL); err != nil {
		return nil, err
	}
	return stores, nil
}

// mongo returns the database of the messages.
func (s *Stores) mongo() (*mongo.Database, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	name, err := contract.MessagesDatabase(s.mongodbURL)
	if err != nil {
		return nil, err
	}
	if s.client == nil {
		client, err := openMongo(s.mongodbURL)
		if err != nil {
			return nil, err
		}
		s.client = client
	}
	return s.client.Database(name), nil
}

func (s *Stores) close(ctx context.Context) {
	s.postgres.Close()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.client != nil {
		_ = s.client.Disconnect(ctx)
	}
}

// probeLedger is the first success of PostgreSQL: it answers, and the ledger is there. No row is touched.
func probeLedger(ctx context.Context, postgres *pgxpool.Pool) error {
	for _, statement := range []string{files.AdmitSQL, files.RecordStoredSQL} {
		if _, err := postgres.Exec(ctx, statement, []string{}, []int32{}); err != nil {
			return passwordMissing(postgres, err)
		}
	}
	return nil
}

// passwordMissing tells a missing password from a wrong one: pgx sends an empty one, and the server calls that wrong.
func passwordMissing(postgres *pgxpool.Pool, err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "28P01" && postgres.Config().ConnConfig.Password == "" {
		return contract.ErrPasswordMissing
	}
	return err
}

// prepareMessages is the first success of MongoDB: it answers, and the collection has its validator.
func prepareMessages(ctx context.Context, stores *Stores) error {
	database, err := stores.mongo()
	if err != nil {
		return err
	}
	return contract.DeclareMessages(ctx, database)
}

// BrokerConnection is a connection to the broker, and the socket below it: closing the socket ends the connection at once.
type BrokerConnection struct {
	*amqp.Connection
	socket net.Conn
}

// connectBroker opens a connection to the broker.
func connectBroker(rabbitmqURL string) (*BrokerConnection, error) {
	address, err := brokerURL(rabbitmqURL)
	if err != nil {
		return nil, err
	}
	connection, err := dialBroker(address)
	if err == amqp.ErrCredentials {
		// When a password is wrong, the broker closes the connection without a word. So does a broker that dies at this
		// moment: ask twice.
		connection, err = dialBroker(address)
	}
	if err == amqp.ErrVhost {
		err = errors.New("the broker closed the connection while it was opened")
	}
	return connection, err
}

// closeBroker closes a connection, if there is one. A broker that does not answer must not hold up the next connection, or
// the end of the process.
func closeBroker(connection *BrokerConnection, channels []*amqp.Channel) {
	if connection == nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer exitOnPanic()
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

// brokerURL is the URL as the driver reads it. Returns a ConfigurationError for one that it cannot work with.
func brokerURL(rabbitmqURL string) (string, error) {
	address := contract.StrictURL(rabbitmqURL)
	if _, err := contract.ParseURL(rabbitmqURL); err != nil {
		return "", unusable("RABBITMQ_URL")
	}
	if _, err := amqp.ParseURI(address); err != nil {
		return "", unusable("RABBITMQ_URL")
	}
	return address, nil
}

func dialBroker(address string) (*BrokerConnection, error) {
	var socket net.Conn
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(appName)
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

func openPostgres(databaseURL string) (*pgxpool.Pool, error) {
	readable, err := postgresURL(databaseURL)
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(readable)
	if err != nil {
		return nil, err
	}
	config.MaxConns = postgresConnections
	config.ConnConfig.ConnectTimeout = connectTimeout
	config.ConnConfig.RuntimeParams["application_name"] = appName
	// No prepared statement is left on the server: a pooler between it and us may hand out another connection.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	return pgxpool.NewWithConfig(context.Background(), config)
}

// inTime runs a statement with the time that an answer may take. Nothing else ends it: what was begun is finished.
func inTime(statement func(context.Context) error) func() error {
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
		defer cancel()
		return statement(ctx)
	}
}

// unusable says so without the words of a driver: they may quote a part of a password.
func unusable(variable string) error {
	return &contract.ConfigurationError{Variable: variable, Problem: contract.UnusableURL}
}
