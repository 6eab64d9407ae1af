//! JSON lines on standard output, with the names and the level numbers that the TypeScript consumer gets from pino.

use serde_json::{Map, Value};
use std::fmt;
use time::OffsetDateTime;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

const NAME: &str = "consumer-rust";
/// Events of the libraries are not printed: they may hold what a log line must not.
const OWN_TARGET: &str = env!("CARGO_CRATE_NAME");

/// The words of `LOG_LEVEL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Everything.
    Trace,
    /// More than an operator needs.
    Debug,
    /// One line a batch, and each change of state.
    Info,
    /// Dead letters and worse.
    Warn,
    /// What is down or refused by a store.
    Error,
    /// Nothing.
    Silent,
}

impl Level {
    /// Every word, in the order of the levels.
    pub const WORDS: [&'static str; 6] = ["trace", "debug", "info", "warn", "error", "silent"];

    /// The level of a word.
    pub fn of(word: &str) -> Option<Self> {
        let levels = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Silent];
        Self::WORDS.iter().position(|known| *known == word).map(|index| levels[index])
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::Trace => LevelFilter::TRACE,
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warn => LevelFilter::WARN,
            Self::Error => LevelFilter::ERROR,
            Self::Silent => LevelFilter::OFF,
        }
    }
}

/// Starts the log; once a process.
pub fn start(level: Level) {
    let hostname = hostname::get().unwrap_or_default().to_string_lossy().into_owned();
    tracing_subscriber::fmt().with_max_level(level.filter()).event_format(Lines { hostname }).init();
}

/// A field that is JSON already: given as `field = %AsJson(&value)`, it becomes that value, not a text.
pub struct AsJson<'a, T>(pub &'a T);

impl<T: serde::Serialize> fmt::Display for AsJson<'_, T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&serde_json::to_string(self.0).map_err(|_| fmt::Error)?)
    }
}

struct Lines {
    hostname: String,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>, N: for<'w> FormatFields<'w> + 'static> FormatEvent<S, N> for Lines {
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if event.metadata().target().split("::").next() != Some(OWN_TARGET) {
            return Ok(());
        }
        let mut line = Map::new();
        line.insert("level".into(), number_of(*event.metadata().level()).into());
        line.insert("time".into(), iso(OffsetDateTime::now_utc()).into());
        line.insert("pid".into(), std::process::id().into());
        line.insert("hostname".into(), self.hostname.as_str().into());
        line.insert("name".into(), NAME.into());
        let mut fields = Fields { line, msg: None };
        event.record(&mut fields);
        let Fields { mut line, msg } = fields;
        if let Some(msg) = msg {
            line.insert("msg".into(), msg.into());
        }
        writeln!(out, "{}", Value::Object(line))
    }
}

/// The numbers of pino.
fn number_of(level: tracing::Level) -> u8 {
    match level {
        tracing::Level::TRACE => 10,
        tracing::Level::DEBUG => 20,
        tracing::Level::INFO => 30,
        tracing::Level::WARN => 40,
        tracing::Level::ERROR => 50,
    }
}

fn iso(now: OffsetDateTime) -> String {
    let (date, (hour, minute, second, milli)) = (now.date(), now.time().as_hms_milli());
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

struct Fields {
    line: Map<String, Value>,
    msg: Option<String>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.line.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON of JavaScript writes 2, not 2.0.
        if value.fract() == 0.0 { self.put(field, value as i64) } else { self.put(field, value) }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.msg = Some(text);
        } else {
            let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
            self.put(field, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_three_digits_after_the_second() {
        let at = OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(1_700_000_000_007);
        assert_eq!(iso(at), "2023-11-14T22:13:20.007Z");
    }
}
