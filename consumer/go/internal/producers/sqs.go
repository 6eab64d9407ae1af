package producers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"disparo/consumer/internal/contract"
	"disparo/consumer/internal/running"
)

const (
	// sqsBatch is the most that SQS takes in one call.
	sqsBatch = 10
	// sqsCalls is how many calls are under way at a time.
	sqsCalls = 8
	// sqsLinger is how long a batch waits to be filled.
	sqsLinger = 20 * time.Millisecond
	// sqsTimeout is how long an answer may take, with the SDK's own retries.
	sqsTimeout = 30 * time.Second
)

// sqsRefusals is what a start does not wait for, by SQS's code: which variable is wrong, and how.
var sqsRefusals = map[string]contract.ConfigurationError{
	"QueueDoesNotExist":                       {Variable: "EVENTS_SQS_QUEUE", Problem: "there is no such queue"},
	"AWS.SimpleQueueService.NonExistentQueue": {Variable: "EVENTS_SQS_QUEUE", Problem: "there is no such queue"},
	"AccessDenied":                            {Variable: "EVENTS_SQS_QUEUE", Problem: "this user has no right to the queue"},
	"AccessDeniedException":                   {Variable: "EVENTS_SQS_QUEUE", Problem: "this user has no right to the queue"},
	"InvalidClientTokenId":                    {Variable: "AWS_ACCESS_KEY_ID", Problem: "is not known"},
	"UnrecognizedClientException":             {Variable: "AWS_ACCESS_KEY_ID", Problem: "is not known"},
	"SignatureDoesNotMatch":                   {Variable: "AWS_SECRET_ACCESS_KEY", Problem: "is wrong"},
	"InvalidSignatureException":               {Variable: "AWS_SECRET_ACCESS_KEY", Problem: "is wrong"},
	"ExpiredToken":                            {Variable: "AWS_SESSION_TOKEN", Problem: "has expired"},
	"ExpiredTokenException":                   {Variable: "AWS_SESSION_TOKEN", Problem: "has expired"},
}

// sqsSender publishes to a queue of SQS.
type sqsSender struct {
	client  *sqs.Client
	queue   string
	url     string
	stop    running.Stop
	tally   *Tally
	service *running.Service
}

func newSQSSender(config SQSConfig, stop running.Stop, tally *Tally, log *slog.Logger) (*sqsSender, error) {
	load := []func(*awsconfig.LoadOptions) error{awsconfig.WithRegion(config.Region)}
	if config.AccessKeyID != "" {
		load = append(load, awsconfig.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(config.AccessKeyID, config.SecretAccessKey, config.SessionToken)))
	}
	found, err := awsconfig.LoadDefaultConfig(context.Background(), load...)
	if err != nil {
		return nil, &contract.ConfigurationError{Variable: "AWS_ACCESS_KEY_ID", Problem: running.Describe(err, "")}
	}
	client := sqs.NewFromConfig(found, func(options *sqs.Options) {
		if config.Endpoint != "" {
			options.BaseEndpoint = aws.String(config.Endpoint)
		}
	})
	service := &running.Service{Title: "SQS", Variable: "SQS_ENDPOINT", URL: config.Endpoint, Log: log}
	return &sqsSender{client: client, queue: config.Queue, stop: stop, tally: tally, service: service}, nil
}

// send publishes in batches, several at a time.
func (s *sqsSender) send(work <-chan *Message) error {
	if err := running.UntilUp(s.stop.Receiving, s.service, s.findQueue); err != nil {
		return err
	}
	var calls errgroup.Group
	calls.SetLimit(sqsCalls)
	for {
		batch := gather(work)
		if len(batch) == 0 {
			return calls.Wait()
		}
		calls.Go(func() error {
			defer running.ExitOnPanic()
			return s.sendAll(batch)
		})
	}
}

// findQueue asks for the queue's URL. Returns a ConfigurationError for what waiting cannot heal.
func (s *sqsSender) findQueue() error {
	ctx, cancel := context.WithTimeout(s.stop.Receiving, sqsTimeout)
	defer cancel()
	found, err := s.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &s.queue})
	if err == nil {
		s.url = *found.QueueUrl
		return nil
	}
	var refused smithy.APIError
	if errors.As(err, &refused) {
		if why, known := sqsRefusals[refused.ErrorCode()]; known {
			return &why
		}
	}
	return err
}

// gather is up to ten messages: the first that comes, and what follows it at once. None when work is closed.
func gather(work <-chan *Message) (batch []*Message) {
	var late <-chan time.Time
	for len(batch) < sqsBatch {
		select {
		case message, open := <-work:
			if !open {
				return batch
			}
			if batch = append(batch, message); len(batch) == 1 {
				late = time.After(sqsLinger)
			}
		case <-late:
			return batch
		}
	}
	return batch
}

// sendAll sends a batch until all of it is taken. What was not taken is sent again as it was.
func (s *sqsSender) sendAll(batch []*Message) error {
	for failures := 0; len(batch) > 0; failures++ {
		_, err := running.Attempt(s.stop.Working, s.service, failures, func() (err error) {
			batch, err = s.sendOnce(batch)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sendOnce returns what SQS has not taken, and why.
func (s *sqsSender) sendOnce(batch []*Message) ([]*Message, error) {
	ctx, cancel := context.WithTimeout(context.Background(), sqsTimeout)
	defer cancel()
	entries := make([]types.SendMessageBatchRequestEntry, len(batch))
	for i, message := range batch {
		entries[i] = types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(string(message.Body))}
	}
	sent, err := s.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: &s.url, Entries: entries})
	if err != nil {
		return batch, err
	}
	taken := map[string]bool{}
	for _, one := range sent.Successful {
		taken[*one.Id] = true
	}
	var left []*Message
	for i, message := range batch {
		if taken[strconv.Itoa(i)] {
			s.tally.confirm(message)
		} else {
			left = append(left, message)
		}
	}
	if len(left) > 0 {
		code := "no answer"
		if len(sent.Failed) > 0 {
			code = aws.ToString(sent.Failed[0].Code)
		}
		return left, fmt.Errorf("%d of %d messages were not taken: %s", len(left), len(batch), code)
	}
	return nil, nil
}
