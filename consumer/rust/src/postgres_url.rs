//! A PostgreSQL URL as the TypeScript consumer's driver reads it. TLS only when it asks for TLS, and then with a checked
//! certificate unless it says otherwise: `tls_of` has the table. Unknown parameters are ignored.

use crate::percent::decoded;
use crate::tls;
use rustls::ClientConfig;
use std::collections::BTreeMap;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, SslMode, SslNegotiation};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

/// The settings of a URL, and TLS when it asks for it. None for one that cannot be read.
pub fn parse(url: &str) -> Option<(Config, Option<MakeRustlsConnect>)> {
    let url = Url::parse(url).ok()?;
    let mut given: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    given.retain(|_, value| !value.is_empty());
    let mut config = Config::new();
    let part = |key: &str, part: &str| -> Option<Option<String>> {
        Some(given.get(key).cloned().or(Some(decoded(part)?)).filter(|value| !value.is_empty()))
    };
    let operator = std::env::var("USER").unwrap_or_else(|_| "postgres".to_owned());
    let user = part("user", url.username())?.unwrap_or(operator);
    let database = decoded(url.path().strip_prefix('/').unwrap_or_default())?;
    config.dbname(if database.is_empty() { user.clone() } else { database });
    config.user(user);
    if let Some(password) = part("password", url.password().unwrap_or_default())? {
        config.password(password);
    }
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    config.host(part("host", host)?.unwrap_or_else(|| "localhost".to_owned()));
    let port = match given.get("port") {
        Some(port) => Some(port.parse().ok()?),
        None => url.port(),
    };
    config.port(port.unwrap_or(5_432));
    if let Some(options) = given.get("options") {
        config.options(options);
    }
    if given.get("channel_binding").is_some_and(|binding| binding == "require") {
        config.channel_binding(ChannelBinding::Require);
    }
    let mut tls = tls_of(&given)?;
    config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
    if let Some(tls) = tls.as_mut().filter(|_| is_direct(&given)) {
        config.ssl_negotiation(SslNegotiation::Direct);
        tls.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Some((config, tls.map(MakeRustlsConnect::new)))
}

/// Whether TLS begins without asking the server for it first.
fn is_direct(given: &BTreeMap<String, String>) -> bool {
    given.get("sslnegotiation").is_some_and(|negotiation| negotiation == "direct")
}

/// | in the URL | TLS |
/// |---|---|
/// | nothing, `sslmode=disable`, `ssl=0` | no |
/// | `sslmode=no-verify` | yes, whatever the certificate |
/// | `uselibpqcompat=true` | as in libpq, but always with TLS where libpq leaves that open |
/// | another `sslmode`, another `ssl`, a certificate | yes, and the certificate must be trusted |
///
/// None for files that cannot be read.
fn tls_of(given: &BTreeMap<String, String>) -> Option<Option<ClientConfig>> {
    let value = |key: &str| given.get(key).map(String::as_str);
    let (roots, libpq) = (value("sslrootcert"), value("uselibpqcompat") == Some("true"));
    let identity = match (value("sslcert"), value("sslkey")) {
        (None, None) => None,
        (certificate, key) => Some(tls::identity(certificate?, key?)?),
    };
    // Read for every `sslmode`: a file that is not there is a mistake.
    let verified = match roots {
        Some(_) => Some(tls::verified(roots, identity.as_ref())?),
        None => None,
    };
    let unverified = match value("sslmode") {
        Some("disable") => return Some(None),
        Some("no-verify") => true,
        // As in libpq, `prefer` never checks the certificate, and `require` only when told whom to trust.
        Some("prefer") => libpq,
        Some("require") => libpq && roots.is_none(),
        Some("verify-ca") if libpq && roots.is_none() => return None,
        Some(_) => false,
        None if roots.is_some() || identity.is_some() => false,
        None => match value("ssl") {
            Some("0" | "false") => return Some(None),
            None if !is_direct(given) => return Some(None),
            _ => false,
        },
    };
    Some(Some(match verified {
        _ if unverified => tls::unverified(identity.as_ref())?,
        Some(verified) => verified,
        None => tls::verified(None, identity.as_ref())?,
    }))
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
        for query in [
            "sslmode=require",
            "sslmode=verify-full",
            "ssl=true",
            "sslmode=no-verify",
            "ssl=no-verify",
            "sslnegotiation=direct",
        ] {
            assert!(tls(query), "{query}");
        }
        assert!(!tls("sslmode=disable") && !tls("ssl=false") && !tls(""));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        crate::tls::install_provider();
        for url in [
            "postgresql://user:secret%zz@host/y",
            "postgresql://user:secret@host/y?port=abc",
            "postgresql://user:secret@host/y?port=70000",
            "postgresql://user:secret@host/y?sslrootcert=/nobody/made/this",
            "postgresql://user:secret@host/y?sslmode=disable&sslrootcert=/nobody/made/this",
            "postgresql://user:secret@host/y?sslcert=/nobody/made/this&sslkey=/nobody/made/this",
            "postgresql://user:secret@host/y?sslcert=/nobody/made/this",
            "postgresql://user:secret@host/y?sslmode=verify-ca&uselibpqcompat=true",
        ] {
            assert!(parse(url).is_none(), "{url}");
        }
    }

    #[test]
    fn a_parameter_of_the_query_wins_unless_it_is_empty() {
        let url = "postgresql://u:p@h:1/d?host=other&port=2&user=v&password=w&dbname=ignored";
        let (config, _) = parse(url).expect("a URL");
        assert_eq!((config.get_user(), config.get_password()), (Some("v"), Some(&b"w"[..])));
        assert_eq!((config.get_dbname(), config.get_ports()), (Some("d"), &[2][..]));
        assert_eq!(config.get_hosts(), [Host::Tcp("other".into())]);
        let (config, _) = parse("postgresql://u:p@h:1/?host=&port=&user=").expect("a URL");
        assert_eq!((config.get_dbname(), config.get_ports()), (Some("u"), &[1][..]));
    }
}
