package running

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"disparo/consumer/internal/contract"
)

func TestBackoffDoublesUpToTenSecondsAndIsShortenedByAtMostAHalf(t *testing.T) {
	for failures, longest := range map[int]int{1: 100, 2: 200, 3: 400, 4: 800, 5: 1_600, 6: 3_200, 7: 6_400, 8: 10_000, 9: 10_000, 1 << 40: 10_000} {
		want := time.Duration(longest) * time.Millisecond
		if most, least := Backoff(failures, 0), Backoff(failures, 1); most != want || least != want/2 {
			t.Errorf("%d: %s to %s", failures, least, most)
		}
	}
}

func serviceThatLogsTo(out *bytes.Buffer) *Service {
	return &Service{Title: "PostgreSQL", Variable: "DATABASE_URL", URL: "postgresql://u:palavra@h/d", Log: NewLog(out, "consumer-go", "info")}
}

func said(out *bytes.Buffer) (lines []string) {
	for line := range strings.Lines(out.String()) {
		var read struct {
			Level int
			Msg   string
		}
		if err := json.Unmarshal([]byte(line), &read); err != nil {
			panic(err)
		}
		lines = append(lines, fmt.Sprint(read.Level, " ", read.Msg))
	}
	return lines
}

func TestEachChangeOfStateIsSaidOnce(t *testing.T) {
	var out bytes.Buffer
	service := serviceThatLogsTo(&out)
	retries := 0
	service.CountRetry = func() { retries++ }
	refused := &net.OpError{Op: "dial", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, Err: syscall.ECONNREFUSED}
	for _, err := range []error{refused, refused, &pgconn.PgError{Code: "42P01"}, &pgconn.PgError{Code: "42883"}} {
		if err := service.Failed(err); err != nil {
			t.Fatal(err)
		}
	}
	service.Succeeded()
	service.Succeeded()
	service.Lost(errors.New("EOF palavra"))
	service.Lost(errors.New("EOF"))
	service.Succeeded()
	want := []string{
		"50 waiting for PostgreSQL: connection refused at 127.0.0.1:1",
		"50 waiting for PostgreSQL: the tables do not exist yet",
		"30 PostgreSQL is back",
		"30 lost the connection to PostgreSQL: EOF ***",
		"30 PostgreSQL is back",
	}
	if got := said(&out); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q", got)
	}
	if retries != 4 || !service.IsUp() {
		t.Error(retries)
	}
}

func TestARefusalStopsTheStartAndNothingLater(t *testing.T) {
	var out bytes.Buffer
	service := serviceThatLogsTo(&out)
	wrong := &pgconn.PgError{Code: "28P01", Message: "password authentication failed"}
	var refused *contract.ConfigurationError
	if err := service.Failed(wrong); !errors.As(err, &refused) || err.Error() != "DATABASE_URL: the user or the password is wrong" {
		t.Error(err)
	}
	service.Succeeded()
	if err := service.Failed(wrong); err != nil {
		t.Error(err)
	}
}

func TestUntilUpTriesAgainUntilItIsToldToStop(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	tries := 0
	err := UntilUp(ctx, serviceThatLogsTo(&out), func() error {
		if tries++; tries < 3 {
			return errors.New("down")
		}
		return nil
	})
	if tries != 3 || err != nil {
		t.Error(tries, err)
	}
	err = UntilUp(ctx, serviceThatLogsTo(&out), func() error {
		cancel()
		return errors.New("down")
	})
	if !errors.Is(err, ErrInterrupted) {
		t.Error(err)
	}
}

func TestWhatWasDoneIsKnownThoughTheContextEndedMeanwhile(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	up, err := Attempt(ctx, serviceThatLogsTo(&out), 0, func() error {
		cancel()
		return nil
	})
	if !up || err != nil {
		t.Error(up, err)
	}
}

func TestALogLineHasTheFieldsOfTheOtherConsumers(t *testing.T) {
	var out bytes.Buffer
	log := NewLog(&out, "consumer-go", "warn")
	log.Info("not said")
	log.Warn("dead letter", "reason", "not_json")
	form := regexp.MustCompile(`^\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":40,"msg":"dead letter","pid":\d+,"hostname":"[^"]*","name":"consumer-go","reason":"not_json"\}\n$`)
	if !form.MatchString(out.String()) {
		t.Error(out.String())
	}
	out.Reset()
	NewLog(&out, "consumer-go", "silent").Error("not said")
	if out.Len() > 0 {
		t.Error(out.String())
	}
}
