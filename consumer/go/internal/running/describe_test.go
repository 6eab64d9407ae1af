package running

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/description"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
)

func TestAReasonIsOneLineInOurWordsWhereTheKindIsKnown(t *testing.T) {
	address := &net.TCPAddr{IP: net.IPv6loopback, Port: 1}
	refused := fmt.Errorf("failed to connect to `h`:\n\t%w", &net.OpError{Op: "dial", Net: "tcp", Addr: address, Err: syscall.ECONNREFUSED})
	unknown := &net.OpError{Op: "dial", Err: &net.DNSError{Name: "nobody.example", IsNotFound: true}}
	servers := description.Topology{Servers: []description.Server{{}, {LastError: refused}}}
	for _, c := range []struct {
		err  error
		want string
	}{
		{refused, "connection refused at [::1]:1"},
		{topology.ServerSelectionError{Desc: servers}, "connection refused at [::1]:1"},
		{fmt.Errorf("wrapped: %w", unknown), "unknown host nobody.example"},
		{&pgconn.PgError{Code: "28P01"}, "the user or the password is wrong"},
		{&pgconn.PgError{Code: "53100", Message: "No space left on device"}, "No space left on device"},
		{errors.New("read: i/o timeout\nmore"), "read: i/o timeout more"},
	} {
		if got := Describe(c.err, "postgresql://u@h/d"); got != c.want {
			t.Errorf("%v: %q, wanted %q", c.err, got, c.want)
		}
	}
}

func TestAReasonHoldsNoSecret(t *testing.T) {
	secrets, err := os.ReadFile("../../../contract/examples/secrets.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(secrets)) {
		var one struct{ URL, Text, Says string }
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatal(err)
		}
		if got := Describe(errors.New(one.Text), one.URL); got != one.Says {
			t.Errorf("%q: %q, wanted %q", one.Text, got, one.Says)
		}
	}
}
