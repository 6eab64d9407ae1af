package contract

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// ParseURL reads a URL as the WHATWG standard does where net/url is stricter: a character without a meaning in a user or a
// password counts as itself. The error never shows the URL.
func ParseURL(text string) (*url.URL, error) {
	parsed, err := url.Parse(StrictURL(text))
	if err != nil {
		return nil, errMalformed
	}
	return parsed, nil
}

var errMalformed = &malformedURL{}

type malformedURL struct{}

func (*malformedURL) Error() string { return "URI malformed" }

// StrictURL rewrites a URL of the WHATWG standard so that net/url takes it, too: it percent-encodes what net/url refuses in
// the user and the password.
func StrictURL(text string) string {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return text
	}
	userinfo, host, after := parts(rest)
	if user, found := strings.CutSuffix(userinfo, "@"); found {
		host = escaped(user) + "@" + host
	}
	return scheme + "://" + host + after
}

func escaped(userinfo string) string {
	const hex = "0123456789ABCDEF"
	var text strings.Builder
	for _, char := range []byte(userinfo) {
		if isLetter(char|0x20) || isDigit(char) || strings.IndexByte("-._~!$&'()*+,;=:%", char) >= 0 {
			text.WriteByte(char)
		} else {
			text.Write([]byte{'%', hex[char>>4], hex[char&15]})
		}
	}
	return text.String()
}

// parts splits what follows a scheme: the user and the password with their at sign, the host with its port, the rest.
func parts(rest string) (userinfo, host, after string) {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	at := strings.LastIndexByte(rest[:end], '@') + 1
	return rest[:at], rest[at:end], rest[end:]
}

// isReadable tells whether the WHATWG standard takes text as a URL, and its parts can be decoded.
func isReadable(text string) bool {
	_, rest, _ := strings.Cut(text, "://")
	userinfo, host, after := parts(rest)
	before, fragment, _ := strings.Cut(after, "#")
	// These come from a password that is not encoded. A part of it would then pass for a host and be shown.
	ats := strings.Count(text, "@")
	if fragment != "" || ats > 1 || ats == 1 && strings.Trim(userinfo, ":@") == "" {
		return false
	}
	path, _, _ := strings.Cut(before, "?")
	if !decodes(userinfo) || !decodes(path) {
		return false
	}
	return IsHost(host) || userinfo == "" && host == ""
}

// decodes tells whether each percent sign begins an encoded byte of UTF-8.
func decodes(part string) bool {
	decoded, err := url.PathUnescape(part)
	return err == nil && utf8.ValidString(decoded)
}

// IsHost tells whether text is a host, with a port or without.
func IsHost(text string) bool {
	bracketed := strings.HasPrefix(text, "[")
	parsed, err := url.Parse("x://" + text)
	if err != nil || parsed.Hostname() == "" || strings.ContainsAny(text, "<>^|\\ ") {
		return false
	}
	// The standard knows no zones.
	if bracketed && strings.Contains(text, "%") || !bracketed && strings.Count(text, ":") > 1 {
		return false
	}
	port := strings.TrimLeft(parsed.Port(), "0")
	return len(port) < 5 || len(port) == 5 && port <= "65535"
}
