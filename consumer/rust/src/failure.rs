//! What can go wrong with one of the three services.

use std::collections::BTreeSet;
use std::error::Error;

/// Why an attempt on a service failed. Inside the loop it travels untouched; until_up.rs decides what it means.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// PostgreSQL, or the way to it.
    #[error(transparent)]
    Postgres(#[from] tokio_postgres::Error),
    /// MongoDB, or the way to it.
    #[error(transparent)]
    Mongo(#[from] mongodb::error::Error),
    /// RabbitMQ, or the way to it.
    #[error(transparent)]
    Broker(#[from] lapin::Error),
    /// No answer in time.
    #[error("{0} timed out")]
    TimedOut(&'static str),
    /// The service ended the session; the words say how.
    #[error("{0}")]
    Gone(&'static str),
    /// A bug: no service causes it. Never retried.
    #[error("{0}")]
    Bug(String),
}

impl Failure {
    /// The messages of the error and of its causes, none twice, in one line.
    pub fn text(&self) -> String {
        if let Self::Mongo(error) = self
            && let mongodb::error::ErrorKind::InsertMany(insert) = error.kind.as_ref()
        {
            // The driver's text holds what the server says of each document, with its phone number and its text.
            let codes: BTreeSet<i32> = insert.write_errors.iter().flatten().map(|error| error.code).collect();
            let concern = insert.write_concern_error.as_ref().map(|error| error.message.as_str());
            return format!("the insert failed with {codes:?}, {}", concern.unwrap_or("no write-concern error"));
        }
        if let Self::Postgres(error) = self
            && let Some(answer) = error.as_db_error()
        {
            return answer.message().lines().next().unwrap_or_default().to_owned();
        }
        let mut texts: Vec<String> = vec![match self {
            // Not the whole error: its text holds the server's answer.
            Self::Mongo(error) => error.kind.to_string(),
            other => other.to_string(),
        }];
        let mut cause = self.source();
        while let Some(error) = cause {
            // After the first line PostgreSQL adds rows and statements to its errors.
            let text = error.to_string().lines().next().unwrap_or_default().to_owned();
            if !texts.iter().any(|known| known.contains(&text)) {
                texts.push(text);
            }
            cause = error.source();
        }
        texts.join(": ").replace(['\n', '\r'], " ")
    }

    /// The SQLSTATE, of an error that PostgreSQL sent.
    pub fn sql_state(&self) -> Option<&str> {
        match self {
            Self::Postgres(error) => error.code().map(tokio_postgres::error::SqlState::code),
            _ => None,
        }
    }

    /// The code of the AMQP error that the broker sent.
    pub fn amqp_code(&self) -> Option<u16> {
        match self {
            Self::Broker(error) => match error.kind() {
                lapin::ErrorKind::ProtocolError(error) => Some(error.get_id()),
                _ => None,
            },
            _ => None,
        }
    }
}
