//! A PostgreSQL URL as the siblings' driver reads it: TLS only when `sslmode` or `ssl` asks for it, and then the
//! certificate is checked, but for `no-verify`; parameters that it does not know are ignored.

use crate::tls;
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

/// The settings of a URL, and TLS when it asks for it. The text of what is wrong holds no secret.
pub fn parse(url: &str) -> Result<(Config, Option<MakeRustlsConnect>), String> {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    let given: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let mut config = Config::new();
    let part = |key: &str, part: &str| -> Result<Option<String>, String> {
        let own = given.get(key).cloned().filter(|value| !value.is_empty());
        Ok(own.or(Some(decoded(part)?)).filter(|value| !value.is_empty()))
    };
    let operator = std::env::var("USER").unwrap_or_else(|_| "postgres".to_owned());
    let user = part("user", url.username())?.unwrap_or(operator);
    config.dbname(part("dbname", url.path().trim_start_matches('/'))?.unwrap_or_else(|| user.clone()));
    config.user(user);
    if let Some(password) = part("password", url.password().unwrap_or_default())? {
        config.password(password);
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    config.host(part("host", host)?.unwrap_or_else(|| "localhost".to_owned()));
    let port = match given.get("port") {
        Some(port) => Some(port.parse().map_err(|_| "invalid port".to_owned())?),
        None => url.port(),
    };
    config.port(port.unwrap_or(5_432));
    if let Some(options) = given.get("options") {
        config.options(options);
    }
    if given.get("channel_binding").is_some_and(|binding| binding == "require") {
        config.channel_binding(ChannelBinding::Require);
    }
    let tls = tls_of(&given)?;
    config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
    Ok((config, tls))
}

fn tls_of(given: &BTreeMap<String, String>) -> Result<Option<MakeRustlsConnect>, String> {
    let value = |key: &str| given.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let roots = value("sslrootcert");
    let libpq = value("uselibpqcompat") == Some("true");
    match value("sslmode") {
        Some("disable") => return Ok(None),
        Some("no-verify") => return Ok(Some(MakeRustlsConnect::new(tls::unverified()))),
        // As libpq has it, these two are no check of the certificate unless it is told whom to trust.
        Some("prefer" | "require") if libpq && roots.is_none() => {
            return Ok(Some(MakeRustlsConnect::new(tls::unverified())));
        }
        Some(_) => {}
        None if roots.is_some() || matches!(value("ssl"), Some("true" | "1")) => {}
        None => return Ok(None),
    }
    Ok(Some(MakeRustlsConnect::new(tls::verified(roots)?)))
}

fn decoded(part: &str) -> Result<String, String> {
    let well_formed = part.match_indices('%').all(|(at, _)| {
        part.as_bytes().get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let text = percent_decode_str(part).decode_utf8().ok().filter(|_| well_formed);
    text.map(|text| text.into_owned()).ok_or_else(|| "URI malformed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_postgres::config::Host;

    #[test]
    fn a_url_is_read_whole() {
        let (config, tls) = parse("postgresql://u%40x:p%3A%2F@h.example:6000/d?unknown=1").expect("a URL");
        assert_eq!((config.get_user(), config.get_password()), (Some("u@x"), Some(&b"p:/"[..])));
        assert_eq!((config.get_dbname(), config.get_ports()), (Some("d"), &[6_000][..]));
        assert_eq!(config.get_hosts(), [Host::Tcp("h.example".into())]);
        assert!(tls.is_none());
    }

    #[test]
    fn tls_is_what_the_url_asks_for() {
        crate::tls::install_provider();
        let tls = |query: &str| parse(&format!("postgres://u:p@h/d?{query}")).expect("a URL").1.is_some();
        for query in ["sslmode=require", "sslmode=verify-full", "ssl=true", "sslmode=no-verify"] {
            assert!(tls(query), "{query}");
        }
        assert!(!tls("sslmode=disable") && !tls("ssl=false") && !tls(""));
    }

    #[test]
    fn what_is_malformed_is_refused_without_the_password() {
        let Err(why) = parse("postgresql://user:secret%zz@host/y") else { panic!("taken") };
        assert_eq!(why, "URI malformed");
    }
}
