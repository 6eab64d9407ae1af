// Package strictjson reads JSON as ECMAScript's JSON.parse does, where encoding/json is laxer: keys are case-sensitive,
// lone surrogates are told apart, and nothing nests too deep. It never recurses.
package strictjson

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Document returns the one value that text holds, without the white space around it; false when it is not JSON. The text
// must be valid UTF-8.
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

// Elements returns the values of an array that Document has accepted.
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

// Number returns a value as a double; false when it is no number. A number that is too large becomes infinite.
func Number(value string) (float64, bool) {
	if value == "" || value[0] != '-' && !isDigit(value[0]) {
		return 0, false
	}
	number, _ := strconv.ParseFloat(value, 64)
	return number, true
}

// escape matches one escape of a string, or two that are one character.
var escape = regexp.MustCompile(`\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u[dD][89a-fA-F]..|\\.`)

// Unquote returns the text of a string value. False when it has lone surrogates; each of them becomes U+FFFD.
func Unquote(value string) (text string, wellFormed bool) {
	inner := value[1 : len(value)-1]
	if strings.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	// It fails for nothing that Document has accepted.
	_ = json.Unmarshal([]byte(value), &text)
	isLone := func(one string) bool { return len(one) == len(`\ud800`) }
	return text, !slices.ContainsFunc(escape.FindAllString(inner, -1), isLone)
}
