//! MongoDB's side of the contract: the collection, its validator, and a document of it.

use crate::decode::Chunk;
use crate::failure::Failure;
use cuid2::CuidConstructor;
use mongodb::bson::raw::{RawDocumentBuf, cstr};
use mongodb::bson::{DateTime, Document, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::{Acknowledgment, WriteConcern};
use mongodb::{Collection, Database};

/// The collection of all messages. Its only index is `_id`: a second one costs half the speed or more.
pub const MESSAGES: &str = "messages";
const VALIDATOR: &str = include_str!("../../contract/messages.validator.json");
/// An `_id` that no document has.
const NO_MESSAGE: &str = "";
const UNAUTHORIZED: i32 = 13;
const NAMESPACE_EXISTS: i32 = 48;

/// A document counts as stored only when it survives the death of mongod, whatever the URL says.
pub fn write_concern() -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build()
}

/// The `_id` of a number's document: a number cannot be stored twice, and a campaign is one range, in order.
pub fn message_id(campaign_id: &str, sequence: i32) -> String {
    format!("{campaign_id}:{sequence:09}")
}

/// One character longer than an identifier.
const IDENTIFIERS: CuidConstructor = CuidConstructor::new().with_length(25);

/// A cuid2 of 24 characters. The crate keeps the leading digit of the hash, which is never 0 and mostly a low one; the
/// published algorithm drops it.
fn identifier() -> String {
    let mut identifier = IDENTIFIERS.create_id();
    identifier.remove(1);
    identifier
}

/// The document of one number of a chunk, encoded. Its fields stand in the order that every language writes.
pub fn message(chunk: &Chunk, index: usize, now: DateTime) -> RawDocumentBuf {
    let sequence = chunk.first_sequence + i32::try_from(index).unwrap_or(i32::MAX - chunk.first_sequence);
    let mut document = RawDocumentBuf::new();
    document.append(cstr!("_id"), message_id(&chunk.campaign_id, sequence));
    document.append(cstr!("identifier"), identifier());
    document.append(cstr!("phone_number"), chunk.phone_numbers[index].as_str());
    document.append(cstr!("message"), chunk.message.as_str());
    document.append(cstr!("campaign_id"), chunk.campaign_id.as_str());
    document.append(cstr!("company_id"), chunk.company_id.as_str());
    document.append(cstr!("sequence"), sequence);
    document.append(cstr!("created_at"), now);
    document.append(cstr!("updated_at"), now);
    document.append(cstr!("deleted"), false);
    document
}

/// Creates the collection with its validator, or brings the validator of an existing one up to date. Fails for a user who
/// may not write: the first batch would show it too late. Idempotent.
pub async fn declare_messages(database: &Database) -> Result<(), Failure> {
    create_messages(database).await?;
    let messages = database.collection::<RawDocumentBuf>(MESSAGES);
    let change = doc! { "$set": { "deleted": true } };
    messages.update_one(doc! { "_id": NO_MESSAGE }, change).write_concern(write_concern()).await?;
    Ok(())
}

async fn create_messages(database: &Database) -> Result<(), Failure> {
    let validator: Document =
        serde_json::from_str(VALIDATOR).map_err(|error| Failure::Bug(format!("messages.validator.json: {error}")))?;
    let coded = |error: &Error, code| matches!(error.kind.as_ref(), ErrorKind::Command(it) if it.code == code);
    match database.run_command(doc! { "create": MESSAGES, "validator": validator.clone() }).await {
        Err(error) if coded(&error, NAMESPACE_EXISTS) => {}
        other => return other.map(drop).map_err(Failure::from),
    }
    match database.run_command(doc! { "collMod": MESSAGES, "validator": validator }).await {
        // MongoDB's role readWrite may create a collection but not change one: for that user the present validator stays.
        Err(error) if coded(&error, UNAUTHORIZED) => Ok(()),
        other => other.map(drop).map_err(Failure::from),
    }
}

/// Marks all stored documents of a deleted campaign. Safe to repeat.
pub async fn mark_messages_deleted(messages: &Collection<RawDocumentBuf>, campaign_id: &str) -> Result<(), Failure> {
    // ';' follows ':' in ASCII, so it ends the range of this campaign and of no other.
    let range = doc! { "$gt": message_id(campaign_id, 0), "$lt": format!("{campaign_id};") };
    let change = doc! { "$set": { "deleted": true, "updated_at": DateTime::now() } };
    messages.update_many(doc! { "_id": range, "deleted": false }, change).write_concern(write_concern()).await?;
    Ok(())
}

/// The name and the type of each field, in order.
#[cfg(test)]
fn shape(document: &mongodb::bson::raw::RawDocument) -> Vec<(String, mongodb::bson::spec::ElementType)> {
    document
        .iter()
        .map(|field| field.map(|(name, value)| (name.to_string(), value.element_type())).expect("BSON"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::spec::ElementType::{Boolean, DateTime as Date, Int32, String as Text};

    #[test]
    fn a_document_has_the_types_and_the_order_of_every_language() {
        let chunk = Chunk {
            campaign_id: "camp".into(),
            company_id: "comp".into(),
            message: "Oi".into(),
            first_sequence: 41,
            phone_numbers: vec!["+5511900000001".into(), "+5511900000002".into()],
        };
        let document = message(&chunk, 1, DateTime::from_millis(1_700_000_000_007));
        let expected = [
            ("_id", Text),
            ("identifier", Text),
            ("phone_number", Text),
            ("message", Text),
            ("campaign_id", Text),
            ("company_id", Text),
            ("sequence", Int32),
            ("created_at", Date),
            ("updated_at", Date),
            ("deleted", Boolean),
        ];
        assert_eq!(shape(&document), expected.map(|(name, kind)| (name.to_owned(), kind)));
        assert_eq!(document.get_str("_id").ok(), Some("camp:000000042"));
        assert_eq!(document.get_str("phone_number").ok(), Some("+5511900000002"));
        let identifier = document.get_str("identifier").expect("a text");
        assert!(identifier.len() == 24 && cuid2::is_cuid2(identifier), "{identifier}");
    }

    #[test]
    fn identifiers_are_distinct() {
        let found: std::collections::HashSet<String> = (0..10_000).map(|_| identifier()).collect();
        assert!(found.len() == 10_000 && found.iter().all(|id| id.len() == 24));
        assert!(found.iter().any(|id| id.as_bytes()[1] == b'0'), "every digit stands in the second place");
    }
}
