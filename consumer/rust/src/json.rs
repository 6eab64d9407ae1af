//! JSON as the contract needs it and serde's derive does not offer it: lone surrogates, doubled fields, whole numbers
//! written with a point, values of any depth. Values are read in place; none is built before it is asked for.

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// One JSON value, checked, as it stands in the text.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a>(&'a RawValue);

/// The content of a JSON string.
#[derive(Debug, PartialEq, Eq)]
pub struct Text {
    /// The text; each lone surrogate is U+FFFD.
    pub text: String,
    /// Whether there was no lone surrogate.
    pub well_formed: bool,
}

impl<'a> Json<'a> {
    /// The one value of a text. None when it is no JSON, or when something stands after the value. serde_json skips values
    /// without recursion: no depth overflows the stack.
    pub fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// A number as JavaScript has it; None when it is no number.
    pub fn number(self) -> Option<f64> {
        if matches!(self.first(), b'-' | b'0'..=b'9') { self.0.get().parse().ok() } else { None }
    }

    /// The string; None when it is no string.
    pub fn text(self) -> Option<Text> {
        (self.first() == b'"').then(|| unescape(self.0.get()))
    }

    /// The items of a list; None when it is no list.
    pub fn items(self) -> Option<Vec<Json<'a>>> {
        if self.first() != b'[' {
            return None;
        }
        let items: Vec<&RawValue> = serde_json::from_str(self.0.get()).ok()?;
        Some(items.into_iter().map(Json).collect())
    }

    /// The values of these fields of an object; None when it is no object. When a field stands twice, the last one counts.
    pub fn fields<const N: usize>(self, names: [&'static str; N]) -> Option<[Option<Json<'a>>; N]> {
        if self.first() != b'{' {
            return None;
        }
        serde_json::Deserializer::from_str(self.0.get()).deserialize_map(Fields(names)).ok()
    }

    fn first(self) -> u8 {
        self.0.get().as_bytes().first().copied().unwrap_or_default()
    }
}

struct Fields<const N: usize>([&'static str; N]);

impl<'de, const N: usize> Visitor<'de> for Fields<N> {
    type Value = [Option<Json<'de>>; N];

    fn expecting(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        // The key is read raw, too: one with a lone surrogate is no Rust string, and must be ignored like any unknown field.
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let Text { text, well_formed } = unescape(key.get());
            if let Some(index) = self.0.iter().position(|name| *name == text && well_formed) {
                found[index] = Some(Json(value));
            }
        }
        Ok(found)
    }
}

/// The content of a checked JSON string; `quoted` still has its quotes.
fn unescape(quoted: &str) -> Text {
    let inner = &quoted[1..quoted.len() - 1];
    if !inner.contains('\\') {
        return Text { text: inner.to_owned(), well_formed: true };
    }
    let mut text = String::with_capacity(inner.len());
    let mut well_formed = true;
    let mut units = Vec::new();
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        if at > 0 {
            well_formed &= flush(&mut units, &mut text);
            text.push_str(&rest[..at]);
        }
        let escape = rest.as_bytes()[at + 1];
        if escape == b'u' {
            // Four hexadecimal digits, as the parser has checked. Two escapes in a row may be one pair.
            units.push(u16::from_str_radix(&rest[at + 2..at + 6], 16).unwrap_or(0xD800));
            rest = &rest[at + 6..];
            continue;
        }
        well_formed &= flush(&mut units, &mut text);
        text.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            other => char::from(other),
        });
        rest = &rest[at + 2..];
    }
    well_formed &= flush(&mut units, &mut text);
    text.push_str(rest);
    Text { text, well_formed }
}

/// Appends UTF-16 units. Returns whether there was no lone surrogate.
fn flush(units: &mut Vec<u16>, text: &mut String) -> bool {
    let mut well_formed = true;
    for unit in char::decode_utf16(units.drain(..)) {
        well_formed &= unit.is_ok();
        text.push(unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    well_formed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(json: &str) -> (String, bool) {
        let Text { text, well_formed } = Json::parse(json).and_then(Json::text).expect("a string");
        (text, well_formed)
    }

    #[test]
    fn a_string_is_what_javascript_reads() {
        assert_eq!(text_of(r#""a\"\\\/\b\f\n\r\tz""#), ("a\"\\/\u{8}\u{c}\n\r\tz".into(), true));
        assert_eq!(text_of(r#""\ud83d\ude00\u00e9""#), ("😀é".into(), true));
        assert_eq!(text_of(r#""\ud83dx\ude00""#), ("\u{fffd}x\u{fffd}".into(), false));
        assert_eq!(text_of(r#""\ud83d\n\ude00""#), ("\u{fffd}\n\u{fffd}".into(), false));
    }

    #[test]
    fn numbers_are_those_of_javascript() {
        let number = |json| Json::parse(json).and_then(Json::number);
        assert_eq!(number("1.0"), Some(1.0));
        assert_eq!(number("1e0"), Some(1.0));
        assert_eq!(number("1e999"), Some(f64::INFINITY));
        assert_eq!(number("\"1\""), None);
        assert!(Json::parse("01").is_none() && Json::parse("1.").is_none() && Json::parse("+1").is_none());
    }

    #[test]
    fn of_a_doubled_field_the_last_counts_and_an_escaped_name_is_the_same_name() {
        let [a, b] = Json::parse(r#"{"a":1,"\ud800":0,"\u0061":2}"#).expect("JSON").fields(["a", "b"]).expect("object");
        assert_eq!(a.and_then(Json::number), Some(2.0));
        assert!(b.is_none());
    }

    #[test]
    fn no_depth_overflows_the_stack() {
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(500_000), "]".repeat(500_000));
        assert!(Json::parse(&deep).expect("JSON").fields(["y"]).is_some());
        assert!(Json::parse(&"[".repeat(1_000_000)).is_none());
    }
}
