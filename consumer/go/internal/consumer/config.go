package consumer

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"disparo/consumer/internal/contract"
)

// Config is the configuration of this consumer, read once at the start.
type Config struct {
	contract.SharedConfiguration
	// Partitions are those that this process takes.
	Partitions []int
	// PrefetchEach is how many messages of one partition may be unacknowledged.
	PrefetchEach int
	// MetricsPort is the port of health and metrics; 0 is off.
	MetricsPort int
}

// readConfig reads every key of .env.example that concerns a consumer. Returns a ConfigurationError for the first that is
// wrong.
func readConfig(env contract.Environment) (Config, error) {
	shared, err := env.Shared()
	if err != nil {
		return Config{}, err
	}
	config := Config{SharedConfiguration: shared}
	if config.Partitions, err = partitionsKey(env, shared.QueuePartitions); err != nil {
		return Config{}, err
	}
	prefetch, err := env.Integer("PREFETCH", 1, 1_000, 250)
	if err != nil {
		return Config{}, err
	}
	config.PrefetchEach = max(1, prefetch/len(config.Partitions))
	config.MetricsPort, err = env.Integer("METRICS_PORT", 1, 65_535, 0)
	return config, err
}

var partitionForm = regexp.MustCompile(`^[0-9]{1,2}$`)

func partitionsKey(env contract.Environment, count int) ([]int, error) {
	var partitions []int
	text, set := env["CONSUMER_PARTITIONS"]
	if !set {
		for partition := range count {
			partitions = append(partitions, partition)
		}
		return partitions, nil
	}
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		partition, err := strconv.Atoi(word)
		if err != nil || !partitionForm.MatchString(word) || partition >= count || slices.Contains(partitions, partition) {
			return nil, &contract.ConfigurationError{Variable: "CONSUMER_PARTITIONS", Problem: fmt.Sprintf(
				"must be different whole numbers from 0 to %d (QUEUE_PARTITIONS is %d), separated by commas", count-1, count)}
		}
		partitions = append(partitions, partition)
	}
	return partitions, nil
}
