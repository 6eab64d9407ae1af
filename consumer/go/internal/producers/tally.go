package producers

import "sync"

// Summary is what the broker has confirmed, each message once.
type Summary struct {
	// Published is all of them.
	Published int `json:"published"`
	// Distinct is how many events there are among them.
	Distinct int `json:"distinct"`
	// Bad is how many are no events.
	Bad int `json:"bad"`
	// Duplicates is how many are an event that was counted before.
	Duplicates int `json:"duplicates"`
}

// Tally counts what is confirmed.
type Tally struct {
	mutex   sync.Mutex
	summary Summary
}

// confirm counts a message that the broker has.
func (t *Tally) confirm(message *Message) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.summary.Published++
	switch {
	case message.event == nil:
		t.summary.Bad++
	case message.event.confirmed:
		t.summary.Duplicates++
	default:
		message.event.confirmed = true
		t.summary.Distinct++
	}
}

// Summary is what was counted so far.
func (t *Tally) Summary() Summary {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.summary
}
