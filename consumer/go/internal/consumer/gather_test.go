package consumer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"disparo/consumer/internal/running"
)

func deliveryOf(text string) *Delivery {
	return &Delivery{message: amqp.Delivery{Body: []byte(text)}}
}

// bodyOf is a chunk of that many numbers.
func bodyOf(campaign string, first, size int) string {
	numbers := strings.TrimSuffix(strings.Repeat(`"+5511999990001",`, size), ",")
	return fmt.Sprintf(`{"version":1,"campaign_id":"%s","company_id":"d123","message":"oi","first_sequence":%d,"phone_numbers":[%s]}`,
		campaign, first, numbers)
}

func inboxOf(prefetch int, sizes ...int) *Inbox {
	inbox := newInbox(prefetch, context.Background())
	for _, size := range sizes {
		text := "{"
		if size > 0 {
			text = bodyOf("c123", 1, size)
		}
		inbox.push(amqp.Delivery{Body: []byte(text)})
	}
	return inbox
}

func TestABatchIsSettledAfterTheOneBeforeAndNeverWhenThatWasDropped(t *testing.T) {
	inbox := inboxOf(1, 1, 2)
	first, _ := inbox.gather()
	second, _ := inbox.gather()
	if first.deliveries[0].numbers() != 1 || second.deliveries[0].numbers() != 2 {
		t.Fatal("not in the order of the queue")
	}
	if err := first.turn.wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	dropped, drop := context.WithCancel(context.Background())
	drop()
	if err := second.turn.wait(dropped); !errors.Is(err, running.ErrInterrupted) {
		t.Fatal(err)
	}
	first.turn.pass()
	if err := second.turn.wait(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestABatchHasAtMostThePrefetchAndTenThousandNumbers(t *testing.T) {
	for _, c := range []struct {
		name     string
		prefetch int
		sizes    []int
		batches  []int
	}{
		{"all that is buffered", 10, []int{1, 2, 3}, []int{3}},
		{"the prefetch", 2, []int{1, 1, 1, 1, 1}, []int{2, 2, 1}},
		{"exactly 10,000", 10, []int{5_000, 5_000, 1}, []int{2, 1}},
		{"what goes over waits", 10, []int{4_000, 4_000, 4_000, 4_000}, []int{2, 2}},
		{"what is malformed brings no number", 10, []int{5_000, 0, 5_000, 0, 1}, []int{4, 1}},
	} {
		inbox := inboxOf(c.prefetch, c.sizes...)
		for _, want := range c.batches {
			batch, over := inbox.gather()
			if over || len(batch.deliveries) != want {
				t.Errorf("%s: %d, wanted %d (over: %v)", c.name, len(batch.deliveries), want, over)
			}
		}
		if left := len(inbox.buffered()); left != 0 {
			t.Errorf("%s: %d left", c.name, left)
		}
	}
}

func TestABatchKeepsTheOrderOfTheQueue(t *testing.T) {
	inbox := newInbox(3, context.Background())
	for tag := range uint64(7) {
		inbox.push(amqp.Delivery{DeliveryTag: tag})
	}
	next := uint64(0)
	for next < 7 {
		batch, over := inbox.gather()
		if over {
			t.Fatal("over")
		}
		for _, delivery := range batch.deliveries {
			if delivery.message.DeliveryTag != next {
				t.Fatalf("%d, wanted %d", delivery.message.DeliveryTag, next)
			}
			next++
		}
	}
}

func TestAFullBatchDoesNotLinger(t *testing.T) {
	begin := time.Now()
	if _, over := inboxOf(2, 0, 0).gather(); over {
		t.Fatal("over")
	}
	if took := time.Since(begin); took > linger {
		t.Errorf("lingered for %s", took)
	}
}

func TestWhatWasFetchedStaysWhenItIsOver(t *testing.T) {
	over, end := context.WithCancel(context.Background())
	inbox := newInbox(5, over)
	result := make(chan bool)
	go func() {
		_, over := inbox.gather()
		result <- over
	}()
	end()
	if !<-result {
		t.Error("gathered nothing, and it is not over")
	}
	inbox.push(amqp.Delivery{})
	if batch, over := inbox.gather(); !over || batch.deliveries != nil {
		t.Error("gathered after the end")
	}
}
