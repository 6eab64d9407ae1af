package contract

import (
	"encoding/json"
	"fmt"
	"math"
	"unicode/utf8"

	files "disparo/contract"

	"disparo/consumer/internal/strictjson"
)

const (
	// ChunkVersion is the version that is written today. A consumer refuses every other one as unknown_version.
	ChunkVersion = 1
	// MaxChunkBytes is how long a queue message may be.
	MaxChunkBytes = 1_048_576
)

// Chunk holds consecutive numbers of a campaign: the body of a queue message (campaign-chunk.v1.schema.json).
type Chunk struct {
	CampaignID string
	CompanyID  string
	// Message is the text that every number of the chunk gets.
	Message string
	// FirstSequence is the sequence of the first number, from 1.
	FirstSequence int32
	// PhoneNumbers are E.164 with the plus sign, in the file's order.
	PhoneNumbers []string
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
	return ok && isWhole(version) && version != ChunkVersion
}

// Chunk checks the body against the schema. The problem is a path and a rule, never a value; empty when it is a chunk.
// The rules are looked at in the order, and named in the words, of the validator that the other consumers use (Ajv).
func (b Body) Chunk() (chunk *Chunk, problem string) {
	if !b.isObject {
		return nil, "/ must be object"
	}
	for _, name := range schema.Required {
		if _, found := b.fields[name]; !found {
			return nil, fmt.Sprintf("/ must have required property '%s'", name)
		}
	}
	if version, _ := strictjson.Number(b.fields["version"]); version != ChunkVersion {
		return nil, "/version must be equal to constant"
	}
	chunk = &Chunk{}
	wellFormed := true
	for _, problem := range []func() string{
		func() string { return b.id("campaign_id", &chunk.CampaignID) },
		func() string { return b.id("company_id", &chunk.CompanyID) },
		func() string { return b.message(&chunk.Message, &wellFormed) },
		func() string { return b.firstSequence(&chunk.FirstSequence) },
		func() string { return b.phoneNumbers(&chunk.PhoneNumbers) },
	} {
		if text := problem(); text != "" {
			return nil, text
		}
	}
	if !wellFormed {
		// The schema cannot say this; BSON would store another text than the one that came.
		return nil, "/message must NOT have lone surrogates"
	}
	return chunk, ""
}

func (b Body) id(name string, into *string) string {
	value := b.fields[name]
	if value[0] != '"' {
		return "/" + name + " must be string"
	}
	if *into, _ = strictjson.Unquote(value); !isID(*into) {
		return fmt.Sprintf(`/%s must match pattern "%s"`, name, schema.Defs.ID.Pattern)
	}
	return ""
}

func (b Body) message(into *string, wellFormed *bool) string {
	value, rule := b.fields["message"], schema.Properties["message"]
	if value[0] != '"' {
		return "/message must be string"
	}
	*into, *wellFormed = strictjson.Unquote(value)
	switch length := utf8.RuneCountInString(*into); {
	case length > rule.MaxLength:
		return fmt.Sprintf("/message must NOT have more than %d characters", rule.MaxLength)
	case length < rule.MinLength:
		return fmt.Sprintf("/message must NOT have fewer than %d characters", rule.MinLength)
	}
	return ""
}

func (b Body) firstSequence(into *int32) string {
	number, ok := strictjson.Number(b.fields["first_sequence"])
	rule := schema.Properties["first_sequence"]
	switch {
	case !ok || !isWhole(number):
		return "/first_sequence must be integer"
	case number > float64(rule.Maximum):
		return fmt.Sprintf("/first_sequence must be <= %d", rule.Maximum)
	case number < float64(rule.Minimum):
		return fmt.Sprintf("/first_sequence must be >= %d", rule.Minimum)
	}
	*into = int32(number)
	return ""
}

func (b Body) phoneNumbers(into *[]string) string {
	value, rule := b.fields["phone_numbers"], schema.Properties["phone_numbers"]
	if value[0] != '[' {
		return "/phone_numbers must be array"
	}
	numbers := strictjson.Elements(value)
	switch {
	case len(numbers) > rule.MaxItems:
		return fmt.Sprintf("/phone_numbers must NOT have more than %d items", rule.MaxItems)
	case len(numbers) < rule.MinItems:
		return fmt.Sprintf("/phone_numbers must NOT have fewer than %d items", rule.MinItems)
	}
	for i, number := range numbers {
		if number[0] != '"' {
			return fmt.Sprintf("/phone_numbers/%d must be string", i)
		}
		if numbers[i], _ = strictjson.Unquote(number); !isPhoneNumber(numbers[i]) {
			return fmt.Sprintf(`/phone_numbers/%d must match pattern "%s"`, i, rule.Items.Pattern)
		}
	}
	*into = numbers
	return ""
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

// isPhoneNumber is the schema's pattern of a number, likewise.
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

// schema is what the file of the contract says of a chunk; the limits stand there alone.
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
