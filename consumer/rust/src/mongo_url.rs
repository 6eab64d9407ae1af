//! A MongoDB URL as the other consumers read it.

use crate::percent::decoded;
use mongodb::options::ConnectionString;
use url::Url;

/// The settings of a URL, and the database in it. None for one that cannot be read, without the driver's words: they may
/// quote a part of the password.
pub fn parse(url: &str) -> Option<(ConnectionString, String)> {
    let database = database_of(url)?;
    let parsed = ConnectionString::parse(url).ok()?;
    hosts_of(url).split(',').all(is_host).then_some((parsed, database))
}

/// The database in a MongoDB URL, or `disparo`. None for a name that no server takes.
fn database_of(url: &str) -> Option<String> {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let name = path.split('?').next().unwrap_or_default();
    if name.is_empty() {
        return Some("disparo".to_owned());
    }
    decoded(name).filter(|name| !name.contains('.'))
}

fn hosts_of(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

fn is_host(host: &str) -> bool {
    let parsed = Url::parse(&format!("x://{}", host.replace(' ', "%20")));
    host.ends_with(".sock") || decoded(host).is_some() && parsed.is_ok_and(|parsed| parsed.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_the_one_in_the_url_or_disparo() {
        let of = |url| parse(url).expect("a URL").1;
        assert_eq!(of("mongodb://u:p@h1,h2:1/d%2Dx?authSource=admin"), "d-x");
        assert_eq!(of("mongodb://h"), "disparo");
        assert_eq!(of("mongodb://h/?tls=true"), "disparo");
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for url in [
            "mongodb://u:p@ss@h/d",
            "mongodb://u:a%zz@h/d",
            "mongodb://u:pa/ss@h/d",
            "mongodb://u:1234/ss@h/d",
            "mongodb://u:pa#ss@h/d",
            "mongodb://u:pa?ss@h/d",
            "mongodb://u:p@",
            "mongodb://u:p@h,/d",
            "mongodb://u:p@h:port/d",
            "mongodb://u:p@h%zz/d",
            "mongodb://u:p@h^h/d",
            "mongodb://u:p@[zz]/d",
            "mongodb://u:p@h/d%zz",
            "mongodb://u:p@h/a.b",
            "mongodb://u:p@h/d?tls=maybe",
            "mongodb+srv://u:p@a.b.c:1/d",
        ] {
            assert!(parse(url).is_none(), "{url}");
        }
    }
}
