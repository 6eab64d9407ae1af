package consumer

import (
	"fmt"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"disparo/consumer/internal/contract"
	"disparo/consumer/internal/cuid2"
)

// maxCommandBytes keeps a command below the 16 MiB that the server takes for one. An insert with a usual text is
// less than 1 MB; only long texts make a second one.
const maxCommandBytes = 15 << 20

// documentBytes is the most that a document takes in addition to middle.
const documentBytes = 320

// encoder writes the documents of one chunk as BSON, by hand: the driver's own way costs eight times as much. The order
// of the fields is that of every consumer.
type encoder struct {
	idPrefix string
	// middle is message, campaign_id and company_id, alike in all documents of the chunk.
	middle []byte
	// end is created_at, updated_at and deleted.
	end []byte
	// buffer holds the documents; one allocation serves many.
	buffer []byte
	size   int
}

// newEncoder allocates the space for a number of documents.
func newEncoder(chunk *contract.Chunk, now time.Time, documents int) *encoder {
	milliseconds := now.UnixMilli()
	middle := bsoncore.AppendStringElement(nil, "message", chunk.Message)
	middle = bsoncore.AppendStringElement(middle, "campaign_id", chunk.CampaignID)
	middle = bsoncore.AppendStringElement(middle, "company_id", chunk.CompanyID)
	end := bsoncore.AppendDateTimeElement(nil, "created_at", milliseconds)
	end = bsoncore.AppendDateTimeElement(end, "updated_at", milliseconds)
	end = bsoncore.AppendBooleanElement(end, "deleted", false)
	size := len(middle) + documentBytes
	return &encoder{
		idPrefix: chunk.CampaignID + ":",
		middle:   middle,
		end:      end,
		buffer:   make([]byte, 0, size*documents),
		size:     size,
	}
}

func (e *encoder) document(sequence int32, phoneNumber string) []byte {
	begin := len(e.buffer)
	_, out := bsoncore.AppendDocumentStart(e.buffer)
	out = bsoncore.AppendStringElement(out, "_id", e.idPrefix+nineDigits(sequence))
	out = bsoncore.AppendStringElement(out, "identifier", cuid2.New())
	out = bsoncore.AppendStringElement(out, "phone_number", phoneNumber)
	out = append(out, e.middle...)
	out = bsoncore.AppendInt32Element(out, "sequence", sequence)
	out = append(out, e.end...)
	out, err := bsoncore.AppendDocumentEnd(out, int32(begin))
	if err != nil {
		panic(fmt.Errorf("a document cannot be encoded: %w", err))
	}
	e.buffer = out
	return out[begin:len(out):len(out)]
}

func nineDigits(sequence int32) string {
	text := strconv.Itoa(int(sequence))
	return "000000000"[len(text):] + text
}

// insertCommand is the insert of as many documents from the front as one command takes, and how many those are.
func insertCommand(documents [][]byte) (bson.Raw, int) {
	_, command := bsoncore.AppendDocumentStart(nil)
	command = bsoncore.AppendStringElement(command, "insert", contract.Messages)
	array, command := bsoncore.AppendArrayElementStart(command, "documents")
	count := 0
	for count < len(documents) && (count == 0 || len(command)+len(documents[count]) < maxCommandBytes) {
		command = bsoncore.AppendDocumentElement(command, strconv.Itoa(count), documents[count])
		count++
	}
	command, err := bsoncore.AppendArrayEnd(command, array)
	if err != nil {
		panic(fmt.Errorf("an insert cannot be encoded: %w", err))
	}
	command = bsoncore.AppendBooleanElement(command, "ordered", false)
	concern := bsoncore.BuildDocument(nil, bsoncore.AppendBooleanElement(bsoncore.AppendStringElement(nil, "w", "majority"), "j", true))
	command = bsoncore.AppendDocumentElement(command, "writeConcern", concern)
	command, err = bsoncore.AppendDocumentEnd(command, 0)
	if err != nil {
		panic(fmt.Errorf("an insert cannot be encoded: %w", err))
	}
	return bson.Raw(command), count
}
