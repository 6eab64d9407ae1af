package consumer

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"disparo/consumer/internal/contract"
)

func read(change contract.Environment) (Config, error) {
	env := contract.Environment{"DATABASE_URL": "postgres://h/d", "MONGODB_URL": "mongodb://h", "RABBITMQ_URL": "amqp://h"}
	maps.Copy(env, change)
	return readConfig(env)
}

func TestPartitionsShareThePrefetch(t *testing.T) {
	for _, c := range []struct {
		change     contract.Environment
		partitions []int
		each, port int
	}{
		{contract.Environment{}, []int{0}, 250, 0},
		{contract.Environment{"QUEUE_PARTITIONS": "3", "METRICS_PORT": "9"}, []int{0, 1, 2}, 83, 9},
		{contract.Environment{"QUEUE_PARTITIONS": "3", "CONSUMER_PARTITIONS": "2, 0", "PREFETCH": "9"}, []int{2, 0}, 4, 0},
		{contract.Environment{"QUEUE_PARTITIONS": "3", "PREFETCH": "2"}, []int{0, 1, 2}, 1, 0},
	} {
		config, err := read(c.change)
		if err != nil || !reflect.DeepEqual(config.Partitions, c.partitions) || config.PrefetchEach != c.each || config.MetricsPort != c.port {
			t.Errorf("%v: %+v %v", c.change, config, err)
		}
	}
}

func TestAWrongKeyIsNamed(t *testing.T) {
	for _, c := range [][3]string{
		{"PREFETCH", "0", "PREFETCH: must be a whole number from 1 to 1000, not \"0\""},
		{"PREFETCH", "1001", "from 1 to 1000"},
		{"METRICS_PORT", "0", "from 1 to 65535"},
		{"METRICS_PORT", "x", "METRICS_PORT: "},
		{"CONSUMER_PARTITIONS", "1", "CONSUMER_PARTITIONS: must be different whole numbers from 0 to 0 (QUEUE_PARTITIONS is 1), separated by commas"},
		{"CONSUMER_PARTITIONS", "0,0", "CONSUMER_PARTITIONS: "},
		{"CONSUMER_PARTITIONS", "0,", "CONSUMER_PARTITIONS: "},
		{"CONSUMER_PARTITIONS", "-0", "CONSUMER_PARTITIONS: "},
	} {
		if _, err := read(contract.Environment{c[0]: c[1]}); err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s=%s: %v", c[0], c[1], err)
		}
	}
}

// key is what a row of keys.json says of a value.
type key struct {
	Readers  []string
	Kind     string
	Min, Max int
	Words    []string
	Schemes  []string
	Form     string
	Wrong    string
	Default  any
}

// ownKeys is every row that consumers read.
func ownKeys(t *testing.T) map[string]key {
	text, err := os.ReadFile("../../../contract/keys.json")
	if err != nil {
		t.Fatal(err)
	}
	var groups map[string]map[string]key
	if err := json.Unmarshal(text, &groups); err != nil {
		t.Fatal(err)
	}
	own := map[string]key{}
	for _, keys := range groups {
		maps.Copy(own, keys)
	}
	maps.DeleteFunc(own, func(_ string, row key) bool { return !slices.Contains(row.Readers, "consumers") })
	return own
}

// wrongValues are the values that a key refuses, and what is said of each.
func wrongValues(row key) map[string]string {
	switch row.Kind {
	case "integer":
		wrong := map[string]string{}
		for _, value := range []int{row.Min - 1, row.Max + 1} {
			text := fmt.Sprint(value)
			wrong[text] = fmt.Sprintf(`must be a whole number from %d to %d, not "%s"`, row.Min, row.Max, text)
		}
		return wrong
	case "word":
		return map[string]string{"loud": fmt.Sprintf(`must be one of %s, not "loud"`, strings.Join(row.Words, ", "))}
	case "url":
		return map[string]string{"x://h": "must begin with " + strings.Join(row.Schemes, ":// or ") + "://"}
	}
	if row.Form == "" {
		return nil
	}
	return map[string]string{"a b": row.Wrong}
}

func rightValues(row key) []string {
	switch row.Kind {
	case "integer":
		return []string{fmt.Sprint(row.Min), fmt.Sprint(row.Max)}
	case "word":
		return row.Words
	}
	return nil
}

func TestRangesWordsAndDefaultsAreThoseOfTheTable(t *testing.T) {
	unset, _ := read(contract.Environment{})
	for name, row := range ownKeys(t) {
		for value, problem := range wrongValues(row) {
			if _, err := read(contract.Environment{name: value}); err == nil || err.Error() != name+": "+problem {
				t.Errorf("%s=%s: %v, not %s", name, value, err, problem)
			}
		}
		for _, value := range rightValues(row) {
			if _, err := read(contract.Environment{name: value}); err != nil {
				t.Error(err)
			}
		}
		if row.Default != nil {
			if got, err := read(contract.Environment{name: fmt.Sprint(row.Default)}); err != nil || !reflect.DeepEqual(got, unset) {
				t.Errorf("%s=%v is not the default: %+v %v", name, row.Default, got, err)
			}
		}
	}
}

func TestADatabaseURLMeansWhatItMeansToTheOtherConsumers(t *testing.T) {
	for query, mode := range map[string]string{
		"":                                     "disable",
		"?schema=public":                       "disable",
		"?ssl=0":                               "disable",
		"?ssl=true":                            "verify-full",
		"?sslmode=disable":                     "disable",
		"?sslmode=prefer":                      "verify-full",
		"?sslmode=require&channel_binding=x":   "verify-full",
		"?sslmode=no-verify":                   "require",
		"?sslmode=require&uselibpqcompat=true": "require",
		"?sslrootcert=/nobody":                 "verify-full",
		"?sslmode=prefer&uselibpqcompat=true":  "require",
		"?sslmode=allow&uselibpqcompat=true":   "verify-full",
		"?ssl=no-verify":                       "verify-full",
		"?sslnegotiation=direct":               "verify-full",
		"?sslmode=require&sslmode=disable":     "disable",
	} {
		got, err := postgresURL("postgresql://u:p@h:1/d" + query)
		if err != nil || !strings.Contains(got, "sslmode="+mode) || strings.Contains(got, "schema") || strings.Contains(got, "channel") {
			t.Errorf("%s: %s %v", query, got, err)
		}
	}
	for _, text := range []string{"postgresql:///d", "postgresql://"} {
		if got, _ := postgresURL(text); !strings.HasPrefix(got, "postgresql:///") || !strings.Contains(got, "host=localhost") {
			t.Error(got)
		}
	}
	if got, _ := postgresURL("postgresql://h/d?options=-c%20a%3Db+c"); !strings.Contains(got, "options=-c%20a%3Db%20c") {
		t.Error(got)
	}
}

func TestAStoreURLThatItsDriverCannotReadIsRefusedWithoutThePassword(t *testing.T) {
	for _, c := range [][2]string{
		{"DATABASE_URL", "postgresql://user:palavra@host/y?port=abc"},
		{"DATABASE_URL", "postgresql://user:palavra@host/y?sslmode=verify-ca&uselibpqcompat=true"},
		{"DATABASE_URL", "postgresql://user:palavra@host/y?sslmode=verify-full&sslrootcert=/nobody/made/this"},
		{"MONGODB_URL", "mongodb://user:palavra@host@other/y"},
		{"MONGODB_URL", "mongodb://user:palavra@host/y?nobodyknowsthis=1"},
		{"MONGODB_URL", "mongodb://user:palavra@"},
		{"MONGODB_URL", "mongodb://user:pal/avra@host"},
		{"MONGODB_URL", "mongodb://user:pal?avra@host"},
		{"MONGODB_URL", "mongodb://user:pal%zzavra@host"},
		{"MONGODB_URL", "mongodb://user:palavra@host/d?tls=maybe"},
		{"MONGODB_URL", "mongodb://user:palavra@host,/d"},
		{"MONGODB_URL", "mongodb://user:palavra@:27017/d"},
		{"MONGODB_URL", "mongodb://user:palavra@h^h/d"},
		{"MONGODB_URL", "mongodb://user:palavra@[zz]/d"},
		{"MONGODB_URL", "mongodb://user:palavra@host/d%zz"},
		{"MONGODB_URL", "mongodb://user:palavra@host/a.b"},
		{"MONGODB_URL", "mongodb+srv://user:palavra@a.b.c/d?nobodyknowsthis=1"},
		{"MONGODB_URL", "mongodb+srv://user:palavra@a.b.c/d?directConnection=true"},
		{"RABBITMQ_URL", "amqp://user:palavra@host?heartbeat=abc"},
		{"RABBITMQ_URL", "amqp://user:palavra@host?auth_mechanism=nobodyknowsthis"},
	} {
		config, err := read(contract.Environment{c[0]: c[1]})
		if err == nil {
			_, err = openStores(config)
		}
		if err == nil || err.Error() != c[0]+": is not usable; check its options and the files they name, and percent-encode special characters" {
			t.Errorf("%s: %v", c[1], err)
		}
	}
}
