package consumer

import (
	"net/url"
	"os"

	"disparo/consumer/internal/contract"
)

// postgresURL makes of DATABASE_URL what pgx reads as the other consumers' drivers do: no TLS unless it is asked for, and
// then with a certificate that is trusted; parameters that are nobody's business at the server are left out.
func postgresURL(databaseURL string) (string, error) {
	parsed, err := contract.ParseURL(databaseURL)
	if err != nil {
		return "", err
	}
	given := parsed.Query()
	kept := url.Values{"sslmode": {sslMode(given)}}
	for _, name := range []string{"host", "port", "user", "password", "sslrootcert", "sslcert", "sslkey", "sslnegotiation", "options"} {
		if given.Get(name) != "" {
			kept.Set(name, given.Get(name))
		}
	}
	if parsed.Host == "" && given.Get("host") == "" && os.Getenv("PGHOST") == "" {
		kept.Set("host", "localhost")
	}
	parsed.RawQuery = kept.Encode()
	return parsed.String(), nil
}

// sslMode:
//
//	in the URL                                     TLS
//	nothing, sslmode=disable, ssl=0                no
//	sslmode=no-verify                              yes, whatever the certificate
//	uselibpqcompat=true                            as sslmode means in libpq
//	another sslmode, ssl=true, a certificate       yes, and the certificate must be trusted
func sslMode(given url.Values) string {
	mode, ssl := given.Get("sslmode"), given.Get("ssl")
	switch {
	case given.Get("uselibpqcompat") == "true" && mode != "":
		return mode
	case mode == "disable":
		return "disable"
	case mode == "no-verify":
		return "require"
	case mode != "", ssl == "true", ssl == "1", given.Get("sslnegotiation") == "direct":
		return "verify-full"
	case given.Get("sslrootcert") != "", given.Get("sslcert") != "", given.Get("sslkey") != "":
		return "verify-full"
	}
	return "disable"
}
