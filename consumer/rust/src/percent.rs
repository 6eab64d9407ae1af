//! Percent-encoding in a part of a URL.

use percent_encoding::percent_decode_str;

/// The decoded text of a part of a URL. None when a percent sign begins no encoded byte of UTF-8: it then comes from a
/// password that was not encoded, and the other consumers refuse it, too.
pub fn decoded(part: &str) -> Option<String> {
    let well_formed = part.match_indices('%').all(|(at, _)| {
        part.as_bytes().get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    let text = percent_decode_str(part).decode_utf8().ok().filter(|_| well_formed);
    text.map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_text_is_strict_utf_8() {
        assert_eq!(decoded("a%2F%C3%A9é+").as_deref(), Some("a/éé+"));
        for malformed in ["%", "%4", "%zz", "100%", "%ff", "%C0%AF", "%ED%A0%80"] {
            assert_eq!(decoded(malformed), None, "{malformed}");
        }
    }
}
