//! Step 5: chunks become stored in the ledger, each once.

use crate::connect::{ANSWER_TIMEOUT, Mongo, in_time};
use crate::decode::ChunkDelivery;
use crate::failure::Failure;
use crate::ledger::RECORD_STORED_SQL;
use crate::messages::mark_messages_deleted;
use crate::pool::Pool;
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

/// A campaign whose counters moved. The serialized fields stand in the log line of the batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordRow {
    /// A cuid2.
    pub id: String,
    /// As it is now.
    pub status: String,
    /// Numbers stored so far.
    pub stored: i32,
    /// Numbers that it has.
    pub total: i32,
    /// Whether it was deleted between step 3 and now.
    #[serde(skip)]
    pub deleted: bool,
}

/// Step 5. Records chunks as stored. Returns the campaigns whose counters moved; none when a retry finds the chunks
/// recorded.
pub async fn record(postgres: &Pool, stored: &[ChunkDelivery<'_>]) -> Result<Vec<RecordRow>, Failure> {
    let (ids, sequences): (Vec<&str>, Vec<i32>) =
        stored.iter().map(|it| (it.chunk.campaign_id.as_str(), it.chunk.first_sequence)).unzip();
    let parameters: [crate::pool::Parameter; 2] = [(&ids, Type::TEXT_ARRAY), (&sequences, Type::INT4_ARRAY)];
    let rows = postgres.query(RECORD_STORED_SQL, &parameters, ANSWER_TIMEOUT).await?;
    let campaigns = rows.iter().map(campaign).collect::<Result<_, _>>();
    campaigns.map_err(|error| Failure::Bug(format!("a row of record-stored.sql: {error}")))
}

fn campaign(row: &Row) -> Result<RecordRow, tokio_postgres::Error> {
    Ok(RecordRow {
        id: row.try_get("id")?,
        status: row.try_get("status")?,
        stored: row.try_get("stored")?,
        total: row.try_get("total")?,
        deleted: row.try_get("deleted")?,
    })
}

/// Step 5, for campaigns that were deleted between steps 3 and 5: nothing else knows of the documents written since.
pub async fn mark_deleted(mongo: &Mongo, deleted: &[&RecordRow]) -> Result<(), Failure> {
    in_time(async {
        let messages = mongo.messages().await?;
        for campaign in deleted {
            mark_messages_deleted(&messages, &campaign.id).await?;
        }
        Ok(())
    })
    .await
}
