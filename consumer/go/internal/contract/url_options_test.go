package contract

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"
)

func TestTheOptionsOfAURLAreTakenOrRefusedAsInEveryLanguage(t *testing.T) {
	file, err := os.Open("../../../contract/examples/url-options.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	count := 0
	for lines := bufio.NewScanner(file); lines.Scan(); count++ {
		var example struct {
			Variable, URL string
			Taken         bool
		}
		if err := json.Unmarshal(lines.Bytes(), &example); err != nil {
			t.Fatal(err)
		}
		if _, err := withStrictOptions(example.Variable, example.URL); (err == nil) != example.Taken {
			t.Errorf("%s %s: %v", example.Variable, example.URL, err)
		}
	}
	if count < 100 {
		t.Errorf("%d examples", count)
	}
}

func TestWhatIsKeptReachesTheDriverAndWhatChangesNothingDoesNot(t *testing.T) {
	for address, want := range map[string]string{
		"mongodb://u:p@h?W=2&tls=true&tlsCAFile=/a%2Bb+c&&compressors=zlib,zstd&authSource=x": "mongodb://u:p@h/?authsource=x&tls=true&tlscafile=%2Fa%2Bb%2Bc",
		"mongodb://h/d?w=1&authSource=x": "mongodb://h/d",
	} {
		if got, err := withStrictOptions("MONGODB_URL", address); err != nil || got != want {
			t.Errorf("%s: %s, %v", address, got, err)
		}
	}
	if got, _ := withStrictOptions("RABBITMQ_URL", "amqp://h/v?heartbeat=5&auth_mechanism=plain"); got != "amqp://h/v?heartbeat=5" {
		t.Error(got)
	}
}
