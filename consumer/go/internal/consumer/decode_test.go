package consumer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"disparo/consumer/internal/contract"
)

const examples = "../../../contract/examples"

func example(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(examples, name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func filesOf(t testing.TB, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(examples, folder))
	if err != nil || len(entries) == 0 {
		t.Fatal("no examples", err)
	}
	var names []string
	for _, entry := range entries {
		if entry.Name() != "reasons.json" {
			names = append(names, entry.Name())
		}
	}
	return names
}

func TestEveryValidExampleIsTheChunkThatEncodingJSONReads(t *testing.T) {
	for _, name := range filesOf(t, "valid") {
		body := example(t, filepath.Join("valid", name))
		var read struct {
			CampaignID    string   `json:"campaign_id"`
			CompanyID     string   `json:"company_id"`
			Message       string   `json:"message"`
			FirstSequence float64  `json:"first_sequence"`
			PhoneNumbers  []string `json:"phone_numbers"`
		}
		if err := json.Unmarshal(body, &read); err != nil {
			t.Fatal(name, err)
		}
		want := &contract.Chunk{
			CampaignID: read.CampaignID, CompanyID: read.CompanyID, Message: read.Message,
			FirstSequence: int32(read.FirstSequence), PhoneNumbers: read.PhoneNumbers,
		}
		if chunk, dead := decodeBody(body); !reflect.DeepEqual(chunk, want) {
			t.Errorf("%s: %+v %+v", name, chunk, dead)
		}
	}
}

func TestEveryInvalidExampleHasItsReasonAndADetailWithoutAValue(t *testing.T) {
	var reasons map[string]Reason
	if err := json.Unmarshal(example(t, "invalid/reasons.json"), &reasons); err != nil {
		t.Fatal(err)
	}
	detail := regexp.MustCompile(`^/\S* must `)
	value := regexp.MustCompile(`55119|Oferta`)
	for _, name := range filesOf(t, "invalid") {
		chunk, dead := decodeBody(example(t, filepath.Join("invalid", name)))
		if chunk != nil || dead.Reason != reasons[name] {
			t.Errorf("%s: %+v, wanted %s", name, dead, reasons[name])
		}
		if !detail.MatchString(dead.Detail) || value.MatchString(dead.Detail) {
			t.Errorf("%s: %s", name, dead.Detail)
		}
	}
}

func body(change string) []byte {
	fields := `"version":1,"campaign_id":"c123","company_id":"d123","message":"oi","first_sequence":1,"phone_numbers":["+5511999990001"]`
	return []byte("{" + fields + change + "}")
}

func TestWhatIsLookedForFirst(t *testing.T) {
	for _, c := range []struct {
		body string
		want DeadReason
	}{
		{string(body("")), DeadReason{}},
		{strings.Repeat(" ", contract.MaxChunkBytes) + "{}", DeadReason{TooLarge, "/ must NOT have more than 1048576 bytes"}},
		{"\xed\xa0\x80", DeadReason{NotJSON, "/ must be UTF-8"}},
		{"\ufeff{}", DeadReason{NotJSON, "/ must be one JSON value"}},
		{string(body("")) + "{}", DeadReason{NotJSON, "/ must be one JSON value"}},
		{`{"version":2}`, DeadReason{UnknownVersion, "/version must be 1"}},
		{`{"version":1e20}`, DeadReason{UnknownVersion, "/version must be 1"}},
		{`{"version":1.5}`, DeadReason{SchemaViolation, "/ must have required property 'campaign_id'"}},
		{`{"version":1e999}`, DeadReason{SchemaViolation, "/ must have required property 'campaign_id'"}},
		{`[{"version":2}]`, DeadReason{SchemaViolation, "/ must be object"}},
		{string(body(`,"version":1.5`)), DeadReason{SchemaViolation, "/version must be equal to constant"}},
		{string(body(`,"Version":2`)), DeadReason{}},
		{string(body(`,"\u0076ersion":2`)), DeadReason{UnknownVersion, "/version must be 1"}},
		{string(body(`,"version":10e-1,"first_sequence":1.0`)), DeadReason{}},
		{string(body(`,"message":"\ud83d\ude00"`)), DeadReason{}},
		{string(body(`,"message":"\ude00\ud83d"`)), DeadReason{SchemaViolation, "/message must NOT have lone surrogates"}},
		{string(body(`,"phone_numbers":["+5511999990001",1]`)), DeadReason{SchemaViolation, "/phone_numbers/1 must be string"}},
	} {
		if _, dead := decodeBody([]byte(c.body)); dead != c.want {
			t.Errorf("%.80q: %+v, wanted %+v", c.body, dead, c.want)
		}
	}
}

func TestAMegabyteOfBracketsIsNoTrouble(t *testing.T) {
	deep := strings.Repeat("[", 500_000) + strings.Repeat("]", 500_000)
	if _, dead := decodeBody([]byte(deep)); dead.Reason != SchemaViolation {
		t.Error(dead)
	}
	if _, dead := decodeBody([]byte(deep[:999_999])); dead.Reason != NotJSON {
		t.Error(dead)
	}
	if chunk, dead := decodeBody(body(`,"unknown":` + deep)); chunk == nil {
		t.Error(dead)
	}
}

func TestADeliveryIsDecodedOnce(t *testing.T) {
	delivery := deliveryOf(string(body("")))
	chunks, malformed := decode([]*Delivery{delivery, deliveryOf("{")})
	if len(chunks) != 1 || len(malformed) != 1 {
		t.Fatal(chunks, malformed)
	}
	if again, _ := delivery.decoded(); again != chunks[0].chunk {
		t.Error("decoded twice")
	}
}

// FuzzDecode: whatever comes, a chunk or a reason, never both; and what encoding/json calls no JSON is none here.
func FuzzDecode(f *testing.F) {
	for _, folder := range []string{"valid", "invalid"} {
		for _, name := range filesOf(f, folder) {
			if content := example(f, filepath.Join(folder, name)); len(content) < 2_000 {
				f.Add(content)
			}
		}
	}
	detail := regexp.MustCompile(`^/\S* must `)
	f.Fuzz(func(t *testing.T, content []byte) {
		chunk, dead := decodeBody(content)
		if (chunk == nil) != (dead.Reason != "") || chunk == nil && !detail.MatchString(dead.Detail) {
			t.Errorf("%+v %+v", chunk, dead)
		}
		if isJSON := utf8.Valid(content) && json.Valid(content); isJSON == (dead.Reason == NotJSON) && len(content) < 5_000 {
			t.Errorf("JSON: %v, but %+v", isJSON, dead)
		}
		if chunk != nil && !utf8.ValidString(chunk.Message) {
			t.Error("a text that is not UTF-8")
		}
	})
}
