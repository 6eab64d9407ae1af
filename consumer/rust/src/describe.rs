//! Why a service cannot be reached, in one line for an operator.

use crate::failure::Failure;
use crate::percent::decoded;
use crate::refusal::refusal;
use percent_encoding::percent_decode_str;
use url::Url;

const LONGEST: usize = 300;

/// In our words where the kind of the failure is known, else in the driver's. It never holds the password of the URL.
pub fn describe(failure: &Failure, url: &str) -> String {
    match refusal(failure) {
        Some(refused) => without_secrets(&refused, url),
        None => describe_text(&failure.text(), url),
    }
}

/// MongoDB's driver keeps only text of what went wrong with a server. The words are those of the operating system, for all
/// three services.
fn describe_text(text: &str, url: &str) -> String {
    let low = text.to_lowercase();
    if low.contains("connection refused") {
        return format!("connection refused at {}", address_of(url));
    }
    if low.contains("failed to lookup address") || low.contains("dns resolution") {
        let address = address_of(url);
        return format!("unknown host {}", address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host));
    }
    if text.is_empty() { "no reason given".to_owned() } else { without_secrets(text, url) }
}

/// Cuts the URL, its password and phone numbers out of a driver's text, and what a store quotes of a document or a command.
fn without_secrets(text: &str, url: &str) -> String {
    let quoted = [" to execute command ", " dup key: "];
    let end = quoted.iter().filter_map(|begin| text.find(begin)).min().unwrap_or(text.len());
    let mut left = without_numbers(&text[..end]).replace(url, "***");
    if let Some(password) = password_of(url) {
        let plain = percent_decode_str(password).decode_utf8_lossy();
        for secret in [password, plain.as_ref()].into_iter().filter(|secret| !secret.is_empty()) {
            left = left.replace(secret, "***");
        }
    }
    left.chars().take(LONGEST).collect()
}

/// Cuts what looks like a phone number: a plus sign and 8 to 15 digits.
fn without_numbers(text: &str) -> String {
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(plus) = rest.find('+') {
        let (before, number) = rest.split_at(plus);
        let digits = number[1..].bytes().take(15).take_while(u8::is_ascii_digit).count();
        left.push_str(before);
        left.push_str(if digits >= 8 { "***" } else { "+" });
        rest = &number[if digits >= 8 { digits + 1 } else { 1 }..];
    }
    left.push_str(rest);
    left
}

/// The text between the first colon after the scheme and the last at sign before the path.
fn password_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next().unwrap_or_default();
    let (_, password) = rest[..authority.rfind('@')?].split_once(':')?;
    Some(password)
}

/// Host and port, or the list of them, that a URL names. The drivers' errors do not tell them.
fn address_of(url: &str) -> String {
    let scheme = url.split("://").next().unwrap_or_default();
    let port = match scheme {
        "mongodb" | "mongodb+srv" => return hosts_of(url, scheme),
        "amqp" => 5_672,
        "amqps" => 5_671,
        _ => 5_432,
    };
    let Ok(url) = Url::parse(url) else { return "an address that cannot be read".to_owned() };
    // PostgreSQL takes both from the query, too.
    let given = |key: &str| {
        let found = url.query_pairs().filter(|(name, value)| name == key && !value.is_empty() && port == 5_432).last();
        found.map(|(_, value)| value.into_owned())
    };
    let host = given("host").unwrap_or_else(|| match url.host_str() {
        None | Some("") => "localhost".to_owned(),
        Some(host) => decoded(host).unwrap_or_else(|| host.to_owned()),
    });
    let port = given("port").unwrap_or_else(|| url.port().unwrap_or(port).to_string());
    format!("{host}:{port}")
}

/// MongoDB's list of hosts.
fn hosts_of(url: &str, scheme: &str) -> String {
    let authority = url[scheme.len() + 3..].split(['/', '?', '#']).next().unwrap_or_default();
    let hosts = authority.rsplit('@').next().unwrap_or_default();
    let has_port = hosts.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    if has_port || scheme == "mongodb+srv" { hosts.to_owned() } else { format!("{hosts}:27017") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn a_secret_never_stands_in_it() {
        for line in include_str!("../../contract/examples/secrets.jsonl").lines() {
            let row: BTreeMap<String, String> = serde_json::from_str(line).expect("JSON");
            assert_eq!(describe_text(&row["text"], &row["url"]), row["says"]);
        }
    }

    #[test]
    fn it_names_what_an_operator_can_look_at() {
        let of = |text| describe_text(text, "amqp://u:secret@some.host:1/v");
        assert_eq!(of("IO error: Connection refused (os error 111)"), "connection refused at some.host:1");
        assert_eq!(of("failed to lookup address information: Name or service not known"), "unknown host some.host");
        assert_eq!(of("the connection timed out"), "the connection timed out");
        for (url, address) in [
            ("postgres://u@h/d", "h:5432"),
            ("postgres://u@h:/d", "h:5432"),
            ("postgres://u@h:0001/d", "h:1"),
            ("postgres://u@[::1]:1/d", "[::1]:1"),
            ("postgres:///d", "localhost:5432"),
            ("postgres://u@höst/d", "höst:5432"),
            ("postgres:///d?host=h&port=1", "h:1"),
            ("amqp://", "localhost:5672"),
            ("amqps://h/v?host=x", "h:5671"),
            ("mongodb://u:p@a:1,b:2/d", "a:1,b:2"),
            ("mongodb://h/d", "h:27017"),
        ] {
            assert_eq!(describe_text("Connection refused", url), format!("connection refused at {address}"));
        }
        let srv = describe_text("DNS resolution: no record", "mongodb+srv://u:p@a.b.c/d");
        assert_eq!(srv, "unknown host a.b.c");
    }
}
