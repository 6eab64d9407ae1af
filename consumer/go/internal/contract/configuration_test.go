package contract

import (
	"errors"
	"maps"
	"regexp"
	"strings"
	"testing"
)

func sound() Environment {
	return Environment{
		"DATABASE_URL": "postgresql://u:secret@h/d",
		"MONGODB_URL":  "mongodb://u:secret@a:1,b:2/d",
		"RABBITMQ_URL": "amqps://u:secret@h/v",
	}
}

func TestDefaultsFillWhatIsUnset(t *testing.T) {
	env := sound()
	got, err := env.Shared()
	want := SharedConfiguration{env["DATABASE_URL"], env["MONGODB_URL"], env["RABBITMQ_URL"], "disparo", 1, "", "info"}
	if err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
}

func TestAWrongValueIsRefusedByItsNameAndNeverShownWhenItMayHoldASecret(t *testing.T) {
	for _, c := range [][2]string{
		{"DATABASE_URL", ""},
		{"DATABASE_URL", "mysql://u:secret@h/d"},
		{"DATABASE_URL", "postgresql://u:secret@h:port/d"},
		{"DATABASE_URL", "postgresql://u:secret@h:65536/d"},
		{"DATABASE_URL", "postgresql://u:secret@:5432/d"},
		{"DATABASE_URL", "postgresql://u:se/cret@h/d"},
		{"DATABASE_URL", "postgresql://u:a@secret@h/d"},
		{"DATABASE_URL", "postgresql://u:secret@h/d@x"},
		{"DATABASE_URL", "postgresql://u:secret@h/d#x"},
		{"DATABASE_URL", "postgresql://u:secret%zz@h/d"},
		{"DATABASE_URL", "postgresql://u%:secret@h/d"},
		{"DATABASE_URL", "postgresql://u:secret@h/d%4"},
		{"DATABASE_URL", "postgresql://u:secret%ff@h/d"},
		{"DATABASE_URL", "postgresql://u:secret%ED%A0%80@h/d"},
		{"DATABASE_URL", "postgresql://u:secret@[fe80::1%25lo]/d"},
		{"MONGODB_URL", "u:secret@h"},
		{"RABBITMQ_URL", "http://u:secret@h"},
		{"RABBITMQ_URL", "amqp://u:se/cret@h"},
		{"RABBITMQ_URL", "amqp://u:se%cret@h"},
		{"RABBITMQ_URL", "amqp://u:a@secret#c@h"},
		{"RABBITMQ_URL", "amqp://u:se#cret@h"},
		{"RABBITMQ_URL", "amqp://u:secret@"},
		{"RABBITMQ_URL", "amqp://u:secret@::1:5672"},
		{"QUEUE_PREFIX", "a b"},
		{"QUEUE_PREFIX", strings.Repeat("a", 101)},
		{"QUEUE_PARTITIONS", "0"},
		{"QUEUE_PARTITIONS", "65"},
		{"QUEUE_PARTITIONS", "1.5"},
		{"QUEUE_PARTITIONS", "+1"},
		{"QUEUE_PARTITIONS", "two"},
		{"QUEUE_TYPE", "stream"},
		{"LOG_LEVEL", "loud"},
	} {
		env := sound()
		maps.Copy(env, Environment{c[0]: c[1]})
		if c[1] == "" {
			delete(env, c[0])
		}
		_, err := env.Shared()
		var refused *ConfigurationError
		if !errors.As(err, &refused) || refused.Variable != c[0] || !regexp.MustCompile(`^`+c[0]+`: [^\n]+$`).MatchString(err.Error()) ||
			strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "cret@") {
			t.Errorf("%s=%s: %v", c[0], c[1], err)
		}
	}
}

func TestAURLIsReadAsTheStandardHasIt(t *testing.T) {
	for text, strict := range map[string]string{
		"amqp://u:a@b{@h": "amqp://u:a%40b%7B@h",
		"amqp://h/%2f":    "amqp://h/%2f",
		"amqp://":         "amqp://",
	} {
		if got := StrictURL(text); got != strict {
			t.Errorf("%s: %s", text, got)
		}
	}
	for _, text := range []string{"x://u:p@h:/d#", "x://u:p@h:000001/d", "x://u:p@[::1]:1", "x:///d", "x://u:p@h/d?y=%zz"} {
		if !isReadable(text) {
			t.Error(text)
		}
	}
}

func TestThePasswordMayHoldWhatTheStandardLetsIt(t *testing.T) {
	for _, password := range []string{"p%40ss", "p{a}ss", "p^ss", "pá", "p%C3%A1", "p:s"} {
		text := "postgresql://u:" + password + "@h:5432/d"
		env := sound()
		env["DATABASE_URL"] = text
		if _, err := env.Shared(); err != nil {
			t.Error(text, err)
		}
		parsed, err := ParseURL(text)
		if err != nil {
			t.Fatal(text, err)
		}
		want := strings.NewReplacer("%40", "@", "%C3%A1", "á").Replace(password)
		if got, _ := parsed.User.Password(); got != want || parsed.Host != "h:5432" {
			t.Errorf("%s: %s at %s", text, got, parsed.Host)
		}
	}
	if _, err := ParseURL("postgresql://u:secret%zz@h/d"); err == nil || strings.Contains(err.Error(), "z") {
		t.Error(err)
	}
}
