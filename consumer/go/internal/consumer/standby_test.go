package consumer

import (
	"context"
	"errors"
	"testing"
)

func TestStandingByEndsWhenThereIsNoOtherConsumerAndNotBefore(t *testing.T) {
	session, gone := context.WithCancel(t.Context())
	standby := newStandby()
	standby.watch(session, func() (int, error) { return 1, errors.New("the channel is gone") })
	if standby.isOver() {
		t.Error("over without an answer")
	}
	standby.watch(session, func() (int, error) { gone(); return 2, nil })
	if standby.isOver() {
		t.Error("over while there are two")
	}
	standby.watch(t.Context(), func() (int, error) { return 1, nil })
	if !standby.isOver() {
		t.Error("not over though it is alone")
	}
}
