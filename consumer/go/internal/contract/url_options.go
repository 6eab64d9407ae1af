package contract

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	files "disparo/contract"
)

// optionForm has the values that an option may have. With Kept it reaches the driver; every other known option is left out,
// because it changes nothing here.
type optionForm struct {
	Is       string
	Of       []string
	Min, Max int64
	Kept     bool
	Repeated bool
}

var optionForms = func() map[string]map[string]optionForm {
	var forms map[string]map[string]optionForm
	if err := json.Unmarshal(files.URLOptionsJSON, &forms); err != nil {
		panic(err)
	}
	return forms
}()

var tlsOptions = []string{"tlsinsecure", "tlscafile", "tlscertificatekeyfile"}

var optionNumber = regexp.MustCompile(`^-?[0-9]{1,10}$`)

const (
	maxDatabaseBytes = 63
	// https://www.mongodb.com/docs/manual/reference/limits/#std-label-restrictions-on-db-names
	notInDatabase = "/\\. \"$\x00"
)

// withStrictOptions is a URL with only those of its options that reach the driver: every language's driver takes these in
// the same way. Returns ErrUnusableURL for a URL with an unknown option or a wrong value: an option that one language obeys
// and another ignores would make one deployment behave in two ways.
func withStrictOptions(variable, address string) (string, error) {
	before, query, _ := strings.Cut(address, "?")
	options, err := optionsOf(optionForms[variable], query)
	if err != nil {
		return "", err
	}
	if variable == "MONGODB_URL" {
		if !isMongo(address, before, options) {
			return "", ErrUnusableURL
		}
		if _, rest, _ := strings.Cut(before, "://"); !strings.Contains(rest, "/") {
			before += "/"
		}
	}
	var kept []string
	for name, value := range options {
		if optionForms[variable][name].Kept {
			kept = append(kept, name+"="+strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
		}
	}
	if len(kept) == 0 {
		return before, nil
	}
	slices.Sort(kept)
	return before + "?" + strings.Join(kept, "&"), nil
}

func optionsOf(forms map[string]optionForm, query string) (map[string]string, error) {
	options := map[string]string{}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		key, wrongName := unescaped(name)
		text, wrongValue := unescaped(value)
		key = strings.ToLower(key)
		form, known := forms[key]
		_, twice := options[key]
		if wrongName != nil || wrongValue != nil || !found || !known || !form.takes(text) || twice && !form.Repeated {
			return nil, ErrUnusableURL
		}
		options[key] = text
	}
	return options, nil
}

func unescaped(text string) (string, error) {
	plain, err := url.PathUnescape(text)
	if err == nil && !utf8.ValidString(plain) {
		err = ErrUnusableURL
	}
	return plain, err
}

func (f optionForm) takes(value string) bool {
	if value == "" {
		return f.Repeated
	}
	switch f.Is {
	case "boolean":
		return value == "true" || value == "false"
	case "word":
		return slices.Contains(f.Of, value)
	case "words":
		for word := range strings.SplitSeq(value, ",") {
			if !slices.Contains(f.Of, word) {
				return false
			}
		}
		return true
	case "text":
		return true
	}
	number, err := strconv.ParseInt(value, 10, 64)
	return err == nil && optionNumber.MatchString(value) && number >= f.Min && number <= f.Max
}

// isMongo tells whether the rules hold for options together, and for an option together with the rest of the URL.
func isMongo(address, before string, options map[string]string) bool {
	scheme, rest, _ := strings.Cut(before, "://")
	authority, path := rest, ""
	at := strings.LastIndexByte(rest, '@')
	if slash := strings.IndexByte(rest[at+1:], '/'); slash >= 0 {
		authority, path = rest[:at+1+slash], rest[at+2+slash:]
	}
	hosts := authority[at+1:]
	srv, several := scheme == "mongodb+srv", strings.Contains(hosts, ",")
	on := func(name string) bool { return options[name] == "true" }
	has := func(name string) bool { _, found := options[name]; return found }
	database, err := unescaped(path)
	tls, encrypted := mongoTLS(options, srv)
	for _, name := range tlsOptions {
		tls = tls && (encrypted || !has(name))
	}
	limited := strings.Trim(options["srvmaxhosts"], "0") != ""
	switch {
	case err != nil || strings.Contains(address, "#") || strings.ContainsAny(database, notInDatabase) || len(database) > maxDatabaseBytes,
		!srv && (has("srvmaxhosts") || has("srvservicename")),
		on("directconnection") && (several || srv),
		on("loadbalanced") && (several || has("replicaset") || on("directconnection")),
		limited && (has("replicaset") || on("loadbalanced")),
		!tls:
		return false
	case at < 0:
		// Without a user it has no meaning, but not every driver ignores it then.
		delete(options, "authsource")
		return !has("authmechanism")
	}
	return haveCredentials(authority[:at], options, encrypted)
}

// mongoTLS tells whether the two names of the one option agree, and whether the connection is encrypted.
func mongoTLS(options map[string]string, srv bool) (agree, encrypted bool) {
	tls, one := options["tls"]
	ssl, other := options["ssl"]
	switch {
	case one && other:
		return tls == ssl, tls == "true"
	case one || other:
		return true, tls+ssl == "true"
	}
	return true, srv
}

// haveCredentials: a user and a password. With MONGODB-X509: a certificate instead of the password.
func haveCredentials(userinfo string, options map[string]string, encrypted bool) bool {
	user, password, found := strings.Cut(userinfo, ":")
	if options["authmechanism"] != "MONGODB-X509" {
		return user != "" && password != ""
	}
	source, given := options["authsource"]
	return !found && user != "" && encrypted && options["tlscertificatekeyfile"] != "" && (!given || source == "$external")
}
