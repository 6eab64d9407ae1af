use super::*;
use serde_json::Value;
use std::collections::BTreeMap;

/// Rows by key, grouped by heading.
type Groups = BTreeMap<String, BTreeMap<String, Key>>;

/// What a row of keys.json says of a value.
#[derive(serde::Deserialize)]
struct Key {
    readers: Vec<String>,
    kind: String,
    min: Option<i64>,
    max: Option<i64>,
    #[serde(default)]
    words: Vec<String>,
    #[serde(default)]
    schemes: Vec<String>,
    wrong: Option<String>,
    default: Option<Value>,
}

impl Key {
    /// The values that are refused, and what is said of each.
    fn wrong_values(&self) -> Vec<(String, String)> {
        match self.kind.as_str() {
            "integer" => {
                let (min, max) = (self.min.expect("min"), self.max.expect("max"));
                let problem = |value: i64| format!("must be a whole number from {min} to {max}, not \"{value}\"");
                [min - 1, max + 1].into_iter().map(|value| (value.to_string(), problem(value))).collect()
            }
            "word" => vec![("loud".into(), format!("must be one of {}, not \"loud\"", self.words.join(", ")))],
            "url" => vec![("x://h".into(), format!("must begin with {}://", self.schemes.join(":// or ")))],
            _ => self.wrong.iter().map(|problem| ("a b".into(), problem.clone())).collect(),
        }
    }

    fn right_values(&self) -> Vec<String> {
        let bounds = [self.min, self.max].into_iter().flatten().map(|bound| bound.to_string());
        bounds.chain(self.words.clone()).collect()
    }
}

fn given(changes: &[(&str, &str)]) -> Environment {
    let urls = [
        ("DATABASE_URL", "postgresql://u:secret@h/d"),
        ("MONGODB_URL", "mongodb://u:secret@h1,h2/d"),
        ("RABBITMQ_URL", "amqp://u:secret@h"),
    ];
    urls.iter()
        .chain(changes)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

#[test]
fn what_is_not_set_has_its_default() {
    let config = read_config(&given(&[])).expect("a configuration");
    assert_eq!(config.queue_prefix, "disparo");
    assert_eq!((config.queue_partitions, config.partitions.as_slice()), (1, &[0][..]));
    assert_eq!((config.prefetch_each, config.metrics_port, config.log_level), (250, None, Level::Info));
}

#[test]
fn ranges_words_and_defaults_are_those_of_the_table() {
    let groups: Groups = serde_json::from_str(include_str!("../../contract/keys.json")).expect("the table of keys");
    let read = |name: &str, value: &str| read_config(&given(&[(name, value)]));
    let unset = format!("{:?}", read_config(&given(&[])));
    for (name, key) in groups.values().flatten() {
        if !key.readers.iter().any(|reader| reader == "consumers") {
            continue;
        }
        for (value, problem) in key.wrong_values() {
            assert_eq!(read(name, &value).expect_err(name).to_string(), format!("{name}: {problem}"));
        }
        for value in key.right_values() {
            assert!(read(name, &value).is_ok(), "{name}={value}");
        }
        if let Some(default) = &key.default {
            let value = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
            assert_eq!(format!("{:?}", read(name, &value)), unset, "{name}={value}");
        }
    }
}

#[test]
fn the_partitions_share_the_prefetch_evenly_and_have_at_least_one_each() {
    let each = |partitions, prefetch| {
        let env = given(&[("QUEUE_PARTITIONS", partitions), ("PREFETCH", prefetch)]);
        read_config(&env).expect("a configuration").prefetch_each
    };
    assert_eq!((each("4", "250"), each("64", "10"), each("1", "1000")), (62, 1, 1_000));
    let env = given(&[("QUEUE_PARTITIONS", "4"), ("CONSUMER_PARTITIONS", " 2, 0")]);
    assert_eq!(read_config(&env).expect("a configuration").partitions, [2, 0]);
}

#[test]
fn each_wrong_value_is_refused_with_the_sentence_that_every_language_has() {
    let cases = [
        ("QUEUE_PREFIX", "a b", "must be 1 to 100 letters, digits, dots, dashes or underscores"),
        ("DATABASE_URL", "mysql://u:secret@h", "must begin with postgresql:// or postgres://"),
        (
            "DATABASE_URL",
            "postgresql://u:secret@:x/y",
            "is not a URL; a password with special characters must be percent-encoded",
        ),
        ("RABBITMQ_URL", "localhost:5672", "must begin with amqp:// or amqps://"),
        ("QUEUE_PARTITIONS", "65", "must be a whole number from 1 to 64, not \"65\""),
        ("QUEUE_TYPE", "stream", "must be one of classic, quorum, not \"stream\""),
        ("QUEUE_PARTITIONS", "+1", "must be a whole number from 1 to 64, not \"+1\""),
        ("PREFETCH", "0", "must be a whole number from 1 to 1000, not \"0\""),
        ("PREFETCH", "0000000001", "must be a whole number from 1 to 1000, not \"0000000001\""),
        ("METRICS_PORT", "70000", "must be a whole number from 1 to 65535, not \"70000\""),
        ("LOG_LEVEL", "loud", "must be one of trace, debug, info, warn, error, silent, not \"loud\""),
        (
            "CONSUMER_PARTITIONS",
            "0,1",
            "must be different whole numbers from 0 to 0 (QUEUE_PARTITIONS is 1), separated by commas",
        ),
        (
            "CONSUMER_PARTITIONS",
            "0,0",
            "must be different whole numbers from 0 to 0 (QUEUE_PARTITIONS is 1), separated by commas",
        ),
    ];
    for (key, value, problem) in cases {
        let refused = read_config(&given(&[(key, value)])).expect_err(key);
        assert_eq!(refused, ConfigurationError::new(key, problem));
        assert!(!refused.to_string().contains("secret"));
    }
    let mut env = given(&[]);
    env.remove("MONGODB_URL");
    assert_eq!(
        read_config(&env).expect_err("not set").to_string(),
        "MONGODB_URL: is not set; give a URL that begins with mongodb:// or mongodb+srv://, or run \"npm run services\""
    );
}

#[test]
fn a_url_with_a_password_that_is_not_encoded_is_refused_and_never_shown() {
    let problem = "is not a URL; a password with special characters must be percent-encoded";
    for (key, scheme) in [("DATABASE_URL", "postgresql"), ("RABBITMQ_URL", "amqp")] {
        for rest in [
            "u:se#cret@h/d",
            "u:secret@h/d#x",
            "u:a@secret@h/d",
            "u:secret@h/d@x",
            "u:se%cret@h/d",
            "u%:secret@h/d",
            "u:secret@h/d%4",
            "u:secret%ff@h/d",
            "u:se/cret@h/d",
            "u:secret@h:port/d",
            "u:secret@[fe80::1%25lo]/d",
        ] {
            let url = format!("{scheme}://{rest}");
            let refused = read_config(&given(&[(key, &url)])).expect_err(&url);
            assert_eq!(refused, ConfigurationError::new(key, problem), "{url}");
        }
        for rest in ["u:p%40%C3%A9@h:1/d%2F", "u:p^{}é@h", "h", "u:p@[::1]:1/d#"] {
            let url = format!("{scheme}://{rest}");
            assert!(read_config(&given(&[(key, &url)])).is_ok(), "{url}");
        }
    }
    // PostgreSQL's options are the server's own.
    assert!(read_config(&given(&[("DATABASE_URL", "postgresql://u:p@h?x=%zz")])).is_ok());
    assert!(read_config(&given(&[("RABBITMQ_URL", "amqp://u:p@h?x=%zz")])).is_err());
}
