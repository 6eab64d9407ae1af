//! The configuration of this consumer, read once at the start.

use crate::environment::Environment;
use crate::log::Level;
use crate::percent::decoded;
use crate::refusal::unusable_url;
use crate::topology::QUEUE_TYPES;
use crate::url_options::with_strict_options;
use std::collections::BTreeSet;
use url::Url;

/// How the process ends (sysexits.h where it has a name). The same in every language.
pub mod exit {
    /// Told to stop, and the current work was finished.
    pub const DRAINED: i32 = 0;
    /// A bug.
    pub const BUG: i32 = 1;
    /// The grace time ran out, or a second signal came: the current work is done again.
    pub const FORCED: i32 = 75;
    /// Something that cannot heal by waiting: a wrong value, password, vhost, certificate, queue.
    pub const CONFIGURATION: i32 = 78;
}

/// A value that stops the start. The message is one line, names the variable and never shows a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct ConfigurationError {
    /// The key that is wrong or missing.
    pub variable: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl ConfigurationError {
    /// Names the variable and what is wrong with it.
    pub fn new(variable: &'static str, problem: impl Into<String>) -> Self {
        Self { variable, problem: problem.into() }
    }
}

/// Every key of `.env.example` that concerns a consumer.
#[derive(Debug, Clone)]
pub struct Config {
    /// PostgreSQL: the ledger.
    pub database_url: String,
    /// MongoDB: the documents.
    pub mongodb_url: String,
    /// RabbitMQ: the queues.
    pub rabbitmq_url: String,
    /// Names of exchanges and queues start with it.
    pub queue_prefix: String,
    /// How many campaign queues there are, numbered from 0.
    pub queue_partitions: u16,
    /// One of `QUEUE_TYPES`; None: the vhost's default decides.
    pub queue_type: Option<&'static str>,
    /// What is logged.
    pub log_level: Level,
    /// The partitions that this process takes.
    pub partitions: Vec<u16>,
    /// Unacknowledged messages of one partition, at most.
    pub prefetch_each: u16,
    /// The port of health and metrics; None is off.
    pub metrics_port: Option<u16>,
}

/// Reads the configuration. Fails at the first key that is wrong or missing.
pub fn read_config(env: &Environment) -> Result<Config, ConfigurationError> {
    let queue_prefix = queue_prefix_key(env)?;
    let database_url = url_key(env, "DATABASE_URL", &["postgresql", "postgres"])?;
    let mongodb_url = url_key(env, "MONGODB_URL", &["mongodb", "mongodb+srv"])?;
    let rabbitmq_url = url_key(env, "RABBITMQ_URL", &["amqp", "amqps"])?;
    let queue_partitions = integer_key(env, "QUEUE_PARTITIONS", 1, 64)?.unwrap_or(1);
    let queue_type = queue_type_key(env)?;
    let log_level = level_key(env)?;
    let partitions = partitions_key(env, queue_partitions)?;
    let prefetch = integer_key(env, "PREFETCH", 1, 1_000)?.unwrap_or(250);
    let each = prefetch / u16::try_from(partitions.len()).unwrap_or(u16::MAX);
    Ok(Config {
        database_url,
        mongodb_url,
        rabbitmq_url,
        queue_prefix,
        queue_partitions,
        queue_type,
        log_level,
        partitions,
        prefetch_each: each.max(1),
        metrics_port: integer_key(env, "METRICS_PORT", 1, 65_535)?,
    })
}

fn queue_prefix_key(env: &Environment) -> Result<String, ConfigurationError> {
    let prefix = env.get("QUEUE_PREFIX").map_or("disparo", String::as_str);
    let well_formed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if (1..=100).contains(&prefix.len()) && prefix.bytes().all(well_formed) {
        return Ok(prefix.to_owned());
    }
    let problem = "must be 1 to 100 letters, digits, dots, dashes or underscores";
    Err(ConfigurationError::new("QUEUE_PREFIX", problem))
}

/// The URL of a service. The error does not show it.
fn url_key(env: &Environment, key: &'static str, schemes: &[&str]) -> Result<String, ConfigurationError> {
    let wanted = schemes.iter().map(|scheme| format!("{scheme}://")).collect::<Vec<_>>();
    let begin = wanted.join(" or ");
    let Some(url) = env.get(key) else {
        let problem = format!("is not set; give a URL that begins with {begin}, or run \"npm run services\"");
        return Err(ConfigurationError::new(key, problem));
    };
    if !wanted.iter().any(|scheme| url.starts_with(scheme)) {
        return Err(ConfigurationError::new(key, format!("must begin with {begin}")));
    }
    // A blank or a control character comes from a copied text or a file. Drivers would take it as a part of the last name.
    // MongoDB's lists of hosts are no WHATWG URL; its driver parses those.
    if url.bytes().any(|byte| byte <= b' ') || !schemes.contains(&"mongodb") && !is_readable(url) {
        let problem = "is not a URL; a password with special characters must be percent-encoded";
        return Err(ConfigurationError::new(key, problem));
    }
    // PostgreSQL's options are the server's own: it judges them.
    if key == "DATABASE_URL" {
        return Ok(url.clone());
    }
    with_strict_options(key, url).ok_or_else(|| ConfigurationError::new(key, unusable_url()))
}

/// The drivers decode each part, and not all of them refuse a stray percent sign.
fn is_readable(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    // These come from a password that is not encoded. A part of it would then pass for a host and be shown.
    let ats = text.matches('@').count();
    let without_user = url.username().is_empty() && url.password().is_none_or(str::is_empty);
    if url.fragment().is_some_and(|fragment| !fragment.is_empty()) || ats > 1 || ats == 1 && without_user {
        return false;
    }
    [url.username(), url.password().unwrap_or_default(), url.path()].into_iter().all(|part| decoded(part).is_some())
}

fn integer_key(env: &Environment, key: &'static str, min: u16, max: u16) -> Result<Option<u16>, ConfigurationError> {
    let Some(text) = env.get(key) else { return Ok(None) };
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(value) if digits && (min..=max).contains(&value) => Ok(Some(value)),
        _ => Err(ConfigurationError::new(key, format!("must be a whole number from {min} to {max}, not \"{text}\""))),
    }
}

fn queue_type_key(env: &Environment) -> Result<Option<&'static str>, ConfigurationError> {
    let Some(word) = env.get("QUEUE_TYPE") else { return Ok(None) };
    let found = QUEUE_TYPES.into_iter().find(|each| each == word);
    found.map(Some).ok_or_else(|| {
        let words = QUEUE_TYPES.join(", ");
        ConfigurationError::new("QUEUE_TYPE", format!("must be one of {words}, not \"{word}\""))
    })
}

fn level_key(env: &Environment) -> Result<Level, ConfigurationError> {
    let word = env.get("LOG_LEVEL").map_or("info", String::as_str);
    Level::of(word).ok_or_else(|| {
        let words = Level::WORDS.join(", ");
        ConfigurationError::new("LOG_LEVEL", format!("must be one of {words}, not \"{word}\""))
    })
}

fn partitions_key(env: &Environment, count: u16) -> Result<Vec<u16>, ConfigurationError> {
    let Some(text) = env.get("CONSUMER_PARTITIONS") else { return Ok((0..count).collect()) };
    let partition = |word: &str| {
        let digits = (1..=2).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit());
        word.parse::<u16>().ok().filter(|partition| digits && *partition < count)
    };
    let partitions = text.split(',').map(|word| partition(word.trim())).collect::<Option<Vec<_>>>();
    let different = |partitions: &Vec<u16>| partitions.iter().collect::<BTreeSet<_>>().len() == partitions.len();
    partitions.filter(different).ok_or_else(|| {
        let last = count - 1;
        let problem = format!(
            "must be different whole numbers from 0 to {last} (QUEUE_PARTITIONS is {count}), separated by commas"
        );
        ConfigurationError::new("CONSUMER_PARTITIONS", problem)
    })
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
