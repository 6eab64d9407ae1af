package contract

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/description"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
)

func TestTheChecksByHandAreThePatternsOfTheSchema(t *testing.T) {
	id := regexp.MustCompile(schema.Defs.ID.Pattern)
	number := regexp.MustCompile(schema.Properties["phone_numbers"].Items.Pattern)
	var texts []string
	for length := range 40 {
		for _, first := range []string{"a", "z", "A", "0", "1", "9", "+", "+0", "+1", "+9", "+a", " ", "", "é"} {
			for _, filler := range []byte("a0z9Z:_ \n+٣") {
				text := []byte(first)
				for len(text) < length {
					text = append(text, '5')
				}
				texts = append(texts, string(text), string(text)+string(filler), string(filler)+string(text))
			}
		}
	}
	matched := 0
	for _, text := range texts {
		if isID(text) != id.MatchString(text) {
			t.Errorf("id %q", text)
		}
		if isPhoneNumber(text) != number.MatchString(text) {
			t.Errorf("number %q", text)
		}
		if isID(text) || isPhoneNumber(text) {
			matched++
		}
	}
	if matched < 100 {
		t.Error("too few that match:", matched)
	}
}

func TestIDsSortAsTheirSequencesDoAndARangeHoldsOneCampaignOnly(t *testing.T) {
	ids := []string{MessageID("ab", 2), MessageID("ab", 10), MessageID("ab", 999_999_999)}
	if !slices.IsSorted(ids) || ids[0] != "ab:000000002" {
		t.Error(ids)
	}
	bounds := messageRange("ab")
	after, before := bounds[0].Value.(string), bounds[1].Value.(string)
	for id, inside := range map[string]bool{ids[0]: true, ids[2]: true, "aa:000000003": false, "ab1:000000003": false, "abc:000000003": false, "b:000000003": false} {
		if (id > after && id < before) != inside {
			t.Error(id)
		}
	}
}

func TestTheDatabaseOfAURL(t *testing.T) {
	for url, want := range map[string]string{
		"mongodb://h/": "disparo",
		"mongodb://h":  "disparo",
		"mongodb://u:p@a:1,b:2/other?authSource=admin": "other",
		"mongodb://h/?replicaSet=rs":                   "disparo",
		"mongodb+srv://u:p@cluster/with%2Ddash":        "with-dash",
	} {
		if got, err := MessagesDatabase(url); err != nil || got != want {
			t.Errorf("%s: %s %v", url, got, err)
		}
	}
	for _, url := range []string{"mongodb://h/a.b", "mongodb://h/a%2eb", "mongodb://h/%zz", "mongodb://h/%ff"} {
		if got, err := MessagesDatabase(url); !errors.Is(err, ErrUnusableURL) {
			t.Errorf("%s: %s %v", url, got, err)
		}
	}
}

func TestEveryQueueTypeHasItsArguments(t *testing.T) {
	if !slices.Equal(queueTypes, []string{"classic", "quorum"}) {
		t.Error(queueTypes)
	}
	limit := Topology{Type: "quorum"}.argument(template.QueueTypes["quorum"]["x-delivery-limit"], 0)
	if limit != int64(1_000_000_000) {
		t.Errorf("%T %v", limit, limit)
	}
}

func TestTheTopologyIsThatOfTheContract(t *testing.T) {
	names := Topology{Prefix: "{partition}x", Partitions: 2}
	if queue := names.Queue(1); queue != "{partition}x.campaigns.1" {
		t.Error(queue)
	}
	if exchange := names.DeadLetterExchange(); exchange != "{partition}x.dead" {
		t.Error(exchange)
	}
	if names.EventsExchange() != "{partition}x.events" || names.EventsRoutingKey() != "{partition}x.events" ||
		eventsTemplate.Queue.Arguments["x-overflow"] != "reject-publish" {
		t.Errorf("%+v", eventsTemplate)
	}
	if names.fill(template.Queue.Arguments["x-dead-letter-exchange"].(string), 0) != "{partition}x.dead" ||
		template.Queue.Arguments["x-single-active-consumer"] != true || template.Exchange.Type != "direct" {
		t.Errorf("%+v", template)
	}
}

func TestWhatStopsAStartAndWhatWaits(t *testing.T) {
	server := func(code int, reason string) error { return &amqp.Error{Code: code, Reason: reason, Server: true} }
	wrapped := func(err error) error { return fmt.Errorf("failed to connect: %w", err) }
	selection := func(err error) error {
		return topology.ServerSelectionError{Desc: description.Topology{Servers: []description.Server{{LastError: wrapped(err)}}}}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{wrapped(&pgconn.PgError{Code: "28P01"}), "the user or the password is wrong"},
		{wrapped(&pgconn.PgError{Code: "28000"}), "the server does not let this user in"},
		{wrapped(&pgconn.PgError{Code: "3D000"}), "the database does not exist"},
		{ErrPasswordMissing, "the server wants a password, and the URL has none"},
		{&pgconn.PgError{Code: "42P01"}, ""},
		{&pgconn.PgError{Code: "57P03"}, ""},
		{errors.New("tls error: server refused TLS connection"), "the URL asks for TLS, and the server does not speak it"},
		{mongo.CommandError{Code: 18, Wrapped: driver.Error{Code: 18}}, "the user or the password is wrong"},
		{selection(driver.Error{Code: 18}), "the user or the password is wrong"},
		{selection(driver.Error{Code: 8000}), "the user or the password is wrong"},
		{selection(driver.Error{Code: 334}), "the server does not support the authMechanism of the URL"},
		{mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 13}}}, "the user may not create or write the collection of messages"},
		{driver.Error{Code: 91}, ""},
		{errors.New("(Unauthorized) command create requires authentication"), "the server wants a user and a password, and the URL has none"},
		{amqp.ErrCredentials, "the user or the password is wrong, or has no right to this"},
		{server(403, "ACCESS_REFUSED - access to queue refused"), "the user or the password is wrong, or has no right to this"},
		{server(530, "NOT_ALLOWED - vhost x not found"), "the vhost is missing, not open to this user, or at its limit of connections"},
		{server(406, "PRECONDITION_FAILED - inequivalent arg 'x' for queue 'q'"),
			"a queue or exchange exists with other arguments (inequivalent arg 'x' for queue 'q'); delete it, or take another QUEUE_PREFIX or QUEUE_TYPE"},
		{server(320, "CONNECTION_FORCED - broker forced connection closure"), ""},
		{amqp.ErrClosed, ""},
		{wrapped(x509.UnknownAuthorityError{}), "the server's certificate is not trusted (x509: certificate signed by unknown authority)"},
		{selection(x509.UnknownAuthorityError{}), "the server's certificate is not trusted (x509: certificate signed by unknown authority)"},
		{wrapped(ErrUnusableURL), "is not usable; check its options and the files they name, and percent-encode special characters"},
		{errors.New("dial tcp 127.0.0.1:1: connect: connection refused"), ""},
		{errors.New("lookup nobody: no such host"), ""},
		{io.EOF, ""},
	} {
		if got := Refusal(c.err); got != c.want {
			t.Errorf("%v: %q, wanted %q", c.err, got, c.want)
		}
	}
}
