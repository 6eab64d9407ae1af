//! Step 3: what the ledger says of each chunk of a batch.

use crate::connect::ANSWER_TIMEOUT;
use crate::decode::{Chunk, ChunkDelivery, DeadReason, Reason};
use crate::failure::Failure;
use crate::ledger::ADMIT_SQL;
use crate::pool::Pool;
use std::collections::{HashMap, HashSet};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

/// What step 3 says of a delivery: its chunk is owed and goes on, was stored before, is let go, or is a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Verdict {
    Owed,
    Repeated,
    LetGo,
    Dead(DeadReason),
}

/// Step 3, for a whole batch.
#[derive(Debug, Default)]
pub struct Admission<'a> {
    /// By the place of the delivery in the batch.
    pub verdicts: Vec<(usize, Verdict)>,
    /// Each chunk once, in the order of the queue.
    pub owed: Vec<ChunkDelivery<'a>>,
}

/// What the ledger has of one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmitRow {
    /// Whether there is such a campaign.
    pub campaign_known: bool,
    /// How many numbers the chunk has; None when there is no such chunk.
    pub size: Option<i32>,
    /// Whether the campaign is neither deleted nor paused nor cancelled.
    pub running: bool,
    /// Whether the chunk was recorded as stored.
    pub stored: bool,
}

type Key = (String, i32);

/// Step 3. Asks the ledger for the distinct chunks of the batch: one read.
pub async fn admit<'a>(postgres: &Pool, chunks: &[ChunkDelivery<'a>]) -> Result<Admission<'a>, Failure> {
    let mut asked = HashSet::new();
    let distinct = chunks.iter().filter(|it| asked.insert((it.chunk.campaign_id.as_str(), it.chunk.first_sequence)));
    let (ids, sequences): (Vec<&str>, Vec<i32>) =
        distinct.map(|it| (it.chunk.campaign_id.as_str(), it.chunk.first_sequence)).unzip();
    let rows =
        postgres.query(ADMIT_SQL, &[(&ids, Type::TEXT_ARRAY), (&sequences, Type::INT4_ARRAY)], ANSWER_TIMEOUT).await?;
    let ledger = rows.iter().map(parse_row).collect::<Result<_, _>>();
    let ledger = ledger.map_err(|error| Failure::Bug(format!("a row of admit.sql: {error}")))?;
    Ok(judge(chunks, &ledger))
}

fn parse_row(row: &Row) -> Result<(Key, AdmitRow), tokio_postgres::Error> {
    let key = (row.try_get("campaign_id")?, row.try_get("first_sequence")?);
    let parsed = AdmitRow {
        campaign_known: row.try_get("campaign_known")?,
        size: row.try_get("size")?,
        running: row.try_get("running")?,
        stored: row.try_get("stored")?,
    };
    Ok((key, parsed))
}

/// The verdicts that the rows of the ledger give. Pure.
pub fn judge<'a>(chunks: &[ChunkDelivery<'a>], ledger: &HashMap<Key, AdmitRow>) -> Admission<'a> {
    let mut admission = Admission::default();
    let mut in_batch = HashSet::new();
    for it in chunks {
        let key = (it.chunk.campaign_id.clone(), it.chunk.first_sequence);
        let verdict = verdict_of(it.chunk, ledger.get(&key), in_batch.contains(&key));
        if verdict == Verdict::Owed {
            in_batch.insert(key);
            admission.owed.push(*it);
        }
        admission.verdicts.push((it.delivery, verdict));
    }
    admission
}

/// The order is that of the tables in consumer/README.md: when two rows fit, the upper one counts.
fn verdict_of(chunk: &Chunk, row: Option<&AdmitRow>, in_batch: bool) -> Verdict {
    let dead = |reason, detail: &str| Verdict::Dead(DeadReason::new(reason, detail));
    let Some(row) = row.filter(|row| row.campaign_known) else {
        return dead(Reason::UnknownCampaign, "ledger /campaign_id");
    };
    match row.size.map(usize::try_from) {
        None => dead(Reason::UnknownChunk, "ledger /first_sequence"),
        Some(size) if size != Ok(chunk.phone_numbers.len()) => dead(Reason::UnknownChunk, "ledger /phone_numbers"),
        _ if !row.running => Verdict::LetGo,
        _ if row.stored || in_batch => Verdict::Repeated,
        _ => Verdict::Owed,
    }
}

#[cfg(test)]
#[path = "admit_tests.rs"]
mod tests;
