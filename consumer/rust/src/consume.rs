//! One batch after the other. Steps as in consumer/README.md.

use crate::admit::{Admission, Verdict, admit};
use crate::config::Config;
use crate::connect::Stores;
use crate::decode::{ChunkDelivery, Decoded, decode};
use crate::drain::Stop;
use crate::gather::Gathered;
use crate::record::{RecordRow, mark_deleted, record};
use crate::report::{Report, SettledBatch, traceparents_of};
use crate::session::Queue;
use crate::settle::{outcomes_of, publish_dead, settle};
use crate::stopwatch::{Step, Stopwatch};
use crate::store::{Written, store};
use crate::until_up::{Attempt, Halt, Service, attempt, until_up};
use mongodb::bson::DateTime;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio_util::sync::CancellationToken;

/// What the loop knows of the three services.
pub struct Services {
    /// The ledger.
    pub postgres: Service,
    /// The documents.
    pub mongodb: Service,
    /// The queues.
    pub rabbitmq: Arc<Service>,
}

/// All that a loop needs.
pub struct Consumer {
    /// Its configuration.
    pub config: Config,
    /// Where it writes.
    pub stores: Arc<Stores>,
    /// Whether they are up.
    pub services: Arc<Services>,
    /// Log and metrics.
    pub report: Arc<Report>,
    /// How it is told to stop.
    pub stop: Stop,
    /// There may be batches that a drain has to finish.
    pub busy: AtomicBool,
}

/// One of the loops of a partition, batch after batch. Returns when it is told to stop or its session is gone; never fails
/// for one bad message.
pub async fn consume(queue: Arc<Queue>, consumer: Arc<Consumer>) -> Result<(), Halt> {
    loop {
        match consume_batch(&queue, &consumer).await {
            Ok(Consumed::Batch) => {}
            Ok(Consumed::Over) | Err(Halt::Interrupted) => return Ok(()),
            Err(halt) => return Err(halt),
        }
    }
}

/// What there was to consume.
enum Consumed {
    /// One batch.
    Batch,
    /// None, and there will be no further one.
    Over,
}

/// One batch from start to finish. Steps as in consumer/README.md.
async fn consume_batch(queue: &Arc<Queue>, consumer: &Consumer) -> Result<Consumed, Halt> {
    let Gathered::Batch(batch) = queue.gather().await else { return Ok(Consumed::Over) }; // 1
    let mut watch = Stopwatch::new(batch.since);
    let interrupted = &queue.session.interrupted;
    let Decoded { chunks, malformed } = decode(&batch.deliveries); // 2
    let (admission, written) = admit_and_store(interrupted, consumer, &chunks, batch.gathered_at, &mut watch).await?; // 3, 4
    let stored: Vec<_> = admission.owed.iter().filter(|it| !written.refused.contains(&it.delivery)).copied().collect();
    let recording = async {
        // An acknowledgement of this batch may include all batches before it.
        batch.turn.wait(interrupted).await?;
        record_and_mark(interrupted, consumer, &stored).await
    };
    let campaigns = watch.time(Step::Record, recording).await?; // 5
    let malformed = malformed.into_iter().map(|(delivery, reason)| (delivery, Verdict::Dead(reason)));
    let outcomes = outcomes_of(batch.deliveries.len(), malformed.chain(admission.verdicts), &written)?;
    let traceparents = traceparents_of(&batch.deliveries);
    let dead = settle(queue, batch.deliveries, &outcomes).await?; // 6
    batch.turn.pass();
    let mut settled = SettledBatch { queue: queue.name.clone(), outcomes, written, campaigns, traceparents, watch };
    if dead.is_empty() {
        consumer.report.batch(&settled); // 7
        return Ok(Consumed::Batch);
    }
    // A broker in an alarm accepts no dead letters, and the batches behind this one must not wait for that.
    let (held, report) = (queue.clone(), consumer.report.clone());
    queue.session.hold(async move {
        settled.watch.time(Step::Settle, publish_dead(&held, &dead)).await?;
        report.batch(&settled); // 7
        Ok(())
    });
    Ok(Consumed::Batch)
}

/// Steps 3 and 4. A batch that had to wait for MongoDB is admitted again: its campaign may have been cancelled meanwhile.
async fn admit_and_store<'a>(
    interrupted: &CancellationToken,
    Consumer { stores, services, .. }: &Consumer,
    chunks: &[ChunkDelivery<'a>],
    mut now: DateTime,
    watch: &mut Stopwatch,
) -> Result<(Admission<'a>, Written), Halt> {
    if chunks.is_empty() {
        return Ok(Default::default());
    }
    let mut failures = 0;
    loop {
        let admitting = until_up(interrupted, &services.postgres, || admit(&stores.postgres, chunks));
        let admission = watch.time(Step::Admit, admitting).await?;
        if admission.owed.is_empty() {
            return Ok((admission, Written::default()));
        }
        let storing = attempt(interrupted, &services.mongodb, failures, store(&stores.mongo, &admission.owed, now));
        if let Attempt::Up(written) = watch.time(Step::Store, storing).await? {
            return Ok((admission, written));
        }
        failures += 1;
        now = DateTime::now();
    }
}

/// Step 5.
async fn record_and_mark(
    interrupted: &CancellationToken,
    Consumer { stores, services, stop, .. }: &Consumer,
    stored: &[ChunkDelivery<'_>],
) -> Result<Vec<RecordRow>, Halt> {
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    let campaigns = until_up(interrupted, &services.postgres, || record(&stores.postgres, stored)).await?;
    let deleted: Vec<&RecordRow> = campaigns.iter().filter(|campaign| campaign.deleted).collect();
    if !deleted.is_empty() {
        // Not dropped with the channel: the ledger tells of a deleted campaign only this once.
        until_up(&stop.working, &services.mongodb, || mark_deleted(&stores.mongo, &deleted)).await?;
    }
    Ok(campaigns)
}
