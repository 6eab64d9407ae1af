package consumer

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"disparo/consumer/internal/contract"
)

func TestWhatADeliveryGets(t *testing.T) {
	reason := DeadReason{UnknownCampaign, "ledger /campaign_id"}
	refused := DeadReason{RefusedByStore, "mongodb 121"}
	for _, c := range []struct {
		verdict Verdict
		refused bool
		want    Outcome
	}{
		{Verdict{Dead: reason}, false, Outcome{Dead: reason}},
		{Verdict{As: LetGo}, false, Outcome{As: LetGo}},
		{Verdict{As: Repeated}, false, Outcome{As: Repeated}},
		{Verdict{As: Owed}, true, Outcome{Dead: refused}},
		{Verdict{As: Owed}, false, Outcome{As: Stored}},
	} {
		if got := outcomeOf(c.verdict, c.refused); got != c.want {
			t.Errorf("%+v, %v: %+v", c.verdict, c.refused, got)
		}
	}
}

func TestADeliveryThatIsHeldIsNeverAcknowledgedWithThoseBehindIt(t *testing.T) {
	for _, c := range []struct {
		row  string
		held bool
		want []string
	}{
		{"ggg", false, []string{"up to 3"}},
		{"gg", true, []string{"1", "2"}},
		{"gbgg", false, []string{"up to 1", "3", "4"}},
		{"bgb", false, []string{"2"}},
		{"ggb", false, []string{"up to 2"}},
		{"bb", false, nil},
		{"gbg", true, []string{"1", "3"}},
	} {
		var deliveries []*Delivery
		var outcomes []Outcome
		for i, kind := range c.row {
			outcome := Outcome{As: Stored}
			if kind == 'b' {
				outcome = Outcome{Dead: DeadReason{NotJSON, "json"}}
			}
			deliveries = append(deliveries, &Delivery{message: amqp.Delivery{DeliveryTag: uint64(i + 1)}})
			outcomes = append(outcomes, outcome)
		}
		var got []string
		for _, a := range acknowledgementsOf(deliveries, outcomes, c.held) {
			text := strconv.FormatUint(a.delivery.message.DeliveryTag, 10)
			if a.multiple {
				text = "up to " + text
			}
			got = append(got, text)
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s, held before: %v: %v", c.row, c.held, got)
		}
	}
}

func TestADeliveryWithoutAVerdictIsABug(t *testing.T) {
	batch := Batch{deliveries: []*Delivery{deliveryOf("{")}}
	if _, err := outcomesOf(batch, nil, nil, Written{}); !errors.Is(err, errNoVerdict) {
		t.Error(err)
	}
}

func TestADeadLetterIsTheMessageAsItCame(t *testing.T) {
	at := time.Unix(1_764_000_000, 0)
	message := amqp.Delivery{
		Headers:     amqp.Table{"traceparent": "t", "nested": amqp.Table{"a": int64(1)}},
		ContentType: "application/json", ContentEncoding: "identity", DeliveryMode: amqp.Transient, Priority: 3,
		CorrelationId: "c", ReplyTo: "r", Expiration: "60000", MessageId: "m", Timestamp: at, Type: "t", UserId: "u", AppId: "a",
		Body: []byte("{"),
	}
	want := amqp.Publishing{
		Headers: amqp.Table{
			"traceparent": "t", "nested": amqp.Table{"a": int64(1)},
			"reason": "not_json", "detail": "json", "source_queue": "q",
		},
		ContentType: "application/json", ContentEncoding: "identity", DeliveryMode: amqp.Persistent, Priority: 3,
		CorrelationId: "c", ReplyTo: "r", MessageId: "m", Timestamp: at, Type: "t", AppId: "a",
		Body: []byte("{"),
	}
	if got := asItCame(message, DeadReason{NotJSON, "json"}, "q", frameMax); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if len(message.Headers) != 2 {
		t.Error("the headers of the delivery were changed")
	}
}

const frameMax = 131_072

func TestHeadersThatNoFrameCanHoldAnyMoreAreDroppedWholeAndTheRestIsKept(t *testing.T) {
	deadLetter := func(length int) amqp.Publishing {
		message := amqp.Delivery{MessageId: "m", Headers: amqp.Table{"big": strings.Repeat("x", length)}, Body: []byte("{")}
		return asItCame(message, DeadReason{NotJSON, "json"}, "q", frameMax)
	}
	if _, kept := deadLetter(120_000).Headers["big"]; !kept {
		t.Error("dropped what fits")
	}
	longest := frameMax - propertiesSize(deadLetter(0))
	if got := deadLetter(longest); propertiesSize(got) != frameMax || got.Headers["big"] == nil {
		t.Error("dropped what fits just so")
	}
	want := amqp.Publishing{
		Headers:      amqp.Table{"headers_dropped": true, "reason": "not_json", "detail": "json", "source_queue": "q"},
		DeliveryMode: amqp.Persistent, MessageId: "m", Body: []byte("{"),
	}
	if got := deadLetter(longest + 1); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	unwritable := amqp.Delivery{MessageId: "m", Headers: amqp.Table{"big": uint64(1)}, Body: []byte("{")}
	if got := asItCame(unwritable, DeadReason{NotJSON, "json"}, "q", frameMax); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestStep3JudgesByTheUpperRowThatFits(t *testing.T) {
	two := int32(2)
	key := contract.Key{CampaignID: "c123", FirstSequence: 1}
	known := AdmitRow{Key: key, CampaignKnown: true, Size: &two, Running: true}
	with := func(change func(*AdmitRow)) []AdmitRow {
		row := known
		change(&row)
		return []AdmitRow{row}
	}
	for _, c := range []struct {
		name string
		rows []AdmitRow
		want []Verdict
		owed int
	}{
		{"owed once, then repeated", []AdmitRow{known}, []Verdict{{As: Owed}, {As: Repeated}}, 1},
		{"stored", with(func(r *AdmitRow) { r.Stored = true }), []Verdict{{As: Repeated}, {As: Repeated}}, 0},
		{"stored and not running", with(func(r *AdmitRow) { r.Stored, r.Running = true, false }), []Verdict{{As: LetGo}, {As: LetGo}}, 0},
		{"another size and not running", with(func(r *AdmitRow) { *r = AdmitRow{Key: key, CampaignKnown: true, Size: new(int32)} }),
			twice(DeadReason{UnknownChunk, "ledger /phone_numbers"}), 0},
		{"no chunk", with(func(r *AdmitRow) { r.Size = nil }), twice(DeadReason{UnknownChunk, "ledger /first_sequence"}), 0},
		{"no campaign", with(func(r *AdmitRow) { *r = AdmitRow{Key: key} }), twice(DeadReason{UnknownCampaign, "ledger /campaign_id"}), 0},
		{"no row", nil, twice(DeadReason{UnknownCampaign, "ledger /campaign_id"}), 0},
	} {
		chunks, _ := decode([]*Delivery{deliveryOf(bodyOf("c123", 1, 2)), deliveryOf(bodyOf("c123", 1, 2))})
		admission := judge(chunks, c.rows)
		got := []Verdict{admission.verdicts[chunks[0]], admission.verdicts[chunks[1]]}
		if !reflect.DeepEqual(got, c.want) || len(admission.owed) != c.owed {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func twice(dead DeadReason) []Verdict { return []Verdict{{Dead: dead}, {Dead: dead}} }
