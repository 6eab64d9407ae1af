//! Step 1: deliveries that are buffered together become a batch.

use crate::decode::Delivery;
use crate::turn::Turn;
use crate::until_up::pause;
use mongodb::bson::DateTime;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Numbers of one batch, at most, unless a single delivery brings more.
const MAX_BATCH_NUMBERS: usize = 10_000;
/// How long a batch that is not full waits for more, once.
const LINGER: Duration = Duration::from_millis(2);

/// Deliveries that were buffered together, in the order of the queue.
#[derive(Debug)]
pub struct Batch {
    /// At least one.
    pub deliveries: Vec<Delivery>,
    /// When the first of them was there: idle time is no part of a batch.
    pub since: Instant,
    /// When it was made.
    pub gathered_at: DateTime,
    /// Its place among the batches of the queue.
    pub turn: Turn,
}

/// What there is to consume.
#[derive(Debug)]
pub enum Gathered {
    /// A batch.
    Batch(Batch),
    /// No further batch.
    Over,
}

/// The deliveries of one queue that were fetched and not gathered yet.
pub struct Inbox {
    deliveries: Mutex<VecDeque<Delivery>>,
    arrived: Notify,
    prefetch: usize,
    over: CancellationToken,
    /// Held while gathering: the first caller gets the batch that is first in the queue.
    turn: tokio::sync::Mutex<Turn>,
}

impl Inbox {
    /// At most `prefetch` deliveries make a batch. `over` fires when no further batch is to be gathered.
    pub fn new(prefetch: u16, over: CancellationToken) -> Self {
        let (prefetch, turn) = (prefetch.into(), tokio::sync::Mutex::new(Turn::first()));
        Self { deliveries: Mutex::default(), arrived: Notify::new(), prefetch, over, turn }
    }

    /// Adds a delivery that has come.
    pub fn push(&self, delivery: Delivery) {
        self.deliveries().push_back(delivery);
        self.arrived.notify_one();
    }

    /// Step 1. Waits for at least one delivery. Over when no further batch is to be gathered; what is fetched then goes back
    /// to the queue.
    pub async fn gather(&self) -> Gathered {
        let mut turn = self.turn.lock().await;
        while self.deliveries().is_empty() {
            tokio::select! {
                () = self.over.cancelled() => return Gathered::Over,
                () = self.arrived.notified() => {}
            }
        }
        let since = Instant::now();
        if !self.is_full() {
            pause(&self.over, LINGER).await;
        }
        if self.over.is_cancelled() {
            return Gathered::Over;
        }
        let next = turn.next();
        let turn = std::mem::replace(&mut *turn, next);
        let mut deliveries = self.deliveries();
        let fitting = self.fitting(&deliveries);
        let deliveries = deliveries.drain(..fitting).collect();
        Gathered::Batch(Batch { deliveries, since, gathered_at: DateTime::now(), turn })
    }

    fn is_full(&self) -> bool {
        let deliveries = self.deliveries();
        deliveries.len() >= self.prefetch || self.fitting(&deliveries) < deliveries.len()
    }

    /// How many deliveries from the front make a batch. One that would exceed the limit of numbers waits for the next batch.
    fn fitting(&self, deliveries: &VecDeque<Delivery>) -> usize {
        let mut numbers = 0;
        let most = deliveries.len().min(self.prefetch);
        for (count, delivery) in deliveries.iter().take(most).enumerate() {
            numbers += delivery.numbers();
            if numbers > MAX_BATCH_NUMBERS {
                return count.max(1);
            }
        }
        most
    }

    fn deliveries(&self) -> MutexGuard<'_, VecDeque<Delivery>> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Chunk;
    use crate::until_up::Halt;

    fn delivery(tag: u64, size: usize) -> Delivery {
        let mut delivery = Delivery::new(tag, Default::default(), Vec::new());
        if size > 0 {
            delivery.decoded = Ok(Chunk {
                campaign_id: "camp".into(),
                company_id: "comp".into(),
                message: "Oi".into(),
                first_sequence: 1,
                phone_numbers: vec![String::new(); size],
            });
        }
        delivery
    }

    async fn gathered(inbox: &Inbox) -> Batch {
        match inbox.gather().await {
            Gathered::Batch(batch) => batch,
            Gathered::Over => panic!("it is over"),
        }
    }

    async fn batches(prefetch: u16, sizes: &[usize]) -> Vec<Vec<u64>> {
        let inbox = Inbox::new(prefetch, CancellationToken::new());
        for (tag, size) in (1..).zip(sizes) {
            inbox.push(delivery(tag, *size));
        }
        let mut found = Vec::new();
        while !inbox.deliveries().is_empty() {
            let batch = gathered(&inbox).await;
            found.push(batch.deliveries.iter().map(|delivery| delivery.tag).collect());
        }
        found
    }

    #[tokio::test]
    async fn a_batch_is_limited_by_the_prefetch_and_by_the_numbers() {
        assert_eq!(batches(2, &[1, 1, 1]).await, [vec![1, 2], vec![3]]);
        assert_eq!(batches(9, &[5_000, 5_000, 1]).await, [vec![1, 2], vec![3]]);
        assert_eq!(batches(9, &[4_000, 5_000, 1_001, 0]).await, [vec![1, 2], vec![3, 4]]);
        // What is malformed brings no numbers, and still counts as a delivery.
        assert_eq!(batches(3, &[0, 0, 0, 0]).await, [vec![1, 2, 3], vec![4]]);
        assert_eq!(batches(9, &[20_000, 1]).await, [vec![1], vec![2]]);
    }

    #[tokio::test]
    async fn what_comes_while_it_waits_for_more_belongs_to_it() {
        let inbox = Inbox::new(9, CancellationToken::new());
        let push = async {
            inbox.push(delivery(1, 1));
            tokio::task::yield_now().await;
            inbox.push(delivery(2, 1));
        };
        let (batch, ()) = tokio::join!(gathered(&inbox), push);
        assert_eq!(batch.deliveries.len(), 2);
    }

    #[tokio::test]
    async fn a_batch_is_settled_after_the_one_before_and_never_when_that_was_dropped() {
        let inbox = Inbox::new(1, CancellationToken::new());
        for tag in 1..=4 {
            inbox.push(delivery(tag, 1));
        }
        let mut turns = Vec::new();
        for tag in 1..=4 {
            let batch = gathered(&inbox).await;
            assert_eq!(batch.deliveries[0].tag, tag);
            turns.push(batch.turn);
        }
        let session = CancellationToken::new();
        let [first, second, third, fourth] = turns.try_into().expect("four turns");
        first.wait(&session).await.expect("nothing is before the first");
        {
            let mut waiting = Box::pin(second.wait(&session));
            assert!(futures_util::poll!(&mut waiting).is_pending());
            first.pass();
            waiting.await.expect("the first is settled");
        }
        drop(second);
        assert!(futures_util::poll!(Box::pin(third.wait(&session))).is_pending());
        session.cancel();
        assert!(matches!(third.wait(&session).await, Err(Halt::Interrupted)));
        assert!(matches!(fourth.wait(&session).await, Err(Halt::Interrupted)));
    }

    #[tokio::test]
    async fn when_it_is_over_nothing_is_gathered() {
        let over = CancellationToken::new();
        let inbox = Inbox::new(9, over.clone());
        let (batch, ()) = tokio::join!(inbox.gather(), async { over.cancel() });
        assert!(matches!(batch, Gathered::Over));
        inbox.push(delivery(1, 1));
        assert!(matches!(inbox.gather().await, Gathered::Over));
    }
}
