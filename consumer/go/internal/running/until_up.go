// Package running is what the long-running programs here share: how they log, wait for a service, reach the broker and stop.
package running

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"disparo/consumer/internal/contract"
)

const (
	firstRetry   = 100 * time.Millisecond
	longestRetry = 10 * time.Second
)

// ErrInterrupted says that the current batch is dropped: working is over, or the channel of the batch is gone.
var ErrInterrupted = errors.New("interrupted")

type state int

const (
	unknown state = iota
	up
	lost
	down
	ledgerMissing
)

// Service is a service that the program works with: whether it is up, as its loop sees it. Logs each change once.
type Service struct {
	Title      string
	Variable   string
	URL        string
	Log        *slog.Logger
	CountRetry func()

	mutex  sync.Mutex
	state  state
	everUp bool
}

// IsUp tells whether the last attempt succeeded and no connection was lost since.
func (s *Service) IsUp() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.state == up
}

// Succeeded: an attempt did.
func (s *Service) Succeeded() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.state != up && s.state != unknown {
		s.Log.Info(s.Title + " is back")
	}
	s.state, s.everUp = up, true
}

// Lost: a connection that was up is gone; the next attempt tells whether the service is down.
func (s *Service) Lost(err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.state != up {
		return
	}
	s.state = lost
	s.Log.Info("lost the connection to " + s.Title + ": " + Describe(err, s.URL))
}

// Failed: an attempt did. Returns what must not be retried: ErrInterrupted, a ConfigurationError, and before the first
// success a refusal.
func (s *Service) Failed(err error) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var configuration *contract.ConfigurationError
	if errors.Is(err, ErrInterrupted) || errors.As(err, &configuration) {
		return err
	}
	if refused := contract.Refusal(err); refused != "" && !s.everUp {
		return &contract.ConfigurationError{Variable: s.Variable, Problem: refused}
	}
	if s.CountRetry != nil {
		s.CountRetry()
	}
	next, reason := down, ""
	if isLedgerMissing(err) {
		next, reason = ledgerMissing, "the tables do not exist yet"
	}
	if next == s.state {
		return nil
	}
	if reason == "" {
		reason = Describe(err, s.URL)
	}
	s.state = next
	s.Log.Error("waiting for " + s.Title + ": " + reason)
	return nil
}

// isLedgerMissing: undefined_table or undefined_function, the migrations have not run yet.
func isLedgerMissing(err error) bool {
	var postgres *pgconn.PgError
	return errors.As(err, &postgres) && (postgres.Code == "42P01" || postgres.Code == "42883")
}

// Backoff is the wait after a number of failures in a row:
//
//	failures      1    2    3    4      5      6      7  8 and more
//	at most, ms 100  200  400  800  1,600  3,200  6,400      10,000
//
// each shortened by a random part of up to a half, so that consumers do not come back all at once.
func Backoff(failures int, random float64) time.Duration {
	longest := longestRetry
	if doublings := failures - 1; doublings < 7 {
		longest = min(firstRetry<<doublings, longestRetry)
	}
	return time.Duration(float64(longest) * (1 - random/2))
}

// Pause waits, unless the context is done.
func Pause(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Attempt is one attempt. When the service is down, it also waits: when it returns, the next attempt may begin.
//
// An action does not get the context: what was begun is finished, so that the caller knows what was done.
func Attempt(ctx context.Context, service *Service, failures int, action func() error) (up bool, err error) {
	if ctx.Err() != nil {
		return false, ErrInterrupted
	}
	if err = action(); err == nil {
		service.Succeeded()
		return true, nil
	}
	if err = service.Failed(err); err != nil {
		return false, err
	}
	Pause(ctx, Backoff(failures+1, rand.Float64()))
	if ctx.Err() != nil {
		return false, ErrInterrupted
	}
	return false, nil
}

// UntilUp tries until the service is up. Returns ErrInterrupted when the context is done, and what a retry cannot heal.
func UntilUp(ctx context.Context, service *Service, action func() error) error {
	for failures := 0; ; failures++ {
		if up, err := Attempt(ctx, service, failures, action); up || err != nil {
			return err
		}
	}
}
