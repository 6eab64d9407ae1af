use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../contract/examples");
/// The codes of each reason.
static CODES: LazyLock<BTreeMap<String, Vec<String>>> = LazyLock::new(|| json("../dead-letters.json"));

fn reason_of(content: &[u8]) -> Option<&'static str> {
    decode_body(content).err().map(|dead| dead.reason.as_str())
}

#[test]
fn every_valid_example_is_a_chunk() {
    let mut seen = 0;
    for file in fs::read_dir(format!("{EXAMPLES}/valid")).expect("the contract") {
        let path = file.expect("a file").path();
        assert_eq!(decode_body(&fs::read(&path).expect("a file")).err(), None, "{}", path.display());
        seen += 1;
    }
    assert!(seen >= 9);
}

fn json<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&fs::read(format!("{EXAMPLES}/{name}")).expect("the contract")).expect("JSON")
}

#[test]
fn every_invalid_example_has_its_documented_reason_and_detail() {
    let reasons: BTreeMap<String, String> = json("invalid/reasons.json");
    let details: BTreeMap<String, String> = json("details.json");
    for (name, reason) in &reasons {
        let dead = decode_body(&fs::read(format!("{EXAMPLES}/invalid/{name}")).expect("a file")).expect_err(name);
        assert_eq!((dead.reason.as_str(), &dead.detail), (reason.as_str(), &details[name]), "{name}");
    }
    assert_eq!(fs::read_dir(format!("{EXAMPLES}/invalid")).expect("the contract").count(), reasons.len() + 1);
}

fn body(change: &str) -> Vec<u8> {
    format!(
        "{{\"version\":1,\"campaign_id\":\"camp\",\"company_id\":\"comp\",\"message\":\"Oi\",\
         \"first_sequence\":1,\"phone_numbers\":[\"+5511900000001\"]{change}}}"
    )
    .into_bytes()
}

#[test]
fn deep_garbage_overflows_no_stack_and_a_deep_unknown_field_is_ignored() {
    let deep = format!(",\"x\":{}{}", "[".repeat(400_000), "]".repeat(400_000));
    assert_eq!(reason_of(&body(&deep)), None);
    let deep = format!(",\"phone_numbers\":{}{}", "[".repeat(400_000), "]".repeat(400_000));
    assert_eq!(reason_of(&body(&deep)), Some("schema_violation"));
    assert_eq!(reason_of("[".repeat(1_000_000).as_bytes()), Some("not_json"));
    assert_eq!(reason_of("{\"a\":".repeat(200_000).as_bytes()), Some("not_json"));
}

#[test]
fn the_limit_of_bytes_comes_first_and_is_exact() {
    let padded = |length: usize| {
        let mut content = body("");
        content.resize(length, b' ');
        content
    };
    assert_eq!(reason_of(&padded(MAX_CHUNK_BYTES)), None);
    assert_eq!(reason_of(&padded(MAX_CHUNK_BYTES + 1)), Some("too_large"));
}

#[test]
fn a_chunk_holds_what_was_said() {
    let chunk = decode_body(&body(",\"message\":\"\\ud83d\\ude00 \\\"ok\\\"\"")).expect("a chunk");
    assert_eq!(
        chunk,
        Chunk {
            campaign_id: "camp".into(),
            company_id: "comp".into(),
            message: "😀 \"ok\"".into(),
            first_sequence: 1,
            phone_numbers: vec!["+5511900000001".into()],
        }
    );
}

/// What the TypeScript decoder said of bodies, most of them made at random; `DECODE_VERDICTS` names another file of them.
#[test]
fn every_kept_verdict_is_the_one_of_the_other_languages() {
    let path = std::env::var("DECODE_VERDICTS").unwrap_or_else(|_| format!("{EXAMPLES}/verdicts.jsonl"));
    let kept = fs::read_to_string(path).expect("the verdicts");
    for line in kept.lines() {
        let mut kept: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).expect("JSON");
        let body = kept.remove("body").expect("a body");
        // One character for each byte.
        let body: Vec<u8> = body.as_str().expect("text").chars().map(|char| char as u8).collect();
        let said = match decode_body(&body) {
            Ok(Chunk { campaign_id, company_id, message, first_sequence, phone_numbers }) => {
                serde_json::json!({"chunk": {
                    "campaign_id": campaign_id, "company_id": company_id, "message": message,
                    "first_sequence": first_sequence, "phone_numbers": phone_numbers,
                }})
            }
            Err(DeadReason { reason, detail }) => serde_json::json!({"reason": reason.as_str(), "detail": detail}),
        };
        assert_eq!(said, serde_json::Value::Object(kept), "{}", String::from_utf8_lossy(&body));
    }
    assert!(kept.lines().count() >= 500);
}

/// Decodes, and checks the result against the rules of campaign-chunk.v1.schema.json, written in another way.
fn judge(content: &[u8]) {
    let id = |text: &str| {
        (2..=32).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit())
    };
    let number = |text: &str| {
        (9..=16).contains(&text.len())
            && text.starts_with('+')
            && !text.starts_with("+0")
            && text[1..].chars().all(|char| char.is_ascii_digit())
    };
    match decode_body(content) {
        Ok(chunk) => {
            assert!(id(&chunk.campaign_id) && id(&chunk.company_id));
            assert!((1..=1_600).contains(&chunk.message.chars().count()));
            assert!((1..=999_995_000).contains(&chunk.first_sequence));
            assert!((1..=5_000).contains(&chunk.phone_numbers.len()));
            assert!(chunk.phone_numbers.iter().all(|text| number(text)));
        }
        Err(DeadReason { reason, detail }) => {
            assert!(["too_large", "not_json", "unknown_version", "schema_violation"].contains(&reason.as_str()));
            let (code, path) = detail.split_once(' ').unwrap_or((&detail, ""));
            assert!(CODES[reason.as_str()].iter().any(|known| known == code), "{detail}");
            // Names of our own fields and the place of a number: no value of the body.
            let (name, index) =
                path.split_once("phone_numbers/").map_or((path, 0), |(_, index)| ("", index.parse().expect("a place")));
            assert!(name.is_empty() || FIELDS.contains(&&name[1..]), "{detail}");
            assert!(index < MAX_CHUNK_NUMBERS, "{detail}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(content in proptest::collection::vec(any::<u8>(), 0..300)) {
        judge(&content);
    }

    #[test]
    fn no_value_in_any_place_makes_it_panic(
        name in "(version|campaign_id|company_id|message|first_sequence|phone_numbers)",
        value in "(-?[0-9]{1,3}(\\.[0-9]{1,2})?([eE][+-]?[0-9]{1,3})?|\"(\\+[0-9]{7,16}|\\PC{0,10})\"|\\[(\"\\+[0-9]{7,16}\",?){0,3}\\]|null)",
    ) {
        judge(&body(&format!(",\"{name}\":{value}")));
    }

    #[test]
    fn no_change_of_a_body_makes_it_panic(at in 0_usize..140, with in any::<u8>(), cut in any::<bool>()) {
        let mut content = body("");
        let at = at % content.len();
        content[at] = with;
        if cut {
            content.truncate(at);
        }
        judge(&content);
    }

    #[test]
    fn no_escape_makes_it_panic(text in "(\\\\u[0-9a-fA-F]{0,5}|\\\\[a-z\"/]|[a-z\u{e9}\u{1f600}]){0,20}") {
        judge(&body(&format!(",\"message\":\"{text}\"")));
    }
}
