package consumer

import (
	"context"
	"errors"
	"net/url"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

const longestReason = 300

var (
	connectionRefused = regexp.MustCompile(`dial tcp (\S+): connect: connection refused`)
	unknownHost       = regexp.MustCompile(`lookup (\S+?)(?: on \S+)?: (?:no such host|server misbehaving|Temporary failure)`)
	timedOut          = regexp.MustCompile(`(?i)timed out|timeout|deadline exceeded`)
	quoted            = regexp.MustCompile(`(?s) (to execute command|dup key:) .*`)
	phoneNumber       = regexp.MustCompile(`\+\d{8,15}`)
	passwordInURL     = regexp.MustCompile(`^[^:]+://[^/]*?:([^/]*)@`)
)

// describe tells why a service cannot be reached, in one line for an operator. The password of the URL never stands in it.
func describe(err error, url string) string {
	text := err.Error()
	var postgres *pgconn.PgError
	if errors.As(err, &postgres) {
		text = postgres.Message
	}
	if refused := connectionRefused.FindStringSubmatch(text); refused != nil {
		return "connection refused at " + refused[1]
	}
	if unknown := unknownHost.FindStringSubmatch(text); unknown != nil {
		return "unknown host " + unknown[1]
	}
	line := withoutSecrets(strings.Join(strings.Fields(text), " "), url)
	if timedOut.MatchString(text) || errors.Is(err, context.DeadlineExceeded) {
		return "timed out (" + line + ")"
	}
	return line
}

// withoutSecrets cuts the URL and its password out of a driver's text; and what a store quotes of a document or a command.
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
