//! Tells what stops a start from what waits. Only what cannot heal by itself is a refusal; a closed port, a time-out and an
//! unknown host are none.

use crate::failure::Failure;
use mongodb::error::{Error, ErrorKind, WriteFailure};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const REFUSALS: &str = include_str!("../../contract/refusals.json");
/// The sentence for each refusal: of a service by the code of its server, of `client` by what a driver itself finds.
static SAYS: LazyLock<BTreeMap<String, BTreeMap<String, String>>> =
    LazyLock::new(|| serde_json::from_str(REFUSALS).unwrap_or_default());

/// Said of a URL that its driver does not take, instead of the driver's words: they may quote a part of the password.
pub fn unusable_url() -> &'static str {
    &SAYS["client"]["unusable_url"]
}

/// What was refused, in words without a secret; None for everything that is worth a retry.
pub fn refusal(failure: &Failure) -> Option<String> {
    let text = failure.text();
    let (service, code) = match failure {
        Failure::Postgres(_) => postgres(failure, &text),
        Failure::Mongo(error) => mongo(error, &text),
        Failure::Broker(_) => Some(("rabbitmq", failure.amqp_code().unwrap_or_default().to_string())),
        _ => None,
    }
    .filter(|(service, code)| SAYS[*service].contains_key(code))
    .or_else(|| certificate(&text).map(|_| ("client", "untrusted".to_owned())))?;
    // What rustls says of a certificate, or only the part of the broker's words that names the queue.
    let why = certificate(&text).or_else(|| Some(text.split_once(" - ")?.1)).unwrap_or(&text);
    Some(SAYS[service][&code].replace("{why}", why))
}

type Code = Option<(&'static str, String)>;

fn client(code: &str) -> Code {
    Some(("client", code.to_owned()))
}

fn postgres(failure: &Failure, text: &str) -> Code {
    match failure.sql_state() {
        Some(state) => Some(("postgresql", state.to_owned())),
        None if text.contains("password missing") => client("no_password"),
        None if text.contains("server does not support TLS") => client("no_tls"),
        None => None,
    }
}

fn mongo(error: &Error, text: &str) -> Code {
    let coded = |code: i32| Some(("mongodb", code.to_string()));
    match error.kind.as_ref() {
        // A server has one code for a user without a right and for no user at all.
        ErrorKind::Command(_) if text.contains("requires authentication") => client("no_user"),
        ErrorKind::Command(command) => coded(command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => coded(write.code),
        _ if text.to_lowercase().contains("load balancing mode") => client("no_load_balancer"),
        // A password is wrong only when the server says so: a connection may as well break while it authenticates.
        ErrorKind::Authentication { .. } if !text.contains("I/O error") => coded(AUTHENTICATION_FAILED),
        ErrorKind::ServerSelection { .. } if text.contains("AuthenticationFailed") => coded(AUTHENTICATION_FAILED),
        ErrorKind::InvalidArgument { .. } | ErrorKind::InvalidTlsConfig { .. } => client("unusable_url"),
        _ => None,
    }
}

/// The driver keeps no code while it authenticates, nor for a server that it could not select.
const AUTHENTICATION_FAILED: i32 = 18;

/// Why rustls does not trust a certificate, beginning with its words; None when the text holds no such reason.
fn certificate(text: &str) -> Option<&str> {
    let why = &text[text.find("invalid peer certificate")?..];
    why.split([',', '}']).next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_refused_whoever_wraps_it() {
        let wrapped =
            "Server selection timeout: { Error: I/O error: invalid peer certificate: UnknownIssuer, labels: {} }";
        assert_eq!(certificate(wrapped), Some("invalid peer certificate: UnknownIssuer"));
        assert_eq!(certificate("connection refused"), None);
    }

    #[test]
    fn every_service_has_its_sentences() {
        assert_eq!(SAYS.keys().collect::<Vec<_>>(), ["client", "mongodb", "postgresql", "rabbitmq"]);
        assert!(unusable_url().starts_with("is not usable"));
    }

    #[test]
    fn a_code_that_is_not_listed_is_no_refusal() {
        let broker = |code| {
            let error = lapin::protocol::AMQPError::from_id(code, "NOT_ALLOWED - no vhost".into()).expect("a code");
            refusal(&Failure::Broker(lapin::ErrorKind::ProtocolError(error).into()))
        };
        assert_eq!(
            broker(530).as_deref(),
            Some("the vhost is missing, not open to this user, or at its limit of connections")
        );
        assert_eq!(broker(320), None);
    }

    #[test]
    fn a_time_out_is_no_refusal() {
        assert_eq!(refusal(&Failure::TimedOut("a statement")), None);
        assert_eq!(refusal(&Failure::Gone("the broker cancelled the consumer")), None);
    }
}
