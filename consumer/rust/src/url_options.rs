//! The options that a URL of MongoDB or RabbitMQ may have: those that every language's driver takes in the same way.

use crate::percent::decoded;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::collections::BTreeMap;

const FORMS: &str = include_str!("../../contract/url-options.json");
const TLS_OPTIONS: [&str; 3] = ["tlsinsecure", "tlscafile", "tlscertificatekeyfile"];
const MAX_DATABASE_BYTES: usize = 63;
/// https://www.mongodb.com/docs/manual/reference/limits/#std-label-restrictions-on-db-names
const NOT_IN_DATABASE: [char; 7] = ['/', '\\', '.', ' ', '"', '$', '\0'];

/// The values that an option may have. With `kept` it reaches the driver; every other known option is left out, because it
/// changes nothing here.
#[derive(Debug, Deserialize)]
struct Form {
    is: String,
    #[serde(default)]
    of: Vec<String>,
    #[serde(default)]
    min: i64,
    #[serde(default)]
    max: i64,
    #[serde(default)]
    kept: bool,
    #[serde(default)]
    repeated: bool,
}

type Options = BTreeMap<String, String>;

/// A URL with only those of its options that reach the driver: every language's driver takes these in the same way. None for
/// a URL with an unknown option or a wrong value: an option that one language obeys and another ignores would make one
/// deployment behave in two ways.
pub fn with_strict_options(variable: &str, url: &str) -> Option<String> {
    let forms: BTreeMap<String, BTreeMap<String, Form>> = serde_json::from_str(FORMS).ok()?;
    let forms = forms.get(variable)?;
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    let mut options = options_of(forms, query)?;
    let mut strict = before.to_owned();
    if variable == "MONGODB_URL" {
        if url.contains('#') || !is_mongo(before, &mut options) {
            return None;
        }
        if !before.split_once("://").is_some_and(|(_, rest)| rest.contains('/')) {
            strict.push('/');
        }
    }
    let kept = options.iter().filter(|(name, _)| forms.get(*name).is_some_and(|form| form.kept));
    let written: Vec<String> =
        kept.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))).collect();
    Some(if written.is_empty() { strict } else { format!("{strict}?{}", written.join("&")) })
}

fn options_of(forms: &BTreeMap<String, Form>, query: &str) -> Option<Options> {
    let mut options = Options::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let (name, value) = (decoded(name)?.to_lowercase(), decoded(value)?);
        let form = forms.get(&name)?;
        if !form.takes(&value) || !form.repeated && options.contains_key(&name) {
            return None;
        }
        options.insert(name, value);
    }
    Some(options)
}

impl Form {
    fn takes(&self, value: &str) -> bool {
        let word = |word: &str| self.of.iter().any(|known| known == word);
        match self.is.as_str() {
            _ if value.is_empty() => self.repeated,
            "boolean" => matches!(value, "true" | "false"),
            "word" => word(value),
            "words" => value.split(',').all(word),
            "text" => true,
            _ => {
                let digits = value.strip_prefix('-').unwrap_or(value);
                let whole = (1..=10).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
                whole && value.parse().is_ok_and(|number: i64| (self.min..=self.max).contains(&number))
            }
        }
    }
}

/// Whether the rules hold for options together, and for an option together with the rest of the URL.
fn is_mongo(before: &str, options: &mut Options) -> bool {
    let Some((scheme, rest)) = before.split_once("://") else { return false };
    let (user, rest) = rest.rsplit_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest));
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let database = decoded(path).filter(|name| name.len() <= MAX_DATABASE_BYTES && !name.contains(NOT_IN_DATABASE));
    let (srv, several) = (scheme == "mongodb+srv", hosts.contains(','));
    let has = |name: &str| options.contains_key(name);
    let on = |name: &str| options.get(name).is_some_and(|value| value == "true");
    let limited = options.get("srvmaxhosts").is_some_and(|value| !value.trim_start_matches('0').is_empty());
    let (tls, ssl) = (options.get("tls"), options.get("ssl"));
    let encrypted = tls.or(ssl).map_or(srv, |value| value == "true");
    let holds = database.is_some()
        && (srv || !has("srvmaxhosts") && !has("srvservicename"))
        && (!on("directconnection") || !several && !srv)
        && (!on("loadbalanced") || !several && !has("replicaset") && !on("directconnection"))
        && (!limited || !has("replicaset") && !on("loadbalanced"))
        && (tls.is_none() || ssl.is_none() || tls == ssl)
        && (encrypted || !TLS_OPTIONS.into_iter().any(has));
    holds && has_credentials(user, options, encrypted)
}

/// A user and a password, or neither. With MONGODB-X509: a certificate instead of the password.
fn has_credentials(user: Option<&str>, options: &mut Options, encrypted: bool) -> bool {
    let mechanism = options.get("authmechanism").map(String::as_str);
    let Some(user) = user else {
        let asked = mechanism.is_some();
        // Without a user it has no meaning, but not every driver ignores it then.
        options.remove("authsource");
        return !asked;
    };
    let (name, password) = user.split_once(':').map_or((user, None), |(name, password)| (name, Some(password)));
    if mechanism != Some("MONGODB-X509") {
        return !name.is_empty() && password.is_some_and(|password| !password.is_empty());
    }
    let external = options.get("authsource").is_none_or(|source| source == "$external");
    password.is_none() && !name.is_empty() && encrypted && options.contains_key("tlscertificatekeyfile") && external
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLES: &str = include_str!("../../contract/examples/url-options.jsonl");

    #[derive(Deserialize)]
    struct Example {
        variable: String,
        url: String,
        taken: bool,
    }

    #[test]
    fn options_are_taken_or_refused_as_in_every_language() {
        assert!(EXAMPLES.lines().count() > 100);
        for line in EXAMPLES.lines() {
            let Example { variable, url, taken } = serde_json::from_str(line).expect("an example");
            assert_eq!(with_strict_options(&variable, &url).is_some(), taken, "{variable} {url}");
        }
    }

    #[test]
    fn what_is_kept_reaches_the_driver_and_what_changes_nothing_does_not() {
        let of = |url| with_strict_options("MONGODB_URL", url);
        let kept = of("mongodb://u:p@h?W=2&tls=true&tlsCAFile=/a%2Bb+c&&compressors=zlib,zstd&authSource=x");
        let expected = "mongodb://u:p@h/?authsource=x&tls=true&tlscafile=%2Fa%2Bb%2Bc";
        assert_eq!(kept.as_deref(), Some(expected));
        assert_eq!(of("mongodb://h/d?w=1&authSource=x").as_deref(), Some("mongodb://h/d"));
        let rabbit = with_strict_options("RABBITMQ_URL", "amqp://h/v?heartbeat=5&auth_mechanism=plain");
        assert_eq!(rabbit.as_deref(), Some("amqp://h/v?heartbeat=5"));
    }
}
