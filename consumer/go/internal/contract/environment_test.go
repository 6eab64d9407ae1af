package contract

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// Each result is that of util.parseEnv of Node 20.20, unless it says otherwise.
func TestParseEnvReadsAsNodeDoes(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"A=":                         {"A": ""},
		"A= \nB=1":                   {"A": "", "B": "1"},
		"A=   x y  \n":               {"A": "x y"},
		"  A=1\n   B = 2 ":           {"A": "1", "B": "2"},
		"A=1\r\nB=2\r\n":             {"A": "1", "B": "2"},
		"export A=1":                 {"A": "1"},
		"exportA=1":                  {"exportA": "1"},
		"export=1":                   {"export": "1"},
		`A="x\ny"`:                   {"A": "x\ny"},
		`A='x\ny'`:                   {"A": `x\ny`},
		"A=`x\ny`z\nC=3":             {"A": "x\ny", "C": "3"},
		"A='x\nB=2'":                 {"A": "x\nB=2"},
		"A=\"x\nB=2":                 {"A": `"x`, "B": "2"},
		"A=x # c":                    {"A": "x"},
		"A=x#c":                      {"A": "x"},
		"A=#c\nB=1":                  {"A": "", "B": "1"},
		"A=\"x\" # c\nB=2":           {"A": "x", "B": "2"},
		"A=\"x # y\"":                {"A": "x # y"},
		"A=\"\"\nB=1":                {"A": "", "B": "1"},
		"A=\" x \"":                  {"A": " x "},
		"A=x'y'":                     {"A": "x'y'"},
		"A=1=2":                      {"A": "1=2"},
		"# c\nA=1":                   {"A": "1"},
		"A=1\nA=2":                   {"A": "2"},
		"A=\n\n\nB=1":                {"A": "", "B": "1"},
		"A=amqps://u:p%40s@h/v?x=1":  {"A": "amqps://u:p%40s@h/v?x=1"},
		"":                           {},
		"A=1\n#B=2\n\n  # C=3\nD= 4": {"A": "1", "D": "4"}, // Node 20.20 takes an indented comment for a key; Node 22 does not.
		"novalue\nB=1":               {"B": "1"},           // Node 20.20 joins the lines into one key; Node 22 does not.
	} {
		if got := parseEnv(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, wanted %q", text, got, want)
		}
	}
}

func TestTheEnvironmentWinsOverDotEnvAndThatOverTheLocalServices(t *testing.T) {
	root := t.TempDir()
	below := filepath.Join(root, "consumer", "go")
	for _, folder := range []string{below, filepath.Join(root, ".local")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		".env.example":        "",
		".local/services.env": "A=local\nB=local\nC=local\nD=local\n",
		".env":                "A=file\nB=file\nD=\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if found := FindRoot(below); found != root {
		t.Error(found)
	}
	if found := FindRoot(filepath.Dir(root)); found != "" {
		t.Error(found)
	}
	env, err := ReadEnvironment([]string{"A=given=1", "C="}, root)
	if want := (Environment{"A": "given=1", "B": "file", "C": "local", "D": "local"}); err != nil || !reflect.DeepEqual(env, want) {
		t.Error(env, err)
	}
}
