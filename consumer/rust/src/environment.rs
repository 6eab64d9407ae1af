//! The one configuration of every app: environment, `.env` at the root, `.local/services.env`. First found wins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Keys and values; none of them is empty.
pub type Environment = BTreeMap<String, String>;

/// The nearest folder at or above `from` that holds `.env.example`: the root of the clone. None outside of one.
pub fn find_root(from: &Path) -> Option<PathBuf> {
    from.ancestors().find(|folder| folder.join(".env.example").exists()).map(Path::to_path_buf)
}

/// Merges the three layers. An empty value means unset, in each of them. Fails when a file cannot be read.
pub fn read_environment(
    process: impl IntoIterator<Item = (String, String)>,
    root: Option<&Path>,
) -> std::io::Result<Environment> {
    let mut merged = Environment::new();
    for root in root.iter() {
        for file in [root.join(".local").join("services.env"), root.join(".env")] {
            if file.exists() {
                let text = String::from_utf8_lossy(&std::fs::read(file)?).into_owned();
                add(&mut merged, parse_env(&text));
            }
        }
    }
    add(&mut merged, process);
    Ok(merged)
}

fn add(merged: &mut Environment, layer: impl IntoIterator<Item = (String, String)>) {
    merged.extend(layer.into_iter().filter(|(_, value)| !value.is_empty()));
}

/// Reads a `.env` file as Node's `util.parseEnv` does, so that one file means the same to every app: comments, `export`,
/// values in `"`, `'` or `` ` `` (over several lines too), `\n` in double quotes alone, ` #` cutting what is not quoted.
pub fn parse_env(text: &str) -> Environment {
    let text = text.replace('\r', "");
    let mut found = Environment::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        rest = rest.trim_start();
        let line = rest.split('\n').next().unwrap_or_default();
        let Some((key, _)) = line.split_once('=').filter(|_| !rest.starts_with('#')) else {
            rest = after_line(rest);
            continue;
        };
        rest = &rest[key.len() + 1..];
        let key = key.trim();
        let key = key.strip_prefix("export ").unwrap_or(key);
        let (value, left) = take_value(rest);
        if !key.is_empty() {
            found.insert(key.to_owned(), value);
        }
        rest = left;
    }
    found
}

/// The value that stands after a `=`, and what is left after it.
fn take_value(rest: &str) -> (String, &str) {
    let rest = rest.trim_start_matches([' ', '\t']);
    let Some(quote) = rest.chars().next().filter(|first| matches!(first, '"' | '\'' | '`')) else {
        let line = rest.split('\n').next().unwrap_or_default();
        return (line.split('#').next().unwrap_or_default().trim().to_owned(), &rest[line.len()..]);
    };
    let Some(length) = rest[1..].find(quote) else {
        // Never closed: the line as it stands is the value.
        let line = rest.split('\n').next().unwrap_or_default();
        return (line.to_owned(), &rest[line.len()..]);
    };
    let value = &rest[1..=length];
    let value = if quote == '"' { value.replace("\\n", "\n") } else { value.to_owned() };
    (value, after_line(&rest[length + 2..]))
}

fn after_line(text: &str) -> &str {
    text.find('\n').map_or("", |newline| &text[newline + 1..])
}

#[cfg(test)]
#[path = "environment_tests.rs"]
mod tests;
