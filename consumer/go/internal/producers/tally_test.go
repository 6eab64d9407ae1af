package producers

import "testing"

func TestOnlyWhatIsConfirmedIsCountedAndAnEventAsDistinctOnce(t *testing.T) {
	tally := &Tally{}
	one, other := &event{}, &event{}
	for _, message := range []*Message{{event: one}, {event: one}, {}, {event: one}} {
		tally.confirm(message)
	}
	if got := tally.Summary(); got != (Summary{Published: 4, Distinct: 1, Bad: 1, Duplicates: 2}) {
		t.Error(got)
	}
	// Of an event whose first message is not confirmed yet, the second is the one that counts.
	tally.confirm(&Message{ID: "sent once more", event: other})
	if got := tally.Summary(); got != (Summary{Published: 5, Distinct: 2, Bad: 1, Duplicates: 2}) {
		t.Error(got)
	}
}
