package consumer

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"disparo/consumer/internal/contract"
)

func chunksOf(t *testing.T, bodies ...string) []*Delivery {
	t.Helper()
	var deliveries []*Delivery
	for _, text := range bodies {
		deliveries = append(deliveries, deliveryOf(text))
	}
	chunks, malformed := decode(deliveries)
	if len(malformed) > 0 {
		t.Fatal(malformed)
	}
	return chunks
}

func TestADocumentHasItsFieldsInOrderAndOfTheirTypes(t *testing.T) {
	now := time.UnixMilli(1_764_000_000_123)
	documents := encode(placesOf(chunksOf(t, bodyOf("c123", 41, 1), bodyOf("c123", 999_995_000, 5_000))), now)
	if len(documents) != 5_001 {
		t.Fatal(len(documents))
	}
	var first bson.D
	if err := bson.Unmarshal(documents[0], &first); err != nil {
		t.Fatal(err)
	}
	identifier, _ := first[1].Value.(string)
	if !regexp.MustCompile(`^[a-z][a-z0-9]{23}$`).MatchString(identifier) {
		t.Error(identifier)
	}
	if want := (bson.D{
		{Key: "_id", Value: "c123:000000041"},
		{Key: "identifier", Value: identifier},
		{Key: "phone_number", Value: "+5511999990001"},
		{Key: "message", Value: "oi"},
		{Key: "campaign_id", Value: "c123"},
		{Key: "company_id", Value: "d123"},
		{Key: "sequence", Value: int32(41)},
		{Key: "created_at", Value: bson.DateTime(now.UnixMilli())},
		{Key: "updated_at", Value: bson.DateTime(now.UnixMilli())},
		{Key: "deleted", Value: false},
	}); !reflect.DeepEqual(first, want) {
		t.Errorf("%v", first)
	}
	if last := bson.Raw(documents[5_000]).Lookup("_id").StringValue(); last != contract.MessageID("c123", 999_999_999) {
		t.Error(last)
	}
}

func TestALongTextMakesSeveralInsertsThatTheServerTakes(t *testing.T) {
	text := strings.Repeat(`😀`, 1_600)
	long := strings.Replace(bodyOf("c123", 1, 5_000), `"oi"`, `"`+text+`"`, 1)
	documents := encode(placesOf(chunksOf(t, long)), time.Now())
	var sizes []int
	for offset := 0; offset < len(documents); {
		command, count := insertCommand(documents[offset:])
		if err := command.Validate(); err != nil || len(command) > 16<<20 {
			t.Fatal(len(command), err)
		}
		if command.Lookup("documents", fmt.Sprint(count-1), "_id").StringValue() != contract.MessageID("c123", int32(offset+count)) {
			t.Error("another document than the last that was counted")
		}
		sizes = append(sizes, count)
		offset += count
	}
	if len(sizes) != 3 {
		t.Error(sizes)
	}
}

func TestAnInsertSaysWhatItWants(t *testing.T) {
	command, count := insertCommand(encode(placesOf(chunksOf(t, bodyOf("c123", 1, 10))), time.Now()))
	concern := command.Lookup("writeConcern").Document().String()
	if count != 10 || command.Lookup("insert").StringValue() != "messages" || command.Lookup("ordered").Boolean() ||
		concern != `{"w": "majority","j": true}` {
		t.Error(count, concern)
	}
}

func reply(n int) bson.Raw {
	raw, _ := bson.Marshal(bson.D{{Key: "n", Value: int32(n)}, {Key: "ok", Value: 1.0}})
	return raw
}

func TestOnlyDuplicatesAndRefusalsAreAcceptedInAnInsert(t *testing.T) {
	owed := chunksOf(t, bodyOf("c123", 1, 3), bodyOf("c123", 4, 2))
	failures := func(codes ...int) (failed mongo.WriteErrors) {
		for index, code := range codes {
			failed = append(failed, mongo.WriteError{Index: index, Code: code, Message: "+5511999990001"})
		}
		return failed
	}
	for _, c := range []struct {
		name   string
		err    error
		offset int
		want   Written
		fails  string
	}{
		{"duplicates", mongo.WriteException{WriteErrors: failures(11000, 11000), Raw: reply(3)}, 0,
			Written{stored: 3, repeated: 2, refused: map[*Delivery]bool{}}, ""},
		{"refused next to duplicates", mongo.WriteException{WriteErrors: failures(11000, 121), Raw: reply(0)}, 3,
			Written{repeated: 1, refused: map[*Delivery]bool{owed[1]: true}}, ""},
		{"refused in the first", mongo.WriteException{WriteErrors: failures(121), Raw: reply(4)}, 0,
			Written{stored: 4, refused: map[*Delivery]bool{owed[0]: true}}, ""},
		{"something else next to duplicates", mongo.WriteException{WriteErrors: failures(11000, 91), Raw: reply(0)}, 0, Written{}, "write error 91"},
		{"duplicates and a write concern error", mongo.WriteException{WriteErrors: failures(11000),
			WriteConcernError: &mongo.WriteConcernError{Code: 64}, Raw: reply(0)}, 0, Written{}, "write concern error 64"},
		{"a write concern error alone", mongo.WriteException{WriteConcernError: &mongo.WriteConcernError{Code: 64}}, 0, Written{}, "write concern error 64"},
		{"a connection", errors.New("connection reset"), 0, Written{}, "connection reset"},
	} {
		written := Written{refused: map[*Delivery]bool{}}
		err := written.add(c.err, placesOf(owed)[c.offset:])
		if c.fails != "" {
			if err == nil || err.Error() != c.fails {
				t.Errorf("%s: %v", c.name, err)
			}
		} else if err != nil || !reflect.DeepEqual(written, c.want) {
			t.Errorf("%s: %+v %v", c.name, written, err)
		}
	}
}

func TestAChunkThatWasRefusedIsNotRecorded(t *testing.T) {
	owed := chunksOf(t, bodyOf("c123", 1, 3), bodyOf("c123", 4, 2))
	written := Written{refused: map[*Delivery]bool{owed[0]: true}}
	if accepted := written.accepted(owed); len(accepted) != 1 || accepted[0] != owed[1] {
		t.Error(accepted)
	}
}

func BenchmarkEncode(b *testing.B) {
	delivery := deliveryOf(bodyOf("c123", 1, 5_000))
	chunks, _ := decode([]*Delivery{delivery})
	places := placesOf(chunks)
	for b.Loop() {
		encode(places, time.Now())
	}
}

func BenchmarkDecode(b *testing.B) {
	text := []byte(bodyOf("c123", 1, 5_000))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		decodeBody(text)
	}
}
