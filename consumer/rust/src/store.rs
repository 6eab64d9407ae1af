//! Step 4: one document a number, unordered, in one insert.

use crate::connect::{Mongo, in_time};
use crate::decode::ChunkDelivery;
use crate::failure::Failure;
use crate::messages::{message, write_concern};
use mongodb::bson::DateTime;
use mongodb::error::{Error, ErrorKind, InsertManyError};
use std::collections::BTreeSet;

const DUPLICATE_KEY: i32 = 11_000;
const REFUSED_BY_VALIDATOR: i32 = 121;

/// What became of the documents of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Documents written now.
    pub stored: usize,
    /// Documents that were there already.
    pub repeated: usize,
    /// Chunks of which the validator refused a document, by the place of their delivery in the batch.
    pub refused: BTreeSet<usize>,
}

/// Step 4. Fails when it is not certain that the documents survive.
pub async fn store(mongo: &Mongo, owed: &[ChunkDelivery<'_>]) -> Result<Written, Failure> {
    let now = DateTime::now();
    let documents: Vec<_> = owed
        .iter()
        .flat_map(|it| (0..it.chunk.phone_numbers.len()).map(move |index| message(it.chunk, index, now)))
        .collect();
    let insert = in_time(async {
        let messages = mongo.messages().await?;
        Ok(messages.insert_many(&documents).ordered(false).write_concern(write_concern()).await?)
    });
    match insert.await {
        Ok(_) => Ok(Written { stored: documents.len(), ..Written::default() }),
        Err(Failure::Mongo(error)) => written_all_the_same(error, owed, documents.len()),
        Err(failure) => Err(failure),
    }
}

/// Duplicates are stored, and a refusal concerns its chunk alone; whatever else was wrong fails the attempt.
fn written_all_the_same(error: Error, owed: &[ChunkDelivery<'_>], documents: usize) -> Result<Written, Failure> {
    let written = match error.kind.as_ref() {
        ErrorKind::InsertMany(InsertManyError { write_errors: Some(errors), write_concern_error: None, .. }) => {
            let errors: Vec<_> = errors.iter().map(|error| (error.code, error.index)).collect();
            tally(&errors, owed, documents)
        }
        _ => None,
    };
    written.ok_or(Failure::Mongo(error))
}

/// What a list of write errors (code, index of the document) says. None when one of them is of another code.
fn tally(errors: &[(i32, usize)], owed: &[ChunkDelivery<'_>], documents: usize) -> Option<Written> {
    let repeated = errors.iter().filter(|(code, _)| *code == DUPLICATE_KEY).count();
    let refused: Vec<usize> = errors.iter().filter(|it| it.0 == REFUSED_BY_VALIDATOR).map(|it| it.1).collect();
    if errors.is_empty() || repeated + refused.len() < errors.len() {
        return None;
    }
    let owners: Vec<usize> = owed.iter().flat_map(|it| it.chunk.phone_numbers.iter().map(|_| it.at)).collect();
    Some(Written {
        stored: documents.saturating_sub(errors.len()),
        repeated,
        refused: refused.into_iter().filter_map(|index| owners.get(index).copied()).collect(),
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
        let owed = [ChunkDelivery { at: 4, chunk: &two }, ChunkDelivery { at: 7, chunk: &three }];
        let written = |errors: &[(i32, usize)]| tally(errors, &owed, 5);
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
