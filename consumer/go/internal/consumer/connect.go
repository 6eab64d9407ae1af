package consumer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.mongodb.org/mongo-driver/v2/mongo"

	files "disparo/contract"

	"disparo/consumer/internal/contract"
	"disparo/consumer/internal/running"
)

const (
	appName = "disparo-consumer"
	// Enough for the two batches of a queue and for health; further queues wait.
	postgresConnections = 4
	connectTimeout      = 5 * time.Second
	// answerTimeout: a store whose answer takes longer counts as down, and the batch is retried.
	answerTimeout = 30 * time.Second
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
		return nil, running.Unusable("DATABASE_URL")
	}
	stores.postgres = pool
	// The client itself is made when it connects: an SRV record is looked up then, and that may wait for a name server.
	if err := checkMongoURL(config.MongodbURL); err != nil {
		return nil, running.Unusable("MONGODB_URL")
	}
	if _, err := running.BrokerURL(config.RabbitmqURL); err != nil {
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
