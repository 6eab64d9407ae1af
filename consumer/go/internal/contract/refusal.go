package contract

import (
	"crypto/x509"
	"errors"
	"regexp"

	"github.com/jackc/pgx/v5/pgconn"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

const (
	wrongPassword = "the user or the password is wrong"
	wantsPassword = "the server wants a password, and the URL has none"
	wantsUser     = "the server wants a user and a password, and the URL has none"
	noTLS         = "the server does not speak TLS, which the URL asks for"
	// UnusableURL is said without the words of a driver's parser: they may quote a part of a password.
	UnusableURL = "is not usable; check its options and the files they name, and percent-encode special characters"

	noRightToLedger = "the user has no right to the ledger's tables"
	noVhost         = "the vhost is missing, not open to this user, or at its limit of connections"
)

// Refusal tells what stops a start from what waits: only what cannot heal by itself is a refusal. A closed port, a
// time-out and an unknown host are none. Answers what was refused, in words without a secret; empty for all that is
// worth a retry.
func Refusal(err error) string {
	if errors.Is(err, ErrPasswordMissing) {
		return wantsPassword
	}
	var postgres *pgconn.PgError
	if errors.As(err, &postgres) {
		return postgresRefusals[postgres.Code]
	}
	var rabbit *amqp.Error
	if errors.As(err, &rabbit) {
		return rabbitRefusal(rabbit)
	}
	// The driver of MongoDB keeps of a server only the text of its last error.
	text := err.Error()
	switch {
	case refusedTLS.MatchString(text):
		return noTLS
	case badAuthentication.MatchString(text):
		return wrongPassword
	case wantsAuthentication.MatchString(text):
		return wantsUser
	case errors.Is(err, ErrUnusableURL):
		return UnusableURL
	case loadBalancing.MatchString(text):
		return "the server is behind no load balancer, which the URL asks for"
	case mechanismUnavailable.MatchString(text):
		return mongoRefusals[334]
	}
	var server mongo.ServerError
	if errors.As(err, &server) {
		for code, refusal := range mongoRefusals {
			if server.HasErrorCode(code) {
				return refusal
			}
		}
	}
	if why := untrusted(err, text); why != "" {
		return "the server's certificate is not trusted (" + why + ")"
	}
	return ""
}

// ErrUnusableURL is what a driver's own parser says, when it can be asked no sooner than when it connects.
var ErrUnusableURL = errors.New(UnusableURL)

// ErrPasswordMissing says that the server refused an empty password, and the URL has none.
var ErrPasswordMissing = errors.New(wantsPassword)

// PostgreSQL, appendix A of its manual.
var postgresRefusals = map[string]string{
	"28P01": wrongPassword,                          // invalid_password
	"28000": "the server does not let this user in", // invalid_authorization_specification
	"3D000": "the database does not exist",          // invalid_catalog_name
	"42501": noRightToLedger,                        // insufficient_privilege
}

const refusesCollection = "the server refuses the collection of messages; check the name of the database and what is in it"

// MongoDB's codes that stay as they are until somebody changes the URL, the user or the server's data.
var mongoRefusals = map[int]string{
	334:    "the server does not take the authMechanism of the URL",             // MechanismUnavailable
	13:     "the user may not create or write the collection of messages",       // Unauthorized
	13_297: "a database exists whose name differs in upper and lower case only", // DatabaseDifferCase
	2:      refusesCollection,                                                   // BadValue
	9:      refusesCollection,                                                   // FailedToParse
	14:     refusesCollection,                                                   // TypeMismatch
	20:     refusesCollection,                                                   // IllegalOperation
	59:     refusesCollection,                                                   // CommandNotFound
	72:     refusesCollection,                                                   // InvalidOptions
	73:     refusesCollection,                                                   // InvalidNamespace
	115:    refusesCollection,                                                   // CommandNotSupported
	166:    refusesCollection,                                                   // CommandNotSupportedOnView
}

var (
	loadBalancing        = regexp.MustCompile(`(?i)load balancing mode`)
	mechanismUnavailable = regexp.MustCompile(`MechanismUnavailable`)
	refusedTLS           = regexp.MustCompile(`server refused TLS connection`)
	badAuthentication    = regexp.MustCompile(`(?i)AuthenticationFailed|Authentication failed|bad auth`)
	// The end of "command create requires authentication".
	wantsAuthentication = regexp.MustCompile(`requires authentication$`)
	certificate         = regexp.MustCompile(`x509: ([^\n,}]*[^\n,} ])`)
	inequivalent        = regexp.MustCompile(`^PRECONDITION[-_]FAILED - (.*?)"?$`)
)

// rabbitRefusal knows the codes of AMQP 0-9-1: 403 for a password or a right, 530 for a vhost, 406 for other arguments.
func rabbitRefusal(err *amqp.Error) string {
	switch {
	case err == amqp.ErrCredentials || err == amqp.ErrSASL:
		return wrongPassword + ", or has no right to this"
	case !err.Server:
		return ""
	case err.Code == amqp.AccessRefused:
		return wrongPassword + ", or has no right to this"
	case err.Code == amqp.NotAllowed:
		return noVhost
	case err.Code == amqp.PreconditionFailed:
		why := err.Reason
		if found := inequivalent.FindStringSubmatch(why); found != nil {
			why = found[1]
		}
		return "a queue or exchange exists with other arguments (" + why + "); delete it or take another QUEUE_PREFIX"
	}
	return ""
}

// untrusted answers why a certificate is not trusted; empty when that is not the trouble.
func untrusted(err error, text string) string {
	var (
		authority x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		host      x509.HostnameError
	)
	switch {
	case errors.As(err, &authority):
		return authority.Error()
	case errors.As(err, &invalid):
		return invalid.Error()
	case errors.As(err, &host):
		return host.Error()
	}
	if found := certificate.FindStringSubmatch(text); found != nil {
		return "x509: " + found[1]
	}
	return ""
}
