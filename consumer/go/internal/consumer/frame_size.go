package consumer

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// frameOverhead is what a frame with properties has in addition to them: 7 bytes before it and 1 after it, the class, the
// weight, the size of the body, the flags.
const frameOverhead = 22

// propertiesSize is the size of the frame with the properties of a message, in bytes. That frame is never split, and the
// library sends it even above the broker's limit.
func propertiesSize(publishing amqp.Publishing) int {
	size := frameOverhead + tableSize(publishing.Headers)
	for _, text := range []string{
		publishing.ContentType, publishing.ContentEncoding, publishing.CorrelationId, publishing.ReplyTo, publishing.Expiration,
		publishing.MessageId, publishing.Type, publishing.UserId, publishing.AppId,
	} {
		if text != "" {
			size += 1 + len(text)
		}
	}
	if publishing.DeliveryMode > 0 {
		size++
	}
	if publishing.Priority > 0 {
		size++
	}
	if !publishing.Timestamp.IsZero() {
		size += 8
	}
	return size
}

// tableSize is the size of a table: its length, and the name, the type and the value of each field.
func tableSize(table amqp.Table) int {
	size := 4
	for name, value := range table {
		size += 1 + len(name) + valueSize(value)
	}
	return size
}

// valueSize is the size of a value with its type.
func valueSize(value any) int {
	switch value := value.(type) {
	case nil:
		return 1
	case bool, int8, uint8:
		return 1 + 1
	case int16, uint16:
		return 1 + 2
	case int, int32, uint32, float32:
		return 1 + 4
	case amqp.Decimal:
		return 1 + 5
	case int64, float64, time.Time:
		return 1 + 8
	case string:
		return 1 + 4 + len(value)
	case []byte:
		return 1 + 4 + len(value)
	case amqp.Table:
		return 1 + tableSize(value)
	case []any:
		size := 1 + 4
		for _, item := range value {
			size += valueSize(item)
		}
		return size
	}
	// Of another type, which the library does not write.
	return 0
}
