package consumer

import (
	"log/slog"
	"math"
	"time"
)

// Stopwatch has the time of each step of one batch. A step that was repeated counts with all its attempts and waits.
type Stopwatch struct {
	since                                time.Time
	gather, admit, store, record, settle time.Duration
}

// newStopwatch begins when the first delivery was there; the time until now is the gathering.
func newStopwatch(since time.Time) *Stopwatch {
	return &Stopwatch{since: since, gather: time.Since(since)}
}

// time runs an action, and adds the time that it takes to a step.
func (s *Stopwatch) time(step *time.Duration, action func() error) error {
	begin := time.Now()
	defer func() { *step += time.Since(begin) }()
	return action()
}

// timings are gather_ms and so on, to a tenth of a millisecond.
func (s *Stopwatch) timings() []slog.Attr {
	ms := func(key string, took time.Duration) slog.Attr {
		return slog.Float64(key, math.Round(float64(took)/float64(time.Millisecond)*10)/10)
	}
	return []slog.Attr{
		ms("gather_ms", s.gather),
		ms("admit_ms", s.admit),
		ms("store_ms", s.store),
		ms("record_ms", s.record),
		ms("settle_ms", s.settle),
	}
}

// seconds since the first delivery was there.
func (s *Stopwatch) seconds() float64 { return time.Since(s.since).Seconds() }
