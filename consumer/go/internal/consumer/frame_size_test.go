package consumer

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestTheSizeOfAFrameIsWhatTheLibraryWrites(t *testing.T) {
	for _, publishing := range []amqp.Publishing{
		{},
		{Headers: amqp.Table{"a": "b"}, ContentType: "application/json", ContentEncoding: "identity", DeliveryMode: 2, Priority: 3},
		{CorrelationId: "c", ReplyTo: "r", MessageId: "m", Timestamp: time.Unix(1, 0), Type: "t", AppId: "a"},
		{Headers: amqp.Table{
			"nil": nil, "bool": true, "int8": int8(1), "byte": byte(1), "int16": int16(1), "uint16": uint16(1), "int": 1, "int32": int32(1),
			"uint32": uint32(1), "int64": int64(1), "float32": float32(1), "float64": 1.0, "decimal": amqp.Decimal{Scale: 1, Value: 1},
			"string": "text", "bytes": []byte("text"), "time": time.Unix(1, 0), "table": amqp.Table{"a": "b"},
			"array": []any{"a", int64(1), amqp.Table{"b": nil}},
		}},
	} {
		if got, want := propertiesSize(publishing), writtenSize(t, publishing); got != want {
			t.Errorf("%+v: %d, and the library writes %d", publishing, got, want)
		}
	}
}

// writtenSize publishes to a broker of a few lines, and returns the size of the frame with the properties.
func writtenSize(t *testing.T, publishing amqp.Publishing) int {
	t.Helper()
	client, server := net.Pipe()
	sizes := make(chan int, 1)
	go answer(server, sizes)
	connection, err := amqp.Open(client, amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{}}, Heartbeat: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	channel, err := connection.Channel()
	if err != nil {
		t.Fatal(err)
	}
	publishing.Body = []byte("x")
	if err := channel.Publish("", "q", false, false, publishing); err != nil {
		t.Fatal(err)
	}
	// A table without a field is not written, and a dead letter always has one.
	if size := <-sizes; len(publishing.Headers) == 0 {
		return size + 4
	} else {
		return size
	}
}

// answer is a broker that lets anybody in and tells the size of the first frame with properties.
func answer(server net.Conn, sizes chan<- int) {
	const method, header = 1, 2
	answers := map[uint32][]byte{
		0x000a_000b: {0, 10, 0, 30, 0, 10, 0, 2, 0, 0, 0, 0}, // start-ok: tune, with a frame of 128 KiB
		0x000a_0028: {0, 10, 0, 41, 0},                       // open: open-ok
		0x0014_000a: {0, 20, 0, 11, 0, 0, 0, 0},              // channel open: open-ok
	}
	write := func(channel uint16, payload []byte) {
		frame := binary.BigEndian.AppendUint16([]byte{method}, channel)
		frame = binary.BigEndian.AppendUint32(frame, uint32(len(payload)))
		_, _ = server.Write(append(append(frame, payload...), 0xce))
	}
	if _, err := io.ReadFull(server, make([]byte, 8)); err != nil {
		return
	}
	write(0, append([]byte{0, 10, 0, 10, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5}, append([]byte("PLAIN"), 0, 0, 0, 5, 'e', 'n', '_', 'U', 'S')...))
	for {
		head := make([]byte, 7)
		if _, err := io.ReadFull(server, head); err != nil {
			return
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
		if _, err := io.ReadFull(server, payload); err != nil {
			return
		}
		switch head[0] {
		case method:
			if reply, known := answers[binary.BigEndian.Uint32(payload)]; known {
				write(binary.BigEndian.Uint16(head[1:]), bytes.Clone(reply))
			}
		case header:
			sizes <- len(head) + len(payload)
		}
	}
}
