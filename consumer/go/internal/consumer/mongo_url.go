package consumer

import (
	"errors"
	"net"
	"regexp"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"disparo/consumer/internal/contract"
)

func openMongo(url string) (*mongo.Client, error) {
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

// checkMongoURL checks a URL as far as it can without asking a name server. In some places this driver guesses what was
// meant, where the others refuse; two consumers must not understand one URL in two ways.
func checkMongoURL(url string) error {
	if _, err := contract.MessagesDatabase(url); err != nil || hasUnescapedUserinfo(url) {
		return contract.ErrUnusableURL
	}
	rest, srv := strings.CutPrefix(url, connstring.SchemeMongoDBSRV+"://")
	if srv {
		url = connstring.SchemeMongoDB + "://" + srvOption.ReplaceAllString(rest, "$1")
	}
	parsed, err := connstring.ParseAndValidate(url)
	if err != nil || srv && (len(parsed.Hosts) != 1 || strings.Contains(parsed.Hosts[0], ":") || parsed.DirectConnection) {
		return contract.ErrUnusableURL
	}
	// Not the hosts that the driver found: it leaves out empty ones.
	for host := range strings.SplitSeq(hostsOf(url), ",") {
		if !strings.HasSuffix(host, ".sock") && !contract.IsHost(strings.ReplaceAll(host, " ", "")) {
			return contract.ErrUnusableURL
		}
	}
	return nil
}

// srvOption are the options that only a URL with mongodb+srv may have.
var srvOption = regexp.MustCompile(`(?i)([?&])srv(?:MaxHosts|ServiceName)=[^&]*&?`)

func hostsOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	return rest[strings.LastIndexByte(rest, '@')+1:]
}

// srvFailure tells a name server that does not answer, which heals, from a URL that is wrong.
func srvFailure(err error) error {
	var lookup *net.DNSError
	if errors.As(err, &lookup) || strings.Contains(err.Error(), "lookup ") {
		return err
	}
	return contract.ErrUnusableURL
}

// hasUnescapedUserinfo tells whether a user or a password has a character that must be percent-encoded there.
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
