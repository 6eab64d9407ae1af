package running

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"disparo/consumer/internal/contract"
)

const longestReason = 300

var (
	quoted        = regexp.MustCompile(`(?s) (to execute command|dup key:) .*`)
	phoneNumber   = regexp.MustCompile(`\+\d{8,15}`)
	passwordInURL = regexp.MustCompile(`^[^:]+://[^/]*?:([^/]*)@`)
)

// Describe tells why a service cannot be reached, in one line for an operator: in our words where the kind of the error is
// known, else in the driver's. It never holds the password of the URL.
func Describe(err error, url string) string {
	if refused := contract.Refusal(err); refused != "" {
		return withoutSecrets(refused, url)
	}
	all := contract.WithServers(err)
	var dial *net.OpError
	if errors.Is(all, syscall.ECONNREFUSED) && errors.As(all, &dial) && dial.Addr != nil {
		return "connection refused at " + dial.Addr.String()
	}
	var lookup *net.DNSError
	if errors.As(all, &lookup) && !lookup.IsTimeout {
		return "unknown host " + lookup.Name
	}
	text := err.Error()
	var postgres *pgconn.PgError
	if errors.As(err, &postgres) {
		text = postgres.Message
	}
	return withoutSecrets(strings.Join(strings.Fields(text), " "), url)
}

// withoutSecrets cuts the URL, its password and phone numbers out of a driver's text, and what a store quotes of a document
// or a command.
func withoutSecrets(text, of string) string {
	secrets := []string{of}
	if found := passwordInURL.FindStringSubmatch(of); found != nil {
		secrets = append(secrets, found[1])
		if decoded, err := url.PathUnescape(found[1]); err == nil {
			secrets = append(secrets, decoded)
		}
	}
	text = phoneNumber.ReplaceAllString(quoted.ReplaceAllString(text, ""), "***")
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	if runes := []rune(text); len(runes) > longestReason {
		text = string(runes[:longestReason])
	}
	return text
}
