package contract

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	files "disparo/contract"

	"disparo/consumer/internal/strictjson"
)

const (
	// chunkVersion is the version that is written today. A consumer refuses every other one as unknown_version.
	chunkVersion = 1
	// MaxChunkBytes is how long a queue message may be.
	MaxChunkBytes = 1_048_576
)

// Chunk holds consecutive numbers of a campaign: the body of a queue message (campaign-chunk.v1.schema.json).
type Chunk struct {
	CampaignID string `json:"campaign_id"`
	CompanyID  string `json:"company_id"`
	// Message is the text that every number of the chunk gets.
	Message string `json:"message"`
	// FirstSequence is the sequence of the first number, from 1.
	FirstSequence int32 `json:"first_sequence"`
	// PhoneNumbers are E.164 with the plus sign, in the file's order.
	PhoneNumbers []string `json:"phone_numbers"`
}

// Key tells chunks of the ledger apart.
type Key struct {
	CampaignID    string
	FirstSequence int32
}

// Key is where the ledger has this chunk.
func (c *Chunk) Key() Key { return Key{c.CampaignID, c.FirstSequence} }

// Body is a parsed JSON value: its known fields as they were written, the last of each.
type Body struct {
	isObject bool
	fields   map[string]string
}

// ParseBody reads a body. False when it is not exactly one JSON value. The text must be valid UTF-8.
func ParseBody(text string) (Body, bool) {
	value, ok := strictjson.Document(text)
	if !ok {
		return Body{}, false
	}
	if value[0] != '{' {
		return Body{}, true
	}
	body := Body{isObject: true, fields: make(map[string]string, len(schema.Required))}
	strictjson.Fields(value, func(key, value string) {
		if _, known := schema.Properties[key]; known {
			body.fields[key] = value
		}
	})
	return body, true
}

// IsOtherVersion tells whether the version is a whole number and not the one of today.
func (b Body) IsOtherVersion() bool {
	version, ok := strictjson.Number(b.fields["version"])
	return ok && isWhole(version) && version != chunkVersion
}

// Chunk checks the body against the schema. The fault is the detail of a dead letter: the rule that is broken first, and the
// path, never a value; empty when it is a chunk.
func (b Body) Chunk() (chunk *Chunk, fault string) {
	if !b.isObject {
		return nil, "type"
	}
	for _, name := range schema.Required {
		if _, found := b.fields[name]; !found {
			return nil, "required /" + name
		}
	}
	read := reader{fields: b.fields}
	version, _ := strictjson.Number(b.fields["version"])
	read.rule(version == chunkVersion, "const", "version")
	chunk = &Chunk{CampaignID: read.id("campaign_id"), CompanyID: read.id("company_id")}
	message, wellFormed := read.message()
	chunk.Message, chunk.FirstSequence, chunk.PhoneNumbers = message, read.firstSequence(), read.phoneNumbers()
	// The schema cannot say this; BSON would store another text than the one that came.
	read.rule(wellFormed, "surrogate", "message")
	if read.fault != "" {
		return nil, read.fault
	}
	return chunk, ""
}

// reader reads the fields of a body in the order of the schema, and keeps the first fault.
type reader struct {
	fields map[string]string
	fault  string
}

// rule notes the first fault when the rule does not hold, and returns whether it holds.
func (r *reader) rule(holds bool, code, path string) bool {
	if !holds && r.fault == "" {
		r.fault = code + " /" + path
	}
	return holds
}

func (r *reader) id(name string) string {
	value := r.fields[name]
	if !r.rule(value[0] == '"', "type", name) {
		return ""
	}
	text, _ := strictjson.Unquote(value)
	r.rule(isID(text), "pattern", name)
	return text
}

func (r *reader) message() (text string, wellFormed bool) {
	const name = "message"
	value, rule := r.fields[name], schema.Properties[name]
	if !r.rule(value[0] == '"', "type", name) {
		return "", false
	}
	text, wellFormed = strictjson.Unquote(value)
	length := utf8.RuneCountInString(text)
	r.rule(length >= rule.MinLength, "min_length", name)
	r.rule(length <= rule.MaxLength, "max_length", name)
	return text, wellFormed
}

func (r *reader) firstSequence() int32 {
	const name = "first_sequence"
	number, ok := strictjson.Number(r.fields[name])
	rule := schema.Properties[name]
	r.rule(ok && isWhole(number), "type", name)
	r.rule(number >= float64(rule.Minimum), "minimum", name)
	r.rule(number <= float64(rule.Maximum), "maximum", name)
	return int32(number)
}

func (r *reader) phoneNumbers() []string {
	const name = "phone_numbers"
	value, rule := r.fields[name], schema.Properties[name]
	if !r.rule(value[0] == '[', "type", name) {
		return nil
	}
	numbers := strictjson.Elements(value)
	if !r.rule(len(numbers) >= rule.MinItems, "min_items", name) || !r.rule(len(numbers) <= rule.MaxItems, "max_items", name) {
		return nil
	}
	for i, number := range numbers {
		fault := "type"
		if number[0] == '"' {
			fault = "pattern"
			numbers[i], _ = strictjson.Unquote(number)
		}
		if !isPhoneNumber(numbers[i]) {
			r.rule(false, fault, name+"/"+strconv.Itoa(i))
			return nil
		}
	}
	return numbers
}

// isID is the schema's pattern of an id without the cost of a regular expression; a test holds the two together.
func isID(text string) bool {
	if len(text) < 2 || len(text) > 32 || !isLetter(text[0]) {
		return false
	}
	for i := 1; i < len(text); i++ {
		if !isLetter(text[i]) && !isDigit(text[i]) {
			return false
		}
	}
	return true
}

// isPhoneNumber is the same for the schema's pattern of a number.
func isPhoneNumber(text string) bool {
	if len(text) < 9 || len(text) > 16 || text[0] != '+' || text[1] == '0' {
		return false
	}
	for i := 1; i < len(text); i++ {
		if !isDigit(text[i]) {
			return false
		}
	}
	return true
}

func isLetter(char byte) bool { return 'a' <= char && char <= 'z' }

func isDigit(char byte) bool { return '0' <= char && char <= '9' }

func isWhole(number float64) bool { return number == math.Trunc(number) && !math.IsInf(number, 0) }

type rule struct {
	Pattern                                                    string
	MinLength, MaxLength, Minimum, Maximum, MinItems, MaxItems int
	Items                                                      *rule
}

// schema is what the file of the contract says of a chunk; the limits stand only there.
var schema = func() (parsed struct {
	Required   []string
	Properties map[string]rule
	Defs       struct{ ID rule } `json:"$defs"`
}) {
	if err := json.Unmarshal(files.ChunkSchemaJSON, &parsed); err != nil {
		panic(err)
	}
	return parsed
}()
