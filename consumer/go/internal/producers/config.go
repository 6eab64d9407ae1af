package producers

import (
	"regexp"

	"disparo/consumer/internal/contract"
)

// Config is the configuration of the producers, read once at the start.
type Config struct {
	LogLevel string
	// Of RabbitMQ; empty when SQS is set.
	RabbitmqURL string
	Names       contract.Topology
	// SQS is nil without -sqs.
	SQS *SQSConfig
}

// SQSConfig is where a queue of SQS is, and who may send to it.
type SQSConfig struct {
	Queue  string
	Region string
	// Endpoint is empty for AWS itself.
	Endpoint string
	// The credentials are empty when the SDK is to find them.
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
}

var sqsQueueForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

func readConfigHere(sqs bool) (Config, error) {
	env, err := contract.EnvironmentHere()
	if err != nil {
		return Config{}, err
	}
	return readConfig(env, sqs)
}

// readConfig reads the keys of .env.example that the broker needs: nothing else has to be set. Returns a ConfigurationError
// for the first that is wrong.
func readConfig(env contract.Environment, sqs bool) (config Config, err error) {
	if config.LogLevel, err = env.LogLevel(); err != nil {
		return config, err
	}
	if sqs {
		config.SQS, err = sqsConfig(env)
		return config, err
	}
	if config.RabbitmqURL, err = env.RabbitmqURL(); err != nil {
		return config, err
	}
	if config.Names.Prefix, err = env.QueuePrefix(); err != nil {
		return config, err
	}
	config.Names.Type, err = env.QueueType()
	return config, err
}

func sqsConfig(env contract.Environment) (config *SQSConfig, err error) {
	config = &SQSConfig{
		Queue:           env["EVENTS_SQS_QUEUE"],
		Region:          env["AWS_REGION"],
		AccessKeyID:     env["AWS_ACCESS_KEY_ID"],
		SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"],
		SessionToken:    env["AWS_SESSION_TOKEN"],
	}
	if config.Queue == "" {
		return nil, &contract.ConfigurationError{Variable: "EVENTS_SQS_QUEUE", Problem: "is not set; -sqs needs the name of a queue"}
	}
	if !sqsQueueForm.MatchString(config.Queue) {
		return nil, &contract.ConfigurationError{Variable: "EVENTS_SQS_QUEUE", Problem: "must be 1 to 80 letters, digits, dashes and underscores"}
	}
	if config.Region == "" {
		config.Region = "sa-east-1"
	}
	if _, set := env["SQS_ENDPOINT"]; set {
		config.Endpoint, err = env.URL("SQS_ENDPOINT", "http", "https")
	}
	return config, err
}
