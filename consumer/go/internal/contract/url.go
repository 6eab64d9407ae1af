package contract

import (
	"net/url"
	"strings"
)

// ParseURL reads a URL as the WHATWG standard does where net/url is stricter: whatever stands in a user or a password
// and has no meaning there counts as itself. The error never shows the URL.
func ParseURL(text string) (*url.URL, error) {
	parsed, err := url.Parse(EscapeUserinfo(text))
	if err != nil {
		return nil, errMalformed
	}
	return parsed, nil
}

var errMalformed = &malformedURL{}

type malformedURL struct{}

func (*malformedURL) Error() string { return "URI malformed" }

// EscapeUserinfo percent-encodes what net/url refuses in the user and the password of a URL, and leaves the rest.
func EscapeUserinfo(text string) string {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return text
	}
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
	}
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		return text
	}
	var escaped strings.Builder
	for i := range at {
		if char := authority[i]; isLetter(char|0x20) || isDigit(char) || strings.IndexByte("-._~!$&'()*+,;=:%", char) >= 0 {
			escaped.WriteByte(char)
		} else {
			const hex = "0123456789ABCDEF"
			escaped.Write([]byte{'%', hex[char>>4], hex[char&15]})
		}
	}
	return scheme + "://" + escaped.String() + rest[at:]
}

// isURL tells whether the WHATWG standard takes text for a URL, an escape that is none included: a driver refuses that.
func isURL(text string) bool {
	_, rest, _ := strings.Cut(text, "://")
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
	}
	at := strings.LastIndexByte(authority, '@')
	host := authority[at+1:]
	parsed, err := url.Parse("x://" + host)
	if err != nil || strings.ContainsAny(host, "<>^|\\ ") || !strings.HasPrefix(host, "[") && strings.Count(host, ":") > 1 {
		return false
	}
	if parsed.Hostname() == "" && (at >= 0 || host != "") {
		return false
	}
	return len(parsed.Port()) <= 5 && (len(parsed.Port()) < 5 || parsed.Port() <= "65535")
}
