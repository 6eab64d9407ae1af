// Package strictjson reads JSON as ECMAScript's JSON.parse does, where encoding/json is laxer: keys are case-sensitive,
// lone surrogates are told apart, and nothing nests too deep. It never recurses.
package strictjson

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Document answers the one value that text holds, without the white space around it; false when it is not JSON.
// The text must be valid UTF-8.
func Document(text string) (string, bool) {
	begin := skipSpace(text, 0)
	end := skipValue(text, begin)
	if end < 0 || skipSpace(text, end) != len(text) {
		return "", false
	}
	return text[begin:end], true
}

// Fields visits each key and value of an object that Document has accepted, in order, repeated keys too.
func Fields(object string, visit func(key, value string)) {
	at := skipSpace(object, 1)
	for object[at] != '}' {
		end := skipString(object, at)
		key, _ := Unquote(object[at:end])
		begin := skipSpace(object, skipSpace(object, end)+1)
		end = skipValue(object, begin)
		visit(key, object[begin:end])
		at = skipSpace(object, end)
		if object[at] == ',' {
			at = skipSpace(object, at+1)
		}
	}
}

// Elements answers the values of an array that Document has accepted.
func Elements(array string) []string {
	var elements []string
	at := skipSpace(array, 1)
	for array[at] != ']' {
		end := skipValue(array, at)
		elements = append(elements, array[at:end])
		at = skipSpace(array, end)
		if array[at] == ',' {
			at = skipSpace(array, at+1)
		}
	}
	return elements
}

// Number answers the double that a value is; false when it is no number. What is too large is infinite.
func Number(value string) (float64, bool) {
	if value == "" || value[0] != '-' && !isDigit(value[0]) {
		return 0, false
	}
	number, _ := strconv.ParseFloat(value, 64)
	return number, true
}

// Unquote answers the text of a string value. False when it has a lone surrogate, of which each becomes U+FFFD.
func Unquote(value string) (string, bool) {
	inner := value[1 : len(value)-1]
	escape := strings.IndexByte(inner, '\\')
	if escape < 0 {
		return inner, true
	}
	var text strings.Builder
	text.Grow(len(inner))
	wellFormed := true
	for ; escape >= 0; escape = strings.IndexByte(inner, '\\') {
		text.WriteString(inner[:escape])
		char, length := unescape(inner[escape:])
		if utf16.IsSurrogate(char) {
			char, wellFormed = utf8.RuneError, false
		}
		text.WriteRune(char)
		inner = inner[escape+length:]
	}
	text.WriteString(inner)
	return text.String(), wellFormed
}

// unescape answers the character of the escape that text begins with, and the length of it; a pair is one character.
func unescape(text string) (rune, int) {
	switch text[1] {
	case 'u':
		first := hex4(text[2:6])
		if len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
			if pair := utf16.DecodeRune(first, hex4(text[8:12])); pair != utf8.RuneError {
				return pair, 12
			}
		}
		return first, 6
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	default:
		return rune(text[1]), 2
	}
}

func hex4(digits string) rune {
	number, _ := strconv.ParseUint(digits, 16, 16)
	return rune(number)
}
