//! Step 2: bytes become a chunk or are malformed, with a code.

use crate::json::{Json, Text};
use lapin::BasicProperties;
use std::fmt;

/// The version that is written today. Every other one is refused as `unknown_version`.
const CHUNK_VERSION: f64 = 1.0;
/// Numbers in one queue message, at most.
const MAX_CHUNK_NUMBERS: usize = 5_000;
/// Bytes of one queue message, at most.
const MAX_CHUNK_BYTES: usize = 1_048_576;
/// Code points of a text, at most.
const MAX_TEXT: usize = 1_600;
const MAX_FIRST_SEQUENCE: i32 = 999_995_000;

const FIELDS: [&str; 6] = ["version", "campaign_id", "company_id", "message", "first_sequence", "phone_numbers"];

/// Consecutive numbers of a campaign: the body of a queue message, version 1 (campaign-chunk.v1.schema.json).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// A cuid2.
    pub campaign_id: String,
    /// A cuid2.
    pub company_id: String,
    /// The text that every number of the chunk gets.
    pub message: String,
    /// The sequence of the first number, from 1.
    pub first_sequence: i32,
    /// E.164 with `+`, in the file's order, 1 to 5,000.
    pub phone_numbers: Vec<String>,
}

/// Why a message is a dead letter, as in consumer/README.md, in the order in which the reasons are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Reason {
    TooLarge,
    NotJson,
    UnknownVersion,
    SchemaViolation,
    UnknownCampaign,
    UnknownChunk,
    RefusedByStore,
}

impl Reason {
    /// As the header and the metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotJson => "not_json",
            Self::UnknownVersion => "unknown_version",
            Self::SchemaViolation => "schema_violation",
            Self::UnknownCampaign => "unknown_campaign",
            Self::UnknownChunk => "unknown_chunk",
            Self::RefusedByStore => "refused_by_store",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// What a dead letter carries in its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadReason {
    /// The code.
    pub reason: Reason,
    /// A code and a path, as in consumer/contract/dead-letters.json: never a value, and no words of a library.
    pub detail: String,
}

impl DeadReason {
    /// Has a code and its detail.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// A message as it came, decoded once, on arrival: step 1 counts its numbers, step 2 takes the same chunk.
#[derive(Debug)]
pub struct Delivery {
    /// Of the channel that it came from, and of no other.
    pub tag: u64,
    /// As they came.
    pub properties: BasicProperties,
    /// As it came.
    pub body: Vec<u8>,
    /// The chunk, or why it is none.
    pub decoded: Result<Chunk, DeadReason>,
}

impl Delivery {
    /// Decodes a message.
    pub fn new(tag: u64, properties: BasicProperties, body: Vec<u8>) -> Self {
        let decoded = decode_body(&body);
        Self { tag, properties, body, decoded }
    }

    /// How many numbers it brings; none when it is malformed.
    pub fn numbers(&self) -> usize {
        self.decoded.as_ref().map_or(0, |chunk| chunk.phone_numbers.len())
    }
}

/// A delivery that holds a chunk.
#[derive(Debug, Clone, Copy)]
pub struct ChunkDelivery<'a> {
    /// The place of the delivery in its batch.
    pub delivery: usize,
    /// What it holds.
    pub chunk: &'a Chunk,
}

/// What step 2 found; the numbers are places in the batch.
#[derive(Debug)]
pub struct Decoded<'a> {
    /// The chunks, in the order of the queue.
    pub chunks: Vec<ChunkDelivery<'a>>,
    /// The malformed ones, and why.
    pub malformed: Vec<(usize, DeadReason)>,
}

/// Step 2. Splits deliveries into chunks and malformed ones.
pub fn decode(deliveries: &[Delivery]) -> Decoded<'_> {
    let (mut chunks, mut malformed) = (Vec::new(), Vec::new());
    for (delivery, one) in deliveries.iter().enumerate() {
        match &one.decoded {
            Ok(chunk) => chunks.push(ChunkDelivery { delivery, chunk }),
            Err(reason) => malformed.push((delivery, reason.clone())),
        }
    }
    Decoded { chunks, malformed }
}

/// The body of a queue message as a chunk, or why it is none.
pub fn decode_body(content: &[u8]) -> Result<Chunk, DeadReason> {
    if content.len() > MAX_CHUNK_BYTES {
        return Err(DeadReason::new(Reason::TooLarge, "max_bytes"));
    }
    let text = std::str::from_utf8(content).map_err(|_| DeadReason::new(Reason::NotJson, "utf8"))?;
    let body = Json::parse(text).ok_or_else(|| DeadReason::new(Reason::NotJson, "json"))?;
    let fields = body.fields(FIELDS).ok_or_else(|| DeadReason::new(Reason::SchemaViolation, "type"))?;
    let version = fields[0].and_then(Json::number);
    if version.is_some_and(|version| version.fract() == 0.0 && version != CHUNK_VERSION) {
        return Err(DeadReason::new(Reason::UnknownVersion, "const /version"));
    }
    chunk_of(fields)
}

/// A rule that a value breaks: a code of consumer/contract/dead-letters.json.
type Fault = &'static str;

/// Checks first that the fields are there, then their values, each in the order of the schema.
fn chunk_of(fields: [Option<Json<'_>>; 6]) -> Result<Chunk, DeadReason> {
    let [Some(version), Some(campaign_id), Some(company_id), Some(message), Some(first_sequence), Some(phone_numbers)] =
        fields
    else {
        let missing = fields.iter().position(Option::is_none).unwrap_or_default();
        return Err(violation("required", FIELDS[missing]));
    };
    let at = |path| move |fault| violation(fault, path);
    if version.number() != Some(CHUNK_VERSION) {
        return Err(violation("const", "version"));
    }
    let campaign_id = id(campaign_id).map_err(at("campaign_id"))?;
    let company_id = id(company_id).map_err(at("company_id"))?;
    let message = text(message).map_err(at("message"))?;
    let first_sequence = sequence(first_sequence).map_err(at("first_sequence"))?;
    let numbers = items(phone_numbers).map_err(at("phone_numbers"))?.into_iter().enumerate();
    let phone_numbers = numbers
        .map(|(index, item)| phone_number(item).map_err(|fault| violation(fault, &format!("phone_numbers/{index}"))))
        .collect::<Result<_, _>>()?;
    // The schema cannot say this; BSON would store another text than the one that came.
    if !message.well_formed {
        return Err(violation("surrogate", "message"));
    }
    Ok(Chunk { campaign_id, company_id, message: message.text, first_sequence, phone_numbers })
}

fn id(value: Json<'_>) -> Result<String, Fault> {
    let Text { text, .. } = value.text().ok_or("type")?;
    let well_formed = match text.as_bytes() {
        [b'a'..=b'z', rest @ ..] => {
            (1..=31).contains(&rest.len()) && rest.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
        }
        _ => false,
    };
    if well_formed { Ok(text) } else { Err("pattern") }
}

fn text(value: Json<'_>) -> Result<Text, Fault> {
    let text = value.text().ok_or("type")?;
    // JSON Schema counts a lone surrogate as one code point; its replacement here is one, too.
    match text.text.chars().count() {
        0 => Err("min_length"),
        length if length > MAX_TEXT => Err("max_length"),
        _ => Ok(text),
    }
}

fn sequence(value: Json<'_>) -> Result<i32, Fault> {
    match value.number().filter(|number| number.is_finite() && number.fract() == 0.0).ok_or("type")? {
        number if number < 1.0 => Err("minimum"),
        number if number > f64::from(MAX_FIRST_SEQUENCE) => Err("maximum"),
        number => Ok(number as i32),
    }
}

fn items(value: Json<'_>) -> Result<Vec<Json<'_>>, Fault> {
    match value.items().ok_or("type")? {
        items if items.is_empty() => Err("min_items"),
        items if items.len() > MAX_CHUNK_NUMBERS => Err("max_items"),
        items => Ok(items),
    }
}

fn phone_number(item: Json<'_>) -> Result<String, Fault> {
    let Text { text, .. } = item.text().ok_or("type")?;
    let well_formed = match text.as_bytes() {
        [b'+', b'1'..=b'9', rest @ ..] => (7..=14).contains(&rest.len()) && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if well_formed { Ok(text) } else { Err("pattern") }
}

fn violation(fault: Fault, path: &str) -> DeadReason {
    DeadReason::new(Reason::SchemaViolation, format!("{fault} /{path}"))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
