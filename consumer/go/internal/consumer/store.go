package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/sync/errgroup"

	"disparo/consumer/internal/running"
)

const (
	duplicateKey       = 11_000
	refusedByValidator = 121
	// insertDocuments is how many documents one insert has at most.
	insertDocuments = 1_000
	// insertsAtATime: while MongoDB works on some, the next is made and sent.
	insertsAtATime = 4
)

// Written is the result of storing the documents of a batch.
type Written struct {
	// stored is how many documents were written now.
	stored int
	// repeated is how many were there already.
	repeated int
	// refused are the chunks of which the validator refused a document.
	refused map[*Delivery]bool
}

// place is one number of a chunk.
type place struct {
	delivery *Delivery
	index    int
}

// store is step 4. One document a number, in unordered inserts. Returns an error when it is not certain that all survive;
// every insert has returned by then. Each insert has a time-out of its own.
func store(stores *Stores, owed []*Delivery, now time.Time) (Written, error) {
	database, err := stores.mongo()
	if err != nil {
		return Written{}, err
	}
	written := Written{refused: map[*Delivery]bool{}}
	var mutex sync.Mutex
	inserts, all := errgroup.WithContext(context.Background())
	inserts.SetLimit(insertsAtATime)
	for part := range slices.Chunk(placesOf(owed), insertDocuments) {
		inserts.Go(func() error {
			defer running.ExitOnPanic()
			ctx, cancel := context.WithTimeout(all, answerTimeout)
			defer cancel()
			some, err := insert(ctx, database, part, now)
			mutex.Lock()
			defer mutex.Unlock()
			written.stored += some.stored
			written.repeated += some.repeated
			maps.Copy(written.refused, some.refused)
			return err
		})
	}
	if err := inserts.Wait(); err != nil {
		return Written{}, err
	}
	return written, nil
}

func placesOf(owed []*Delivery) (places []place) {
	for _, delivery := range owed {
		for index := range delivery.chunk.PhoneNumbers {
			places = append(places, place{delivery, index})
		}
	}
	return places
}

// insert writes the documents of some numbers, in one insert where the server takes them in one.
func insert(ctx context.Context, database *mongo.Database, places []place, now time.Time) (Written, error) {
	documents := encode(places, now)
	written := Written{refused: map[*Delivery]bool{}}
	for len(documents) > 0 {
		command, count := insertCommand(documents)
		raw, err := database.RunCommand(ctx, command).Raw()
		if err == nil {
			written.stored += inserted(raw)
		} else if err := written.add(err, places); err != nil {
			return Written{}, err
		}
		documents, places = documents[count:], places[count:]
	}
	return written, nil
}

// add counts the errors of an insert: duplicates count as stored, and a refusal concerns its chunk alone. Any other error is
// returned, without the text of the server: it may hold a document.
func (w *Written) add(err error, places []place) error {
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
			w.refused[places[failure.Index].delivery] = true
		default:
			return fmt.Errorf("write error %d", failure.Code)
		}
	}
	w.stored += inserted(failed.Raw)
	return nil
}

// accepted are those of the chunks that go on to step 5: a chunk of which a document was refused is not recorded.
func (w Written) accepted(owed []*Delivery) (accepted []*Delivery) {
	for _, delivery := range owed {
		if !w.refused[delivery] {
			accepted = append(accepted, delivery)
		}
	}
	return accepted
}

func inserted(reply bson.Raw) int {
	n, _ := reply.Lookup("n").AsInt64OK()
	return int(n)
}

// encode makes the documents of some numbers, in order.
func encode(places []place, now time.Time) [][]byte {
	documents := make([][]byte, 0, len(places))
	for len(places) > 0 {
		delivery := places[0].delivery
		count := 1
		for count < len(places) && places[count].delivery == delivery {
			count++
		}
		encoder := newEncoder(delivery.chunk, now, count)
		for _, place := range places[:count] {
			documents = append(documents, encoder.document(delivery.chunk.FirstSequence+int32(place.index), delivery.chunk.PhoneNumbers[place.index]))
		}
		places = places[count:]
	}
	return documents
}
