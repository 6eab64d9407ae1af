package consumer

import (
	"errors"
	"net"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"disparo/consumer/internal/contract"
)

func openMongo(url string) (*mongo.Client, error) {
	if hasUnescapedUserinfo(url) {
		return nil, contract.ErrUnusableURL
	}
	parsed, err := connstring.ParseAndValidate(url)
	if err != nil {
		return nil, srvFailure(err)
	}
	for name := range parsed.UnknownOptions {
		if !mongoOptionsOfOthers[name] {
			return nil, contract.ErrUnusableURL
		}
	}
	client, err := mongo.Connect(options.Client().
		ApplyURI(url).
		SetAppName(appName).
		SetServerSelectionTimeout(connectTimeout).
		SetConnectTimeout(connectTimeout))
	if err != nil {
		return nil, srvFailure(err)
	}
	return client, nil
}

// mongoOptionsOfOthers are options that the driver of the TypeScript consumer takes, this one does not know, and that
// change nothing here. One that would change something, as tlsAllowInvalidCertificates, is refused and not left out.
var mongoOptionsOfOthers = map[string]bool{
	"enableutf8validation": true, "family": true, "forceserverobjectid": true, "ignoreundefined": true, "j": true,
	"monitorcommands": true, "nodelay": true, "sockettimeoutms": true, "waitqueuetimeoutms": true, "wtimeoutms": true,
}

// srvFailure tells a name server that does not answer, which heals, from a URL that is wrong.
func srvFailure(err error) error {
	var lookup *net.DNSError
	if errors.As(err, &lookup) || strings.Contains(err.Error(), "lookup ") {
		return err
	}
	return contract.ErrUnusableURL
}

// hasUnescapedUserinfo tells whether a user or a password has a character that must be percent-encoded there. This
// driver guesses what was meant, the others refuse; two consumers must not understand one URL in two ways.
func hasUnescapedUserinfo(url string) bool {
	_, rest, _ := strings.Cut(url, "://")
	authority, _, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return false
	}
	user, password, _ := strings.Cut(authority[:at], ":")
	return strings.ContainsAny(user+password, ":/?#[]@")
}
