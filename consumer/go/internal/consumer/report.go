package consumer

import (
	"context"
	"log/slog"
	"regexp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

const maxTraceparents = 5

var (
	traceparentForm = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)
	batchSeconds    = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
)

// SettledBatch is a settled batch, without its deliveries: it may have waited long for a dead letter.
type SettledBatch struct {
	queue            string
	outcomes         []Outcome
	stored, repeated int
	campaigns        []RecordRow
	traceparents     []string
	watch            *Stopwatch
}

// Report is step 7, and the metrics of the process; the names stand in consumer/README.md.
type Report struct {
	log                                          *slog.Logger
	registry                                     *prometheus.Registry
	batches, deliveries, stored, repeated, letGo prometheus.Counter
	dead, retries                                *prometheus.CounterVec
	seconds                                      prometheus.Histogram
}

func newReport(log *slog.Logger) *Report {
	r := &Report{log: log, registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		made := prometheus.NewCounter(prometheus.CounterOpts{Name: "disparo_consumer_" + name, Help: help})
		r.registry.MustRegister(made)
		return made
	}
	labelled := func(name, help, label string) *prometheus.CounterVec {
		made := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "disparo_consumer_" + name, Help: help}, []string{label})
		r.registry.MustRegister(made)
		return made
	}
	r.batches = counter("batches_total", "Batches settled.")
	r.deliveries = counter("deliveries_total", "Deliveries settled.")
	r.stored = counter("messages_stored_total", "Documents written.")
	r.repeated = counter("repeated_total", "Deliveries or documents found already there.")
	r.letGo = counter("let_go_total", "Deliveries of paused, cancelled or deleted campaigns.")
	r.dead = labelled("dead_letters_total", "Dead letters.", "reason")
	r.retries = labelled("store_retries_total", "Attempts that failed because a store was down.", "store")
	r.seconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "disparo_consumer_batch_seconds", Help: "Gather to settle.", Buckets: batchSeconds,
	})
	r.registry.MustRegister(r.seconds)
	for _, store := range []string{"postgres", "mongodb"} {
		r.retries.WithLabelValues(store)
	}
	return r
}

// countRetry: an attempt failed because this store was down.
func (r *Report) countRetry(store string) func() {
	return r.retries.WithLabelValues(store).Inc
}

// batch is step 7. One log line and the metrics; a line of its own for each dead letter and each deleted campaign.
func (r *Report) batch(b SettledBatch) {
	messages, repeated, letGo, dead := len(b.outcomes), b.repeated, 0, 0
	for _, outcome := range b.outcomes {
		switch {
		case outcome.isDead():
			dead++
			r.deadLetter(b.queue, outcome.Dead)
		case outcome.As == Repeated:
			repeated++
		case outcome.As == LetGo:
			letGo++
		}
	}
	for _, campaign := range b.campaigns {
		if campaign.Deleted {
			r.log.Info("the campaign was deleted meanwhile; its documents are marked as deleted", "queue", b.queue, "campaign_id", campaign.ID)
		}
	}
	attributes := []slog.Attr{
		slog.String("queue", b.queue),
		slog.Int("messages", messages),
		slog.Int("stored", b.stored),
		slog.Int("repeated", repeated),
		slog.Int("let_go", letGo),
		slog.Int("dead", dead),
		slog.Any("campaigns", progressOf(b.campaigns)),
	}
	attributes = append(attributes, b.watch.timings()...)
	attributes = append(attributes, slog.Any("traceparents", b.traceparents))
	r.log.LogAttrs(context.Background(), slog.LevelInfo, "batch settled", attributes...)
	r.batches.Inc()
	r.deliveries.Add(float64(messages))
	r.stored.Add(float64(b.stored))
	r.repeated.Add(float64(repeated))
	r.letGo.Add(float64(letGo))
	r.seconds.Observe(b.watch.seconds())
}

func (r *Report) deadLetter(queue string, dead DeadReason) {
	level := slog.LevelWarn
	if dead.Reason == RefusedByStore {
		level = slog.LevelError
	}
	r.log.Log(context.Background(), level, "dead letter", "queue", queue, "reason", string(dead.Reason), "detail", dead.Detail)
	r.dead.WithLabelValues(string(dead.Reason)).Inc()
}

type progress struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Stored int64  `json:"stored"`
	Total  int64  `json:"total"`
}

func progressOf(campaigns []RecordRow) []progress {
	all := make([]progress, 0, len(campaigns))
	for _, row := range campaigns {
		all = append(all, progress{row.ID, row.Status, row.Stored, row.Total})
	}
	return all
}

// traceparentsOf returns only values that have the form of a traceparent, different ones, five at most: a header may hold
// anything, even a phone number.
func traceparentsOf(deliveries []*Delivery) []string {
	found := make([]string, 0, maxTraceparents)
	for _, delivery := range deliveries {
		value, _ := delivery.message.Headers["traceparent"].(string)
		if traceparentForm.MatchString(value) && !slices.Contains(found, value) {
			found = append(found, value)
		}
		if len(found) == maxTraceparents {
			break
		}
	}
	return found
}
