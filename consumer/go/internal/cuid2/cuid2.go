// Package cuid2 makes collision-resistant ids as @paralleldrive/cuid2 2.x does: a random letter, then 23 digits in base
// 36 of the SHA3-512 of time, salt, counter and the fingerprint of the process.
//
// https://github.com/paralleldrive/cuid2
package cuid2

import (
	"crypto/sha3"
	"math/big"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// idLength is the length of an id.
	idLength = 24

	bigLength = 32
	base      = 36
	// With about 26,000 processes the chance is a half that two of them begin to count at the same number.
	initialCountMax = 476_782_367
	digits          = "0123456789abcdefghijklmnopqrstuvwxyz"
)

var (
	// Each process counts from a number of its own.
	counter     atomic.Int64
	fingerprint = createFingerprint(strings.Join(os.Environ(), ","))
)

func init() { counter.Store(rand.Int64N(initialCountMax)) }

// New returns a new id. Safe for use by many at once.
func New() string {
	return id(time.Now().UnixMilli(), entropy(idLength), counter.Add(1)-1, fingerprint, byte('a'+rand.IntN(26)))
}

// id is the algorithm without its sources of chance.
func id(milliseconds int64, salt string, count int64, fingerprint string, letter byte) string {
	input := make([]byte, 0, 96)
	input = strconv.AppendInt(input, milliseconds, base)
	input = append(input, salt...)
	input = strconv.AppendInt(input, count, base)
	input = append(input, fingerprint...)
	out := make([]byte, 1, idLength)
	out[0] = letter
	return string(append(out, hash(input)[1:idLength]...))
}

// hash is the SHA3-512 of the input in base 36 without its first digit, which would bias the histogram to the left.
func hash(input []byte) string {
	sum := sha3.Sum512(input)
	return new(big.Int).SetBytes(sum[:]).Text(base)[1:]
}

// createFingerprint tells this process from others. The library takes the names of the global objects; here it is the
// environment. Either goes into a hash together with chance.
func createFingerprint(globals string) string {
	return hash([]byte(globals + entropy(bigLength)))[:bigLength]
}

// entropy returns random digits in base 36. The generator of math/rand/v2 is ChaCha8, seeded by the system.
func entropy(length int) string {
	text := make([]byte, length)
	for i := range text {
		text[i] = digits[rand.IntN(base)]
	}
	return string(text)
}
