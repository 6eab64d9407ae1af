package contract

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	files "disparo/contract"
)

// says has the sentence for each refusal: of a service by the code of its server, of Client by what a driver itself finds.
var says = func() (parsed struct {
	PostgreSQL map[string]string
	MongoDB    map[int]string
	RabbitMQ   map[int]string
	Client     map[string]string
}) {
	if err := json.Unmarshal(files.RefusalsJSON, &parsed); err != nil {
		panic(err)
	}
	return parsed
}()

// UnusableURL is said of a URL that its driver does not take, instead of the driver's words: they may quote a part of the
// password.
var UnusableURL = says.Client["unusable_url"]

// ErrUnusableURL is the error of a URL that no driver may or can take; its text is UnusableURL.
var ErrUnusableURL = errors.New(UnusableURL)

// ErrPasswordMissing says that the server refused an empty password, and the URL has none.
var ErrPasswordMissing = errors.New(says.Client["no_password"])

// Refusal tells what stops a start from what waits. Only what cannot heal by itself is a refusal; a closed port, a time-out
// and an unknown host are none. Returns what was refused, in words without a secret; empty for everything that is worth a
// retry.
func Refusal(err error) string {
	text := err.Error()
	err = WithServers(err)
	var postgres *pgconn.PgError
	var rabbit *amqp.Error
	switch {
	case errors.Is(err, ErrPasswordMissing):
		return says.Client["no_password"]
	case errors.As(err, &postgres):
		return says.PostgreSQL[postgres.Code]
	case errors.As(err, &rabbit):
		return rabbitRefusal(rabbit)
	case strings.Contains(text, "server refused TLS connection"):
		return says.Client["no_tls"]
	case errors.Is(err, ErrUnusableURL):
		return UnusableURL
	case strings.Contains(text, "load balancing mode"):
		return says.Client["no_load_balancer"]
	// A server has one code for a user without a right and for no user at all.
	case strings.HasSuffix(text, "requires authentication"):
		return says.Client["no_user"]
	}
	if refused := mongoRefusal(err); refused != "" {
		return refused
	}
	if why := untrusted(err); why != nil {
		return strings.Replace(says.Client["untrusted"], "{why}", why.Error(), 1)
	}
	return ""
}

// WithServers joins an error with what went wrong with each server: MongoDB's driver keeps that apart from the error.
func WithServers(err error) error {
	var selection topology.ServerSelectionError
	if !errors.As(err, &selection) {
		return err
	}
	all := []error{err}
	for _, server := range selection.Desc.Servers {
		all = append(all, server.LastError)
	}
	return errors.Join(all...)
}

func mongoRefusal(err error) string {
	var command driver.Error
	if errors.As(err, &command) {
		return says.MongoDB[int(command.Code)]
	}
	var write mongo.WriteException
	if errors.As(err, &write) && len(write.WriteErrors) > 0 {
		return says.MongoDB[write.WriteErrors[0].Code]
	}
	return ""
}

// rabbitRefusal is the refusal of an error that the broker sent, or that the library made in its place.
func rabbitRefusal(err *amqp.Error) string {
	if err == amqp.ErrCredentials || err == amqp.ErrSASL {
		return says.RabbitMQ[amqp.AccessRefused]
	}
	if !err.Server {
		return ""
	}
	// Only the part of the broker's words that names the queue.
	_, why, _ := strings.Cut(err.Reason, " - ")
	return strings.Replace(says.RabbitMQ[err.Code], "{why}", why, 1)
}

// untrusted is why a certificate is not trusted; nil for any other error.
func untrusted(err error) error {
	var (
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		host      x509.HostnameError
	)
	switch {
	case errors.As(err, &authority):
		return authority
	case errors.As(err, &invalid):
		return invalid
	case errors.As(err, &host):
		return host
	}
	return nil
}
