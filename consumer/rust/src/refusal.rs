//! What stops a start and what waits: only what cannot heal by itself is a refusal. A closed port, a time-out and an
//! unknown host are none.

use crate::failure::Failure;
use mongodb::error::{ErrorKind, WriteFailure};

const WRONG_PASSWORD: &str = "the user or the password is wrong";
/// Said without the words of a driver's parser: they may quote a part of a password.
pub const UNUSABLE_URL: &str =
    "is not usable; check its options and the files they name, and percent-encode special characters";

/// What was refused, in words without a secret; None for all that is worth a retry.
pub fn refusal(failure: &Failure) -> Option<String> {
    let text = failure.text();
    let known = match failure {
        Failure::Postgres(_) => postgres(failure, &text),
        Failure::Mongo(error) => mongo(error, &text),
        Failure::Broker(_) => return broker(failure, &text).or_else(|| certificate(&text)),
        _ => None,
    };
    known.map(str::to_owned).or_else(|| certificate(&text))
}

/// PostgreSQL, appendix A of its manual: invalid_password, invalid_authorization_specification, invalid_catalog_name.
fn postgres(failure: &Failure, text: &str) -> Option<&'static str> {
    match failure.sql_state() {
        Some("28P01") => Some(WRONG_PASSWORD),
        Some("28000") => Some("the server does not let this user in"),
        Some("3D000") => Some("the database does not exist"),
        // insufficient_privilege
        Some("42501") => Some("the user has no right to the ledger's tables"),
        _ if text.contains("password missing") => Some("the server wants a password, and the URL has none"),
        _ if text.contains("server does not support TLS") => {
            Some("the server does not speak TLS, which the URL asks for")
        }
        _ => None,
    }
}

/// AuthenticationFailed, and Atlas's own code for it; then what the driver cannot work with.
fn mongo(error: &mongodb::error::Error, text: &str) -> Option<&'static str> {
    let coded = |kind: &ErrorKind| matches!(kind, ErrorKind::Command(command) if matches!(command.code, 18 | 8000));
    match error.kind.as_ref() {
        // A password is wrong only when the server says so: a connection may as well break while it authenticates.
        ErrorKind::Authentication { .. } if !text.contains("I/O error") => Some(WRONG_PASSWORD),
        kind if coded(kind) => Some(WRONG_PASSWORD),
        ErrorKind::Command(_) if text.contains("requires authentication") => {
            Some("the server wants a user and a password, and the URL has none")
        }
        ErrorKind::Command(command) => refused_command(command.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => refused_command(write.code),
        _ if text.to_lowercase().contains("load balancing mode") => {
            Some("the server is behind no load balancer, which the URL asks for")
        }
        ErrorKind::ServerSelection { .. } if text.contains("AuthenticationFailed") => Some(WRONG_PASSWORD),
        ErrorKind::InvalidArgument { .. } | ErrorKind::InvalidTlsConfig { .. } => Some(UNUSABLE_URL),
        _ => None,
    }
}

/// The codes that stay as they are until somebody changes the URL, the user or the server's data.
fn refused_command(code: i32) -> Option<&'static str> {
    match code {
        // MechanismUnavailable, Unauthorized, DatabaseDifferCase
        334 => Some("the server does not take the authMechanism of the URL"),
        13 => Some("the user may not create or write the collection of messages"),
        13_297 => Some("a database exists whose name differs in upper and lower case only"),
        // BadValue, FailedToParse, TypeMismatch, IllegalOperation, CommandNotFound, InvalidOptions, InvalidNamespace,
        // CommandNotSupported, CommandNotSupportedOnView
        2 | 9 | 14 | 20 | 59 | 72 | 73 | 115 | 166 => {
            Some("the server refuses the collection of messages; check the name of the database and what is in it")
        }
        _ => None,
    }
}

/// The codes of AMQP 0-9-1: access-refused, not-allowed (the vhost, while opening), precondition-failed.
fn broker(failure: &Failure, text: &str) -> Option<String> {
    match failure.amqp_code()? {
        403 => Some(format!("{WRONG_PASSWORD}, or has no right to this")),
        530 => Some("the vhost is missing, not open to this user, or at its limit of connections".to_owned()),
        406 => {
            let why = text.split_once("PRECONDITION_FAILED - ").map_or(text, |(_, why)| why);
            Some(format!(
                "a queue or exchange exists with other arguments ({why}); delete it or take another QUEUE_PREFIX"
            ))
        }
        _ => None,
    }
}

/// rustls names each reason after these words.
fn certificate(text: &str) -> Option<String> {
    let at = text.find("invalid peer certificate")?;
    let why = text[at..].split([',', '}']).next().unwrap_or_default().trim();
    Some(format!("the server's certificate is not trusted ({why})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_refused_whoever_wraps_it() {
        let wrapped =
            "Server selection timeout: { Error: I/O error: invalid peer certificate: UnknownIssuer, labels: {} }";
        assert_eq!(
            certificate(wrapped).as_deref(),
            Some("the server's certificate is not trusted (invalid peer certificate: UnknownIssuer)")
        );
        assert_eq!(certificate("connection refused"), None);
    }

    #[test]
    fn a_time_out_is_no_refusal() {
        assert_eq!(refusal(&Failure::TimedOut("a statement")), None);
        assert_eq!(refusal(&Failure::Gone("the broker cancelled the consumer")), None);
    }
}
