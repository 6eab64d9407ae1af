//! The loop. Steps as in consumer/README.md.

use crate::admit::{Admission, Verdict, admit};
use crate::config::Config;
use crate::connect::Stores;
use crate::decode::{ChunkDelivery, Decoded, decode};
use crate::drain::Stop;
use crate::log::AsJson;
use crate::record::{RecordRow, mark_deleted, record};
use crate::report::{Report, SettledBatch, traceparents_of};
use crate::session::{Queue, Session};
use crate::settle::{bury, outcomes_of, settle};
use crate::stopwatch::{Step, Stopwatch};
use crate::store::{Written, store};
use crate::until_up::{Halt, Service, attempt, pause, until_up};
use futures_util::future::{try_join_all, try_join3};
use mongodb::bson::DateTime;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Batches of one queue under way at a time: while one is stored, the next is gathered and admitted, and its storing begins.
const BATCHES_AT_A_TIME: usize = 2;

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
    /// What it is told.
    pub config: Config,
    /// Where it writes.
    pub stores: Arc<Stores>,
    /// Whether they are up.
    pub services: Arc<Services>,
    /// Log and metrics.
    pub report: Arc<Report>,
    /// How it is told to stop.
    pub stop: Stop,
    /// Something may be at hand that a drain has to finish.
    pub busy: AtomicBool,
}

/// Consumes until told to stop, session after session. A refusal comes at the start only; later only a bug.
pub async fn run(consumer: Arc<Consumer>) -> Result<(), Halt> {
    let Consumer { stores, services, stop, .. } = &*consumer;
    // Side by side: a wrong password of one must not wait for another that is not up yet.
    let (mut session, (), ()) = try_join3(
        open_session(&consumer),
        until_up(&stop.receiving, &services.postgres, || stores.probe_ledger()),
        until_up(&stop.receiving, &services.mongodb, || stores.mongo.prepare_messages()),
    )
    .await?;
    let mut fruitless = 0;
    loop {
        consumer.busy.store(true, Ordering::Release);
        consume_session(&consumer, &session).await?;
        consumer.busy.store(false, Ordering::Release);
        if stop.receiving.is_cancelled() {
            return Ok(());
        }
        // A broker that takes the connection and refuses the rest of it must not be hammered.
        fruitless = if session.settled.load(Ordering::Relaxed) > 0 { 0 } else { fruitless + 1 };
        pause(&stop.receiving, fruitless + 1).await;
        session = open_session(&consumer).await?;
    }
}

async fn open_session(consumer: &Consumer) -> Result<Arc<Session>, Halt> {
    let Consumer { config, services, stop, .. } = consumer;
    let rabbitmq = &services.rabbitmq;
    until_up(&stop.receiving, rabbitmq, || Session::open(config, stop, rabbitmq)).await
}

/// Every partition of one session, until told to stop or the session is gone.
async fn consume_session(consumer: &Arc<Consumer>, session: &Arc<Session>) -> Result<(), Halt> {
    let mut loops = JoinSet::new();
    for queue in subscribe(consumer, session).await? {
        for _ in 0..BATCHES_AT_A_TIME {
            loops.spawn(consume(queue.clone(), consumer.clone()));
        }
    }
    while let Some(ended) = loops.join_next().await {
        ended.map_err(|error| Halt::Bug(error.to_string()))??;
    }
    session.released().await;
    session.close().await;
    Ok(())
}

async fn subscribe(consumer: &Consumer, session: &Arc<Session>) -> Result<Vec<Arc<Queue>>, Halt> {
    let Consumer { config, services, .. } = consumer;
    let each = config.prefetch_each;
    match try_join_all(config.partitions.iter().map(|partition| session.subscribe(*partition, each))).await {
        Ok(queues) => {
            let queues: Vec<_> = queues.into_iter().map(Arc::new).collect();
            say_who_receives(&queues, each);
            Ok(queues)
        }
        Err(failure) => {
            services.rabbitmq.failed(&failure)?;
            session.end(&failure);
            Ok(Vec::new())
        }
    }
}

/// Of each queue one consumer receives: the others say that they stand by.
fn say_who_receives(queues: &[Arc<Queue>], prefetch_each: u16) {
    let (receiving, waiting): (Vec<_>, Vec<_>) = queues.iter().partition(|queue| queue.standby.is_over());
    let names = |of: &[&Arc<Queue>]| of.iter().map(|queue| queue.name.clone()).collect::<Vec<String>>();
    if !receiving.is_empty() {
        tracing::info!(queues = %AsJson(&names(&receiving)), prefetch_each, "receiving");
    }
    if !waiting.is_empty() {
        let queues = names(&waiting);
        tracing::info!(queues = %AsJson(&queues), prefetch_each, "standing by: another consumer has the queue");
    }
    for queue in waiting {
        let queue = queue.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = queue.session.over.cancelled() => {}
                () = queue.standby.over() => {
                    tracing::info!(queues = %AsJson(&[&queue.name]), prefetch_each, "receiving");
                }
            }
        });
    }
}

/// One of the loops of a partition, batch after batch. Returns when it is told to stop or its session is gone; never fails for one bad
/// message.
async fn consume(queue: Arc<Queue>, consumer: Arc<Consumer>) -> Result<(), Halt> {
    loop {
        match consume_batch(&queue, &consumer).await {
            Ok(true) => {}
            Ok(false) | Err(Halt::Interrupted) => return Ok(()),
            Err(halt) => return Err(halt),
        }
    }
}

/// One batch, start to finish. Steps as in consumer/README.md. False when there is no further one.
async fn consume_batch(queue: &Arc<Queue>, consumer: &Consumer) -> Result<bool, Halt> {
    let Some((batch, turn)) = queue.gather().await else { return Ok(false) }; // 1
    let mut watch = Stopwatch::new(batch.since);
    let interrupted = &queue.session.interrupted;
    let Decoded { chunks, malformed } = decode(&batch.deliveries); // 2
    let (admission, written) = admit_and_store(interrupted, consumer, &chunks, batch.at, &mut watch).await?; // 3, 4
    let stored: Vec<_> = admission.owed.iter().filter(|it| !written.refused.contains(&it.at)).copied().collect();
    let recording = async {
        // An acknowledgement of this batch may be one of all before it.
        let next = turn.come().await?;
        Ok::<_, Halt>((record_and_mark(interrupted, consumer, &stored).await?, next))
    };
    let (campaigns, next) = watch.time(Step::Record, recording).await?; // 5
    let malformed = malformed.into_iter().map(|(at, reason)| (at, Verdict::Dead(reason)));
    let outcomes = outcomes_of(batch.deliveries.len(), malformed.chain(admission.verdicts), &written)?;
    let traceparents = traceparents_of(&batch.deliveries);
    let dead = settle(queue, batch.deliveries, &outcomes).await?; // 6
    next.comes();
    let mut settled = SettledBatch { queue: queue.name.clone(), outcomes, written, campaigns, traceparents, watch };
    if dead.is_empty() {
        consumer.report.batch(&settled); // 7
        return Ok(true);
    }
    // A broker in an alarm takes no dead letter, and the batches behind are not to wait for that.
    let (held, report) = (queue.clone(), consumer.report.clone());
    queue.session.hold(async move {
        if settled.watch.time(Step::Settle, bury(&held, &dead)).await.is_ok() {
            report.batch(&settled); // 7
        }
    });
    Ok(true)
}

/// Steps 3 and 4. A batch that had to wait for MongoDB is admitted again: meanwhile its campaign may be cancelled.
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
        if let Some(written) = watch.time(Step::Store, storing).await? {
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
