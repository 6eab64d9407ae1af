package cuid2

import (
	"math/big"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// What @paralleldrive/cuid2 2.3.1 returns with these instead of its clock, counter, fingerprint and random numbers.
func TestAgreesWithThePublishedAlgorithm(t *testing.T) {
	for _, c := range []struct {
		milliseconds int64
		salt         string
		count        int64
		fingerprint  string
		letter       byte
		id           string
	}{
		{1764000000000, "0", 0, "f", 'a', "a9duesby93m5w6ij1e2s3j76"},
		{1764000000000, "i", 1, "abcdefghijklmnopqrstuvwxyz012345", 'n', "no5sawdl7ixmnv3fya38t6ic"},
		{0, "z", 476782366, "x", 'z', "z47kcdo8ldd08yaastydedf9"},
		{1700000000123, "9", 123456789, "fingerprint", 'g', "g5n8r1f1ssyvbn5fctzc53ln"},
	} {
		if got := id(c.milliseconds, strings.Repeat(c.salt, idLength), c.count, c.fingerprint, c.letter); got != c.id {
			t.Errorf("got %s, the library answers %s", got, c.id)
		}
	}
	if got := hash([]byte("a,b" + strings.Repeat("i", bigLength)))[:bigLength]; got != "1ngz67olost36zlps99h3bop8ovmc7tv" {
		t.Errorf("fingerprint %s", got)
	}
}

func TestEachPartHasItsForm(t *testing.T) {
	form := regexp.MustCompile(`^[a-z][a-z0-9]{23}$`)
	for range 10_000 {
		if id := New(); !form.MatchString(id) {
			t.Fatal(id)
		}
	}
	if parts := regexp.MustCompile(`^[0-9a-z]{32} [0-9a-z]{24}$`); !parts.MatchString(fingerprint + " " + entropy(idLength)) {
		t.Error(fingerprint, entropy(idLength))
	}
	if one, other := createFingerprint(""), createFingerprint(""); one == other {
		t.Error("two processes with the same environment have the same fingerprint")
	}
}

// As the library's own test: no collision, and the ids fill the space evenly.
func TestManyAtOnceAreDistinctAndEvenlySpread(t *testing.T) {
	const makers, each, buckets = 7, 50_000, 20
	made := make([][]string, makers)
	var making sync.WaitGroup
	for maker := range made {
		making.Go(func() {
			for range each {
				made[maker] = append(made[maker], New())
			}
		})
	}
	making.Wait()

	seen := make(map[string]bool, makers*each)
	histogram := make([]int, buckets)
	characters := map[rune]int{}
	width := new(big.Int).Exp(big.NewInt(base), big.NewInt(idLength-1), nil)
	width.Div(width, big.NewInt(buckets)).Add(width, big.NewInt(1))
	for _, ids := range made {
		for _, id := range ids {
			seen[id] = true
			number, _ := new(big.Int).SetString(id[1:], base)
			histogram[number.Div(number, width).Int64()]++
			for _, character := range id[1:] {
				characters[character]++
			}
		}
	}
	if len(seen) != makers*each {
		t.Errorf("%d of %d ids are distinct", len(seen), makers*each)
	}
	// Each bucket within 5 % of its share, as in the library's test.
	for bucket, count := range histogram {
		if share := float64(makers * each / buckets); float64(count) < 0.95*share || float64(count) > 1.05*share {
			t.Errorf("bucket %d has %d, its share is %.0f", bucket, count, share)
		}
	}
	// Chi-square of the characters, 35 degrees of freedom: 80 is passed by chance once in 40,000 runs. The uneven first
	// digit of the hash is in no id, so each of the 36 has the same share.
	share, chiSquare := float64(makers*each*(idLength-1))/base, 0.0
	for _, digit := range digits {
		difference := float64(characters[digit]) - share
		chiSquare += difference * difference / share
	}
	if chiSquare > 80 {
		t.Errorf("chi-square of the characters is %.1f", chiSquare)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New()
	}
}
