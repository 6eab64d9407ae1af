package strictjson

import "strings"

// skipValue returns where the value that begins at `at` ends, or -1 when there is none. Open brackets are kept on a stack of
// their own: a megabyte of them must not end the process.
func skipValue(text string, at int) int {
	var open []byte
	for {
		at = skipSpace(text, at)
		var closer byte
		at, closer = skipScalarOrOpen(text, at)
		if at < 0 {
			return -1
		}
		if closer != 0 {
			open = append(open, closer)
			continue
		}
		if at, open = skipClosers(text, at, open); at < 0 || len(open) == 0 {
			return at
		}
	}
}

// skipScalarOrOpen skips a value without nesting, or enters an object or an array and returns its closing byte.
func skipScalarOrOpen(text string, at int) (int, byte) {
	if at >= len(text) {
		return -1, 0
	}
	switch char := text[at]; {
	case char == '"':
		return skipString(text, at), 0
	case char == '{':
		at = skipSpace(text, at+1)
		if at < len(text) && text[at] == '}' {
			return at + 1, 0
		}
		return skipKey(text, at), '}'
	case char == '[':
		at = skipSpace(text, at+1)
		if at < len(text) && text[at] == ']' {
			return at + 1, 0
		}
		return at, ']'
	case char == '-' || isDigit(char):
		return skipNumber(text, at), 0
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(text[at:], word) {
			return at + len(word), 0
		}
	}
	return -1, 0
}

// skipClosers continues after a value: it skips the brackets that close here, and stops at the next value or the end.
func skipClosers(text string, at int, open []byte) (int, []byte) {
	for len(open) > 0 {
		at = skipSpace(text, at)
		if at >= len(text) {
			return -1, nil
		}
		closer := open[len(open)-1]
		switch text[at] {
		case closer:
			open = open[:len(open)-1]
			at++
		case ',':
			at++
			if closer == '}' {
				at = skipKey(text, skipSpace(text, at))
			}
			return at, open
		default:
			return -1, nil
		}
	}
	return at, open
}

// skipKey skips a key and its colon.
func skipKey(text string, at int) int {
	if at >= len(text) || text[at] != '"' {
		return -1
	}
	if at = skipString(text, at); at < 0 {
		return -1
	}
	if at = skipSpace(text, at); at >= len(text) || text[at] != ':' {
		return -1
	}
	return at + 1
}

func skipString(text string, at int) int {
	for at++; at < len(text); at++ {
		switch char := text[at]; {
		case char == '"':
			return at + 1
		case char < 0x20:
			return -1
		case char == '\\':
			if at++; at >= len(text) {
				return -1
			}
			if text[at] == 'u' {
				if len(text) < at+5 || !isHex(text[at+1:at+5]) {
					return -1
				}
				at += 4
			} else if strings.IndexByte(`"\/bfnrt`, text[at]) < 0 {
				return -1
			}
		}
	}
	return -1
}

func skipNumber(text string, at int) int {
	if text[at] == '-' {
		at++
	}
	digits := at
	if at = skipDigits(text, at); at < 0 || text[digits] == '0' && at > digits+1 {
		return -1
	}
	if at < len(text) && text[at] == '.' {
		if at = skipDigits(text, at+1); at < 0 {
			return -1
		}
	}
	if at < len(text) && (text[at] == 'e' || text[at] == 'E') {
		at++
		if at < len(text) && (text[at] == '+' || text[at] == '-') {
			at++
		}
		return skipDigits(text, at)
	}
	return at
}

func skipDigits(text string, at int) int {
	begin := at
	for at < len(text) && isDigit(text[at]) {
		at++
	}
	if at == begin {
		return -1
	}
	return at
}

func skipSpace(text string, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t') {
		at++
	}
	return at
}

func isDigit(char byte) bool { return '0' <= char && char <= '9' }

func isHex(digits string) bool {
	for _, char := range []byte(digits) {
		if !isDigit(char) && (char|0x20 < 'a' || char|0x20 > 'f') {
			return false
		}
	}
	return true
}
