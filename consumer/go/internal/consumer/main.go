// Package consumer takes campaign chunks from RabbitMQ, writes one MongoDB document a number and brings the campaign to
// `enviado` in PostgreSQL. consumer/README.md is the text that it follows; each step is a file of that name.
package consumer

import (
	"context"
	"log/slog"
	"os"
	"time"

	"disparo/consumer/internal/contract"
	"disparo/consumer/internal/running"
)

// storesCloseTimeout: a store that does not answer must not hold up the end of the process.
const storesCloseTimeout = 3 * time.Second

// Main runs the consumer until it is told to stop, and returns the exit code.
func Main() int {
	defer running.ExitOnPanic()
	return running.ExitCode(consumeUntilStopped())
}

func consumeUntilStopped() error {
	config, err := readConfigHere()
	if err != nil {
		return err
	}
	log := running.NewLog(os.Stdout, "consumer-go", config.LogLevel)
	stop := running.StopOnSignals(func() {
		log.Warn("forced to stop; unfinished messages are delivered again")
		os.Exit(contract.ExitForced)
	})
	stores, err := openStores(config)
	if err != nil {
		return err
	}
	report := newReport(log)
	services := servicesOf(config, log, report)
	if config.MetricsPort != 0 {
		if err := serveHealth(config.MetricsPort, stores, services, report); err != nil {
			return err
		}
	}
	consumer := &Consumer{config: config, stores: stores, services: services, report: report, stop: stop, log: log}
	if err := consumer.runUntilStopped(); err != nil {
		return err
	}
	log.Info("drained")
	return nil
}

// runUntilStopped consumes until told to stop. While it only connects there is nothing to finish, so that attempt is not
// waited for.
func (c *Consumer) runUntilStopped() error {
	ended := make(chan error, 1)
	go func() {
		defer running.ExitOnPanic()
		ended <- c.run()
	}()
	select {
	case err := <-ended:
		return err
	case <-c.stop.Receiving.Done():
	}
	if !c.busy.Load() {
		return nil
	}
	err := <-ended
	closeWithin(storesCloseTimeout, c.stores)
	return err
}

func readConfigHere() (Config, error) {
	env, err := contract.EnvironmentHere()
	if err != nil {
		return Config{}, err
	}
	return readConfig(env)
}

func servicesOf(config Config, log *slog.Logger, report *Report) *Services {
	return &Services{
		postgres: &running.Service{Title: "PostgreSQL", Variable: "DATABASE_URL", URL: config.DatabaseURL, Log: log, CountRetry: report.countRetry("postgres")},
		mongodb:  &running.Service{Title: "MongoDB", Variable: "MONGODB_URL", URL: config.MongodbURL, Log: log, CountRetry: report.countRetry("mongodb")},
		rabbitmq: &running.Service{Title: "RabbitMQ", Variable: "RABBITMQ_URL", URL: config.RabbitmqURL, Log: log},
	}
}

func closeWithin(timeout time.Duration, stores *Stores) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	closed := make(chan struct{})
	go func() {
		defer running.ExitOnPanic()
		stores.close(ctx)
		close(closed)
	}()
	select {
	case <-closed:
	case <-ctx.Done():
	}
}
