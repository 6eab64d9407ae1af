package contract

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// FindRoot returns the nearest folder at or above from that holds .env.example: the root of the clone. Empty outside of one.
func FindRoot(from string) string {
	for folder := from; ; folder = filepath.Dir(folder) {
		if _, err := os.Stat(filepath.Join(folder, ".env.example")); err == nil {
			return folder
		}
		if filepath.Dir(folder) == folder {
			return ""
		}
	}
}

// EnvironmentHere reads the environment of this process, in the clone that its folder is in.
func EnvironmentHere() (Environment, error) {
	folder, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	return ReadEnvironment(os.Environ(), FindRoot(folder))
}

// ReadEnvironment returns the one configuration of every app, first found wins: environment (as os.Environ has it), `.env`
// at the root, `.local/services.env`. An empty value means unset, in each of the three.
func ReadEnvironment(environ []string, root string) (Environment, error) {
	merged := Environment{}
	if root != "" {
		for _, name := range []string{filepath.Join(".local", "services.env"), ".env"} {
			text, err := os.ReadFile(filepath.Join(root, name))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			merged.lay(parseEnv(string(text)))
		}
	}
	given := map[string]string{}
	for _, entry := range environ {
		key, value, _ := strings.Cut(entry, "=")
		given[key] = value
	}
	merged.lay(given)
	return merged, nil
}

func (env Environment) lay(layer map[string]string) {
	for key, value := range layer {
		if value != "" {
			env[key] = value
		}
	}
}

// parseEnv reads the text of a .env file as Node's util.parseEnv does: `export` may stand before a key, a value may be
// in quotes of three kinds and then span lines, `\n` is a line end in double quotes alone, `#` begins a comment outside
// of quotes, the last of a key counts. A line without `=` is skipped, as from Node 22 on.
func parseEnv(text string) map[string]string {
	env := map[string]string{}
	for rest := strings.ReplaceAll(text, "\r", ""); rest != ""; {
		line, after, _ := strings.Cut(rest, "\n")
		key, value, found := strings.Cut(line, "=")
		key = strings.Trim(key, " \t")
		if !found || key == "" || key[0] == '#' {
			rest = after
			continue
		}
		if exported, is := strings.CutPrefix(key, "export "); is {
			key = strings.TrimLeft(exported, " ")
		}
		value = strings.TrimLeft(value, " \t")
		if quoted, afterQuoted, is := cutQuoted(rest[len(line)-len(value):]); is {
			env[key], rest = quoted, afterQuoted
			continue
		}
		if value == "" || strings.IndexByte("\"'`", value[0]) < 0 {
			value, _, _ = strings.Cut(value, "#")
		}
		env[key], rest = strings.Trim(value, " \t"), after
	}
	return env
}

// cutQuoted returns the value that text begins with, if it is one in quotes, and what follows its last line.
func cutQuoted(text string) (value, after string, is bool) {
	if text == "" || strings.IndexByte("\"'`", text[0]) < 0 {
		return "", "", false
	}
	end := strings.IndexByte(text[1:], text[0])
	if end < 0 {
		return "", "", false
	}
	value = text[1 : 1+end]
	if text[0] == '"' {
		value = strings.ReplaceAll(value, `\n`, "\n")
	}
	_, after, _ = strings.Cut(text[end+2:], "\n")
	return value, after, true
}
