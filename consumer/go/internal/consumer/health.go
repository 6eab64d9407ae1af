package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"disparo/consumer/internal/contract"
	"disparo/consumer/internal/running"
)

const pingTimeout = time.Second

type health struct {
	Status   string `json:"status"`
	Postgres string `json:"postgres"`
	Mongodb  string `json:"mongodb"`
	Rabbitmq string `json:"rabbitmq"`
}

// serveHealth serves GET /health and GET /metrics. Returns a ConfigurationError when the port cannot be opened.
func serveHealth(port int, stores *Stores, services *Services, report *Report) error {
	listener, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(port)))
	if err != nil {
		problem := err.Error()
		if errors.Is(err, syscall.EADDRINUSE) {
			problem = fmt.Sprintf("port %d is in use", port)
		}
		return &contract.ConfigurationError{Variable: "METRICS_PORT", Problem: problem}
	}
	metrics := promhttp.HandlerFor(report.registry, promhttp.HandlerOpts{})
	handler := func(response http.ResponseWriter, request *http.Request) {
		// The library would recover a panic, and say nothing.
		defer running.ExitOnPanic()
		switch {
		case request.Method != http.MethodGet:
			response.Header().Set("Allow", http.MethodGet)
			response.WriteHeader(http.StatusMethodNotAllowed)
		case request.URL.Path == "/metrics":
			metrics.ServeHTTP(response, request)
		case request.URL.Path == "/health":
			answerHealth(response, checkHealth(request.Context(), stores, services))
		default:
			response.WriteHeader(http.StatusNotFound)
		}
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(handler),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	go func() {
		defer running.ExitOnPanic()
		_ = server.Serve(listener)
	}()
	return nil
}

func answerHealth(response http.ResponseWriter, found health) {
	response.Header().Set("Content-Type", "application/json")
	if found.Status == "down" {
		response.WriteHeader(http.StatusServiceUnavailable)
	}
	body, _ := json.Marshal(found)
	_, _ = response.Write(body)
}

// checkHealth returns what the loop knows, and a ping of each store: an idle loop does not notice that a store went away.
func checkHealth(ctx context.Context, stores *Stores, services *Services) health {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var postgres, mongodb bool
	var asking sync.WaitGroup
	// A store that the loop saw down counts as down without a ping: the loop tries it again by itself.
	asking.Go(func() {
		defer running.ExitOnPanic()
		postgres = services.postgres.IsUp() && pingPostgres(ctx, stores) == nil
	})
	asking.Go(func() {
		defer running.ExitOnPanic()
		mongodb = services.mongodb.IsUp() && pingMongo(ctx, stores) == nil
	})
	asking.Wait()
	rabbitmq := services.rabbitmq.IsUp()
	word := map[bool]string{true: "up", false: "down"}
	return health{word[postgres && mongodb && rabbitmq], word[postgres], word[mongodb], word[rabbitmq]}
}

func pingPostgres(ctx context.Context, stores *Stores) error {
	_, err := stores.postgres.Exec(ctx, "SELECT 1")
	return err
}

func pingMongo(ctx context.Context, stores *Stores) error {
	database, err := stores.mongo()
	if err != nil {
		return err
	}
	return database.RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Err()
}
