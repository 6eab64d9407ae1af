package consumer

import (
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"disparo/consumer/internal/contract"
)

// Reason is why a message is a dead letter, as in consumer/README.md, in the order in which the reasons are checked.
type Reason string

// The reasons of consumer/README.md.
const (
	TooLarge        Reason = "too_large"
	NotJSON         Reason = "not_json"
	UnknownVersion  Reason = "unknown_version"
	SchemaViolation Reason = "schema_violation"
	UnknownCampaign Reason = "unknown_campaign"
	UnknownChunk    Reason = "unknown_chunk"
	RefusedByStore  Reason = "refused_by_store"
)

// DeadReason is what a dead letter carries in its headers.
type DeadReason struct {
	Reason Reason
	// Detail is a code and a path, as in consumer/contract/dead-letters.json: never a value, and no words of a library.
	Detail string
}

// Delivery is a message as it came, decoded once, when first asked: step 1 counts its numbers, step 2 takes the same chunk.
type Delivery struct {
	message   amqp.Delivery
	isDecoded bool
	chunk     *contract.Chunk
	malformed DeadReason
}

func (d *Delivery) decoded() (*contract.Chunk, DeadReason) {
	if !d.isDecoded {
		d.chunk, d.malformed = decodeBody(d.message.Body)
		d.isDecoded = true
	}
	return d.chunk, d.malformed
}

// numbers is how many it brings; none when it is malformed.
func (d *Delivery) numbers() int {
	if chunk, _ := d.decoded(); chunk != nil {
		return len(chunk.PhoneNumbers)
	}
	return 0
}

// decode is step 2. It splits deliveries into chunks and malformed ones.
func decode(deliveries []*Delivery) (chunks []*Delivery, malformed map[*Delivery]Verdict) {
	malformed = map[*Delivery]Verdict{}
	for _, delivery := range deliveries {
		if chunk, dead := delivery.decoded(); chunk != nil {
			chunks = append(chunks, delivery)
		} else {
			malformed[delivery] = Verdict{Dead: dead}
		}
	}
	return chunks, malformed
}

// decodeBody reads the body of a queue message as a chunk, or returns why it is none.
func decodeBody(body []byte) (*contract.Chunk, DeadReason) {
	if len(body) > contract.MaxChunkBytes {
		return nil, DeadReason{TooLarge, "max_bytes"}
	}
	if !utf8.Valid(body) {
		return nil, DeadReason{NotJSON, "utf8"}
	}
	parsed, ok := contract.ParseBody(string(body))
	if !ok {
		return nil, DeadReason{NotJSON, "json"}
	}
	if parsed.IsOtherVersion() {
		return nil, DeadReason{UnknownVersion, "const /version"}
	}
	chunk, fault := parsed.Chunk()
	if fault != "" {
		return nil, DeadReason{SchemaViolation, fault}
	}
	return chunk, DeadReason{}
}
