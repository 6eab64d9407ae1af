package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"disparo/consumer/internal/contract"
)

const (
	duplicateKey       = 11_000
	refusedByValidator = 121
)

// Written is what became of the documents of a batch.
type Written struct {
	// stored is how many documents were written now.
	stored int
	// repeated is how many were there already.
	repeated int
	// refused are the chunks of which the validator refused a document.
	refused map[*Delivery]bool
}

// store is step 4. One document a number, in one unordered insert. An error when it is not certain that they survive.
func store(ctx context.Context, database *mongo.Database, owed []*Delivery, now time.Time) (Written, error) {
	documents := encodeAll(owed, now)
	written := Written{refused: map[*Delivery]bool{}}
	for offset := 0; offset < len(documents); {
		command, count := insertCommand(documents[offset:])
		reply := database.RunCommand(ctx, command)
		raw, err := reply.Raw()
		if err == nil {
			written.stored += inserted(raw)
		} else if err := written.add(err, owed, offset); err != nil {
			return Written{}, err
		}
		offset += count
	}
	return written, nil
}

// add takes up the errors of an insert: duplicates are stored, and a refusal concerns its chunk alone. Whatever else was
// wrong is answered, without the text of the server: it may hold a document.
func (w *Written) add(err error, owed []*Delivery, offset int) error {
	var failed mongo.WriteException
	if !errors.As(err, &failed) {
		return err
	}
	if failed.WriteConcernError != nil {
		return fmt.Errorf("write concern error %d", failed.WriteConcernError.Code)
	}
	if len(failed.WriteErrors) == 0 {
		return errors.New("the insert failed without a write error")
	}
	for _, failure := range failed.WriteErrors {
		switch failure.Code {
		case duplicateKey:
			w.repeated++
		case refusedByValidator:
			w.refused[ownerOf(owed, offset+failure.Index)] = true
		default:
			return fmt.Errorf("write error %d", failure.Code)
		}
	}
	w.stored += inserted(failed.Raw)
	return nil
}

// accepted are those of the chunks that go on to step 5: a chunk of which a document was refused is not recorded.
func (w Written) accepted(owed []*Delivery) (accepted []*Delivery) {
	for _, at := range owed {
		if !w.refused[at] {
			accepted = append(accepted, at)
		}
	}
	return accepted
}

// ownerOf is the delivery whose chunk brings the number at this place of the batch.
func ownerOf(owed []*Delivery, index int) *Delivery {
	for _, at := range owed {
		if index < len(at.chunk.PhoneNumbers) {
			return at
		}
		index -= len(at.chunk.PhoneNumbers)
	}
	panic("a write error of a document that was not sent")
}

func inserted(reply bson.Raw) int {
	n, _ := reply.Lookup("n").AsInt64OK()
	return int(n)
}

// encodeAll makes the documents of the chunks, in order; the chunks side by side, as identifiers are what costs most.
func encodeAll(owed []*Delivery, now time.Time) [][]byte {
	total := 0
	for _, at := range owed {
		total += len(at.chunk.PhoneNumbers)
	}
	documents := make([][]byte, total)
	var encoding sync.WaitGroup
	rest := documents
	for _, at := range owed {
		part := rest[:len(at.chunk.PhoneNumbers)]
		rest = rest[len(part):]
		encoding.Go(func() {
			defer exitOnPanic()
			encode(at.chunk, now, part)
		})
	}
	encoding.Wait()
	return documents
}

// encode fills in the documents of a chunk.
func encode(chunk *contract.Chunk, now time.Time, documents [][]byte) {
	encoder := newEncoder(chunk, now)
	for i := range documents {
		documents[i] = encoder.document(chunk.FirstSequence+int32(i), chunk.PhoneNumbers[i])
	}
}
