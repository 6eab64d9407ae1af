//! Step 4: one document a number, in unordered inserts.

use crate::connect::{Mongo, in_time};
use crate::decode::ChunkDelivery;
use crate::failure::Failure;
use crate::messages::{message, write_concern};
use futures_util::future::{FutureExt, ready};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use mongodb::bson::DateTime;
use mongodb::error::{Error, ErrorKind, InsertManyError};
use std::collections::BTreeSet;

const DUPLICATE_KEY: i32 = 11_000;
const REFUSED_BY_VALIDATOR: i32 = 121;
/// Documents of one insert, at most.
const INSERT_DOCUMENTS: usize = 1_000;
/// Inserts at a time: while MongoDB works on some, the next is made and sent.
const INSERTS_AT_A_TIME: usize = 4;

/// The result of storing the documents of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Documents written now.
    pub stored: usize,
    /// Documents that were there already.
    pub repeated: usize,
    /// Chunks of which the validator refused a document, by the place of their delivery in the batch.
    pub refused: BTreeSet<usize>,
}

impl Written {
    fn and(mut self, mut more: Self) -> Self {
        self.refused.append(&mut more.refused);
        Self { stored: self.stored + more.stored, repeated: self.repeated + more.repeated, refused: self.refused }
    }
}

/// One number of a chunk, by its place.
type Place<'a> = (ChunkDelivery<'a>, usize);

/// Step 4. Fails when it is not certain that all documents survive. Each insert has a time-out of its own.
pub async fn store(mongo: &Mongo, owed: &[ChunkDelivery<'_>], now: DateTime) -> Result<Written, Failure> {
    let places = places_of(owed);
    let inserts: Vec<_> =
        places.chunks(INSERT_DOCUMENTS).map(|part| in_time(insert(mongo, part, now)).boxed()).collect();
    let inserted = stream::iter(inserts).buffer_unordered(INSERTS_AT_A_TIME);
    inserted.try_fold(Written::default(), |sum, part| ready(Ok(sum.and(part)))).await
}

fn places_of<'a>(owed: &[ChunkDelivery<'a>]) -> Vec<Place<'a>> {
    owed.iter().flat_map(|it| (0..it.chunk.phone_numbers.len()).map(|index| (*it, index))).collect()
}

async fn insert(mongo: &Mongo, places: &[Place<'_>], now: DateTime) -> Result<Written, Failure> {
    let documents: Vec<_> = places.iter().map(|(it, index)| message(it.chunk, *index, now)).collect();
    let messages = mongo.messages().await?;
    match messages.insert_many(&documents).ordered(false).write_concern(write_concern()).await {
        Ok(_) => Ok(Written { stored: documents.len(), ..Written::default() }),
        Err(error) => written_despite_errors(error, places),
    }
}

/// Duplicates count as stored, and a refusal concerns its chunk alone; any other error fails the attempt.
fn written_despite_errors(error: Error, places: &[Place<'_>]) -> Result<Written, Failure> {
    let written = match error.kind.as_ref() {
        ErrorKind::InsertMany(InsertManyError { write_errors: Some(errors), write_concern_error: None, .. }) => {
            let errors: Vec<_> = errors.iter().map(|error| (error.code, error.index)).collect();
            tally(&errors, places)
        }
        _ => None,
    };
    written.ok_or(Failure::Mongo(error))
}

/// What a list of write errors (code, index of the document) means. None when it is empty, or when one of them has another
/// code.
fn tally(errors: &[(i32, usize)], places: &[Place<'_>]) -> Option<Written> {
    let repeated = errors.iter().filter(|(code, _)| *code == DUPLICATE_KEY).count();
    let refused: Vec<usize> = errors.iter().filter(|it| it.0 == REFUSED_BY_VALIDATOR).map(|it| it.1).collect();
    if errors.is_empty() || repeated + refused.len() < errors.len() {
        return None;
    }
    Some(Written {
        stored: places.len().saturating_sub(errors.len()),
        repeated,
        refused: refused.into_iter().filter_map(|index| places.get(index).map(|(it, _)| it.delivery)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Chunk;

    fn chunk(size: usize) -> Chunk {
        Chunk {
            campaign_id: "camp".into(),
            company_id: "comp".into(),
            message: "Oi".into(),
            first_sequence: 1,
            phone_numbers: vec!["+5511900000001".into(); size],
        }
    }

    #[test]
    fn duplicates_are_stored_a_refusal_concerns_its_chunk_and_anything_else_fails() {
        let (two, three) = (chunk(2), chunk(3));
        let places =
            places_of(&[ChunkDelivery { delivery: 4, chunk: &two }, ChunkDelivery { delivery: 7, chunk: &three }]);
        let written = |errors: &[(i32, usize)]| tally(errors, &places);
        let of = |stored, repeated, refused: &[usize]| {
            Some(Written { stored, repeated, refused: refused.iter().copied().collect() })
        };
        assert_eq!(written(&[(11_000, 0), (11_000, 4)]), of(3, 2, &[]));
        assert_eq!(written(&[(121, 2)]), of(4, 0, &[7]));
        assert_eq!(written(&[(121, 1), (11_000, 0), (121, 3)]), of(2, 1, &[4, 7]));
        assert_eq!(written(&[(11_000, 0), (50, 1)]), None);
        assert_eq!(written(&[]), None);
    }
}
