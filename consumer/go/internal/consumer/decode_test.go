package consumer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
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

func TestEveryInvalidExampleHasItsDocumentedReasonAndDetail(t *testing.T) {
	var reasons map[string]Reason
	var details map[string]string
	readJSON(t, "invalid/reasons.json", &reasons)
	readJSON(t, "details.json", &details)
	for _, name := range filesOf(t, "invalid") {
		want := DeadReason{reasons[name], details[name]}
		if chunk, dead := decodeBody(example(t, filepath.Join("invalid", name))); chunk != nil || dead != want {
			t.Errorf("%s: %+v, wanted %+v", name, dead, want)
		}
	}
}

func readJSON(t testing.TB, name string, into any) {
	t.Helper()
	if err := json.Unmarshal(example(t, name), into); err != nil {
		t.Fatal(err)
	}
}

func body(change string) []byte {
	fields := `"version":1,"campaign_id":"c123","company_id":"d123","message":"oi","first_sequence":1,"phone_numbers":["+5511999990001"]`
	return []byte("{" + fields + change + "}")
}

func TestTheLimitOfBytesComesFirst(t *testing.T) {
	if _, dead := decodeBody([]byte(strings.Repeat(" ", contract.MaxChunkBytes) + "{}")); dead != (DeadReason{TooLarge, "max_bytes"}) {
		t.Error(dead)
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

// The verdicts are those of the TypeScript decoder on bodies, most of them made at random; DECODE_VERDICTS names another
// file of them.
func TestEveryKeptVerdictIsTheOneOfTheOtherLanguages(t *testing.T) {
	path := os.Getenv("DECODE_VERDICTS")
	if path == "" {
		path = filepath.Join(examples, "verdicts.jsonl")
	}
	kept := keptVerdicts(t, path)
	if len(kept) < 500 {
		t.Error(len(kept))
	}
	for _, want := range kept {
		chunk, dead := decodeBody(want.bytes())
		if got := (verdict{want.Body, chunk, dead.Reason, dead.Detail}); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, wanted %+v", want.Body, got, want)
		}
	}
}

// verdict is a line of verdicts.jsonl: a body with one character for each byte, and its chunk or why it is none.
type verdict struct {
	Body   string
	Chunk  *contract.Chunk
	Reason Reason
	Detail string
}

func (v verdict) bytes() []byte {
	var body []byte
	for _, char := range v.Body {
		body = append(body, byte(char))
	}
	return body
}

func keptVerdicts(t testing.TB, path string) []verdict {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var kept []verdict
	for line := range strings.Lines(string(content)) {
		var each verdict
		if err := json.Unmarshal([]byte(line), &each); err != nil {
			t.Fatal(err)
		}
		kept = append(kept, each)
	}
	return kept
}

// FuzzDecode: any bytes give a chunk of the contract or a documented reason, never both. What encoding/json does not take as
// JSON is no JSON here either. Its seeds are the examples and the kept verdicts.
func FuzzDecode(f *testing.F) {
	for _, folder := range []string{"valid", "invalid"} {
		for _, name := range filesOf(f, folder) {
			if content := example(f, filepath.Join(folder, name)); len(content) < 2_000 {
				f.Add(content)
			}
		}
	}
	for _, kept := range keptVerdicts(f, filepath.Join(examples, "verdicts.jsonl")) {
		f.Add(kept.bytes())
	}
	var codes map[Reason][]string
	readJSON(f, "../dead-letters.json", &codes)
	f.Fuzz(func(t *testing.T, content []byte) {
		chunk, dead := decodeBody(content)
		if chunk != nil {
			if why := notOfTheContract(chunk); dead.Reason != "" || why != "" {
				t.Errorf("%s: %+v %+v", why, chunk, dead)
			}
		} else if code, _, _ := strings.Cut(dead.Detail, " "); !ofStep2[dead.Reason] || !slices.Contains(codes[dead.Reason], code) || !detailForm.MatchString(dead.Detail) {
			t.Errorf("%+v", dead)
		}
		if isJSON := utf8.Valid(content) && json.Valid(content); isJSON == (dead.Reason == NotJSON) && len(content) < 5_000 {
			t.Errorf("JSON: %v, but %+v", isJSON, dead)
		}
	})
}

var (
	ofStep2 = map[Reason]bool{TooLarge: true, NotJSON: true, UnknownVersion: true, SchemaViolation: true}
	// Names of our own fields and the place of a number: no value of the body.
	detailForm = regexp.MustCompile(`^[a-z0-9_]+( /[a-z_]+(/\d{1,4})?)?$`)
	idForm     = regexp.MustCompile(`^[a-z][a-z0-9]{1,31}$`)
	numberForm = regexp.MustCompile(`^\+[1-9][0-9]{7,14}$`)
)

// notOfTheContract checks a chunk against the rules of campaign-chunk.v1.schema.json, written in another way.
func notOfTheContract(chunk *contract.Chunk) string {
	length := utf8.RuneCountInString(chunk.Message)
	switch {
	case !idForm.MatchString(chunk.CampaignID) || !idForm.MatchString(chunk.CompanyID):
		return "an id that is none"
	case !utf8.ValidString(chunk.Message) || length < 1 || length > 1_600:
		return "a text that is none"
	case chunk.FirstSequence < 1 || chunk.FirstSequence > 999_995_000:
		return "a sequence that is none"
	case len(chunk.PhoneNumbers) < 1 || len(chunk.PhoneNumbers) > 5_000:
		return "too many numbers, or none"
	}
	for _, number := range chunk.PhoneNumbers {
		if !numberForm.MatchString(number) {
			return "a number that is none"
		}
	}
	return ""
}
