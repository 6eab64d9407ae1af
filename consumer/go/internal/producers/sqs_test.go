package producers

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"disparo/consumer/internal/contract"
	"disparo/consumer/internal/running"
)

// patience is how long a queue that takes nothing is waited for.
const patience = 20 * time.Second

// fakeQueue is a queue of SQS that refuses what a test wants, and then takes the same.
type fakeQueue struct {
	mutex sync.Mutex
	// refusals is how many messages are still to be refused.
	refusals int
	// lostAnswers is how many calls are still to be taken and answered with an error.
	lostAnswers int
	taken       []string
	calls       []int
}

type batchEntry struct{ Id, MessageBody string }

func (q *fakeQueue) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	response.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if strings.HasSuffix(request.Header.Get("X-Amz-Target"), "GetQueueUrl") {
		var asked struct{ QueueName string }
		_ = json.NewDecoder(request.Body).Decode(&asked)
		if asked.QueueName != "events" {
			response.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(response, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"none"}`)
			return
		}
		// AWS answers with a host of its own.
		_, _ = io.WriteString(response, `{"QueueUrl":"http://nobody.invalid/1/events"}`)
		return
	}
	var sent struct{ Entries []batchEntry }
	_ = json.NewDecoder(request.Body).Decode(&sent)
	q.calls = append(q.calls, len(sent.Entries))
	answer := q.take(sent.Entries)
	if q.lostAnswers > 0 {
		q.lostAnswers--
		response.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	_ = json.NewEncoder(response).Encode(answer)
}

func (q *fakeQueue) take(entries []batchEntry) map[string][]map[string]any {
	answer := map[string][]map[string]any{}
	for _, entry := range entries {
		if q.refusals > 0 {
			q.refusals--
			answer["Failed"] = append(answer["Failed"], map[string]any{"Id": entry.Id, "Code": "InternalError", "SenderFault": false})
			continue
		}
		q.taken = append(q.taken, entry.MessageBody)
		sum := md5.Sum([]byte(entry.MessageBody))
		answer["Successful"] = append(answer["Successful"],
			map[string]any{"Id": entry.Id, "MessageId": entry.Id, "MD5OfMessageBody": hex.EncodeToString(sum[:])})
	}
	return answer
}

// sendTo publishes 100 messages to a queue and returns what was confirmed.
func sendTo(t *testing.T, queue *fakeQueue, name string) (Summary, error) {
	server := httptest.NewServer(queue)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	tally, stop := &Tally{}, running.Stop{Receiving: ctx, Working: ctx}
	config := SQSConfig{Queue: name, Region: "sa-east-1", Endpoint: server.URL, AccessKeyID: "a", SecretAccessKey: "b"}
	sender, err := newSQSSender(config, stop, tally, running.NewLog(io.Discard, "producers-go", "silent"))
	if err != nil {
		t.Fatal(err)
	}
	work := make(chan *Message)
	go pump(context.Background(), streamOf(Options{Rate: 100_000, Count: 100, Bad: 0.2, Duplicate: 0.2, Seed: 5}, "run"),
		Options{Rate: 100_000, Count: 100}, work)
	err = sender.send(work)
	return tally.Summary(), err
}

func TestSQSGetsBatchesOfAtMostTenAndTheEndpointWinsOverTheHostOfTheQueue(t *testing.T) {
	queue := &fakeQueue{}
	summary, err := sendTo(t, queue, "events")
	if err != nil || len(queue.taken) != 100 || summary.Published != 100 {
		t.Fatal(err, summary, len(queue.taken))
	}
	for _, size := range queue.calls {
		if size > 10 {
			t.Error(queue.calls)
		}
	}
	distinct := map[string]bool{}
	for _, body := range queue.taken {
		if body[0] == '{' {
			distinct[body] = true
		}
	}
	if summary.Distinct != len(distinct) || summary.Bad == 0 || summary.Duplicates == 0 ||
		summary.Distinct+summary.Bad+summary.Duplicates != 100 {
		t.Error(summary, len(distinct))
	}
}

func TestWhatSQSDidNotTakeIsSentAgainAndCountedOnce(t *testing.T) {
	queue := &fakeQueue{refusals: 13}
	summary, err := sendTo(t, queue, "events")
	if err != nil || summary.Published != 100 || len(queue.taken) != 100 || queue.refusals != 0 {
		t.Error(err, summary, len(queue.taken), queue.refusals)
	}
}

func TestABatchWhoseAnswerIsLostIsSentAgainUnderTheSameIdsAndCountedOnce(t *testing.T) {
	clean, lossy := &fakeQueue{}, &fakeQueue{lostAnswers: 2}
	want, _ := sendTo(t, clean, "events")
	summary, err := sendTo(t, lossy, "events")
	if err != nil || summary != want || len(lossy.taken) <= 100 {
		t.Error(err, summary, want, len(lossy.taken))
	}
	seen := map[string]bool{}
	for _, body := range lossy.taken {
		if body[0] == '{' {
			seen[body] = true
		}
	}
	if len(seen) != summary.Distinct {
		t.Error(len(seen), summary)
	}
}

func TestAQueueThatIsNotThereStopsTheStart(t *testing.T) {
	var refused *contract.ConfigurationError
	if _, err := sendTo(t, &fakeQueue{}, "other"); !errors.As(err, &refused) || refused.Variable != "EVENTS_SQS_QUEUE" {
		t.Error(err)
	}
}
