package consumer

import (
	"net/url"
	"os"
	"strings"

	"disparo/consumer/internal/contract"
)

// postgresURL rewrites DATABASE_URL so that pgx reads it as the other consumers' drivers do. TLS only when it asks for TLS,
// and then with a checked certificate unless it says otherwise: sslMode has the table. Unknown parameters are left out: pgx
// would send them to the server.
func postgresURL(databaseURL string) (string, error) {
	parsed, err := contract.ParseURL(databaseURL)
	if err != nil {
		return "", err
	}
	given := lastOfEach(parsed.Query())
	if given["sslmode"] == "verify-ca" && given["uselibpqcompat"] == "true" && given["sslrootcert"] == "" {
		return "", contract.ErrUnusableURL
	}
	kept := url.Values{"sslmode": {sslMode(given)}}
	for _, name := range []string{"host", "port", "user", "password", "sslrootcert", "sslcert", "sslkey", "sslnegotiation", "options"} {
		if given[name] != "" {
			kept.Set(name, given[name])
		}
	}
	if parsed.Host == "" && given["host"] == "" && os.Getenv("PGHOST") == "" {
		kept.Set("host", "localhost")
	}
	// pgx reads a plus sign as a plus sign, and does not take text without two slashes as a URL.
	parsed.RawQuery = strings.ReplaceAll(kept.Encode(), "+", "%20")
	if parsed.Path == "" {
		parsed.Path = "/"
	}
	return parsed.String(), nil
}

// lastOfEach returns each parameter once: when one stands twice, the last counts.
func lastOfEach(query url.Values) map[string]string {
	last := make(map[string]string, len(query))
	for name, values := range query {
		last[name] = values[len(values)-1]
	}
	return last
}

// sslMode:
//
//	in the URL                                    TLS
//	nothing, sslmode=disable, ssl=0               no
//	sslmode=no-verify                             yes, whatever the certificate
//	uselibpqcompat=true                           as in libpq, but always with TLS where libpq leaves that open
//	another sslmode, another ssl, a certificate   yes, and the certificate must be trusted
func sslMode(given map[string]string) string {
	mode, ssl := given["sslmode"], given["ssl"]
	libpq := given["uselibpqcompat"] == "true"
	switch {
	case mode == "disable":
		return "disable"
	case mode == "no-verify", libpq && (mode == "prefer" || mode == "require"):
		return "require"
	case libpq && mode == "verify-ca":
		return "verify-ca"
	case mode != "", given["sslrootcert"] != "", given["sslcert"] != "", given["sslkey"] != "":
		return "verify-full"
	case ssl == "0", ssl == "false", ssl == "" && given["sslnegotiation"] != "direct":
		return "disable"
	}
	return "verify-full"
}
