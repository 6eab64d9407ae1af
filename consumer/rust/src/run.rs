//! Session after session.

use crate::consume::{Consumer, consume};
use crate::log::AsJson;
use crate::session::{Queue, Session};
use crate::until_up::{Halt, backoff, pause, until_up};
use futures_util::future::{try_join_all, try_join3};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::task::JoinSet;

/// Batches of one queue under way at a time: while one is stored, the next is gathered and admitted, and its storing begins.
const BATCHES_AT_A_TIME: usize = 2;

/// Consumes until told to stop, session after session. A refusal comes at the start only; later only a bug.
pub async fn run(consumer: Arc<Consumer>) -> Result<(), Halt> {
    let Consumer { stores, services, stop, .. } = &*consumer;
    // Side by side: the wrong password of one service must not wait for another service that is not up yet.
    let (mut session, (), ()) = try_join3(
        open_session(&consumer),
        until_up(&stop.receiving, &services.postgres, || stores.probe_ledger()),
        until_up(&stop.receiving, &services.mongodb, || stores.mongo.prepare_messages()),
    )
    .await?;
    let mut failed_sessions = 0;
    loop {
        consumer.busy.store(true, Ordering::Release);
        consume_session(&consumer, &session).await?;
        consumer.busy.store(false, Ordering::Release);
        if stop.receiving.is_cancelled() {
            return Ok(());
        }
        // A broker that takes the connection and refuses everything after it must not be hammered.
        failed_sessions = if session.acknowledgements.load(Ordering::Relaxed) > 0 { 0 } else { failed_sessions + 1 };
        pause(&stop.receiving, backoff(failed_sessions + 1, rand::random())).await;
        session = open_session(&consumer).await?;
    }
}

async fn open_session(consumer: &Consumer) -> Result<Arc<Session>, Halt> {
    let Consumer { config, services, stop, .. } = consumer;
    let rabbitmq = &services.rabbitmq;
    until_up(&stop.receiving, rabbitmq, || Session::open(config, stop, rabbitmq)).await
}

/// Consumes every partition of one session, until told to stop or the session is gone.
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
    session.await_held().await;
    session.close().await;
    Ok(())
}

async fn subscribe(consumer: &Consumer, session: &Arc<Session>) -> Result<Vec<Arc<Queue>>, Halt> {
    let Consumer { config, services, .. } = consumer;
    let each = config.prefetch_each;
    match try_join_all(config.partitions.iter().map(|partition| session.subscribe(*partition, each))).await {
        Ok(queues) => {
            let queues: Vec<_> = queues.into_iter().map(Arc::new).collect();
            log_receiving(&queues, each);
            Ok(queues)
        }
        Err(failure) => {
            services.rabbitmq.failed(&failure)?;
            session.end(&failure);
            Ok(Vec::new())
        }
    }
}

/// One consumer of each queue receives; the others say that they stand by.
fn log_receiving(queues: &[Arc<Queue>], prefetch_each: u16) {
    let (receiving, standing_by): (Vec<_>, Vec<_>) = queues.iter().partition(|queue| queue.standby.is_over());
    let names = |of: &[&Arc<Queue>]| of.iter().map(|queue| queue.name.clone()).collect::<Vec<String>>();
    if !receiving.is_empty() {
        tracing::info!(queues = %AsJson(&names(&receiving)), prefetch_each, "receiving");
    }
    if !standing_by.is_empty() {
        let queues = names(&standing_by);
        tracing::info!(queues = %AsJson(&queues), prefetch_each, "standing by: another consumer has the queue");
    }
    for queue in standing_by {
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
