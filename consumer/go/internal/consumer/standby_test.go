package consumer

import (
	"context"
	"errors"
	"testing"
)

func TestStandingByEndsWhenThereIsNoOtherConsumerAndNotBefore(t *testing.T) {
	session, gone := context.WithCancel(t.Context())
	standby := newStandby()
	standby.watch(func() (int, error) { return 1, errors.New("the channel is gone") }, session)
	if standby.isOver() {
		t.Error("over without an answer")
	}
	standby.watch(func() (int, error) { gone(); return 2, nil }, session)
	if standby.isOver() {
		t.Error("over while there are two")
	}
	standby.watch(func() (int, error) { return 1, nil }, t.Context())
	if !standby.isOver() {
		t.Error("not over though it is alone")
	}
}
