// Package contract is what every app of Disparo agrees on: configuration, queues, statements, documents. It is the twin
// of consumer/contract/src; what stands in a file of consumer/contract is taken from there.
package contract

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// How an app of Disparo ends (sysexits.h where it has a name). The same in every language.
const (
	// ExitDrained says: told to stop, and the current work was finished.
	ExitDrained = 0
	// ExitBug says: a bug.
	ExitBug = 1
	// ExitForced says: the grace time ran out, or a second signal came; the current work is done again.
	ExitForced = 75
	// ExitConfiguration says: something that cannot heal by waiting, as a wrong value, password, vhost, certificate, queue.
	ExitConfiguration = 78
)

// ConfigurationError is a value that stops the start: one line that names the variable and never shows a secret.
type ConfigurationError struct {
	Variable string
	Problem  string
}

func (e *ConfigurationError) Error() string { return e.Variable + ": " + e.Problem }

// Environment is the configuration as text, by key. What is unset is not in it.
type Environment map[string]string

var wholeNumber = regexp.MustCompile(`^[0-9]{1,9}$`)

// Integer is a whole number between least and most, or the default when unset.
func (env Environment) Integer(key string, least, most, fallback int) (int, error) {
	text, set := env[key]
	if !set {
		return fallback, nil
	}
	if value, err := strconv.Atoi(text); err == nil && wholeNumber.MatchString(text) && value >= least && value <= most {
		return value, nil
	}
	return 0, &ConfigurationError{key, fmt.Sprintf(`must be a whole number from %d to %d, not "%s"`, least, most, text)}
}

// word is one of a fixed list of words, or the default when unset.
func (env Environment) word(key string, words []string, fallback string) (string, error) {
	value, set := env[key]
	if !set {
		return fallback, nil
	}
	if slices.Contains(words, value) {
		return value, nil
	}
	return "", &ConfigurationError{key, fmt.Sprintf(`must be one of %s, not "%s"`, strings.Join(words, ", "), value)}
}

// URL is the URL of a service; its scheme must be one of those given. The error does not show the URL.
func (env Environment) URL(key string, schemes ...string) (string, error) {
	text, set := env[key]
	wanted := strings.Join(schemes, ":// or ") + "://"
	if !set {
		return "", &ConfigurationError{key, fmt.Sprintf(`is not set; give a URL that begins with %s, or run "npm run services"`, wanted)}
	}
	scheme, _, found := strings.Cut(text, "://")
	if !found || !slices.Contains(schemes, scheme) {
		return "", &ConfigurationError{key, "must begin with " + wanted}
	}
	// A blank or a control character comes from a copied text or a file. Drivers would take it as a part of the last name.
	blank := strings.ContainsFunc(text, func(char rune) bool { return char <= ' ' })
	// MongoDB's lists of hosts are no WHATWG URL; its driver parses those.
	if blank || !slices.Contains(schemes, "mongodb") && !isReadable(text) {
		return "", &ConfigurationError{key, "is not a URL; a password with special characters must be percent-encoded"}
	}
	// PostgreSQL's options are the server's own: it judges them.
	if key == "DATABASE_URL" {
		return text, nil
	}
	strict, err := withStrictOptions(key, text)
	if err != nil {
		return "", &ConfigurationError{key, UnusableURL}
	}
	return strict, nil
}

// QueuePrefix begins the names of exchanges and queues.
func (env Environment) QueuePrefix() (string, error) {
	prefix, set := env["QUEUE_PREFIX"]
	if !set {
		return "disparo", nil
	}
	if !queuePrefixForm.MatchString(prefix) {
		return "", &ConfigurationError{"QUEUE_PREFIX", "must be 1 to 100 letters, digits, dots, dashes or underscores"}
	}
	return prefix, nil
}

// RabbitmqURL is the URL of the broker.
func (env Environment) RabbitmqURL() (string, error) { return env.URL("RABBITMQ_URL", "amqp", "amqps") }

// QueueType is one of queueTypes; when it is empty the vhost's default decides.
func (env Environment) QueueType() (string, error) { return env.word("QUEUE_TYPE", queueTypes, "") }

// LogLevel is the level from which on lines are written.
func (env Environment) LogLevel() (string, error) { return env.word("LOG_LEVEL", logLevels, "info") }

// SharedConfiguration is the configuration that every app of Disparo has.
type SharedConfiguration struct {
	DatabaseURL string
	MongodbURL  string
	RabbitmqURL string
	// QueuePrefix begins the names of exchanges and queues.
	QueuePrefix string
	// QueuePartitions is how many campaign queues there are, numbered from 0.
	QueuePartitions int
	// QueueType is one of queueTypes; when it is empty the vhost's default decides.
	QueueType string
	LogLevel  string
}

var (
	logLevels       = []string{"trace", "debug", "info", "warn", "error", "silent"}
	queuePrefixForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)
)

// Shared reads the keys that all apps share. Returns a ConfigurationError for the first that is wrong or missing.
func (env Environment) Shared() (shared SharedConfiguration, err error) {
	if shared.QueuePrefix, err = env.QueuePrefix(); err != nil {
		return shared, err
	}
	if shared.DatabaseURL, err = env.URL("DATABASE_URL", "postgresql", "postgres"); err != nil {
		return shared, err
	}
	if shared.MongodbURL, err = env.URL("MONGODB_URL", "mongodb", "mongodb+srv"); err != nil {
		return shared, err
	}
	if shared.RabbitmqURL, err = env.RabbitmqURL(); err != nil {
		return shared, err
	}
	if shared.QueuePartitions, err = env.Integer("QUEUE_PARTITIONS", 1, 64, 1); err != nil {
		return shared, err
	}
	if shared.QueueType, err = env.QueueType(); err != nil {
		return shared, err
	}
	shared.LogLevel, err = env.LogLevel()
	return shared, err
}
