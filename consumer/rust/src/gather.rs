//! Step 1: deliveries that are at hand together become a batch.

use crate::decode::Delivery;
use crate::until_up::Halt;
use mongodb::bson::DateTime;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

/// Numbers of one batch, at most, unless a single delivery brings more.
const MAX_BATCH_NUMBERS: usize = 10_000;
/// How long a batch that is not full waits for more, once.
const LINGER: Duration = Duration::from_millis(2);

/// Deliveries that were at hand together, in the order of the queue.
#[derive(Debug)]
pub struct Batch {
    /// At least one.
    pub deliveries: Vec<Delivery>,
    /// When the first of them was at hand: idle time is no part of a batch.
    pub since: Instant,
    /// When it was gathered.
    pub at: DateTime,
}

/// What there is to consume.
#[derive(Debug)]
pub enum Gathered {
    /// A batch.
    Batch(Batch, Turn),
    /// No further batch.
    Over,
}

/// A batch's place in the order in which those of a queue are settled.
#[derive(Debug)]
pub struct Turn {
    before: oneshot::Receiver<()>,
    settled: oneshot::Sender<()>,
}

impl Turn {
    /// Waits until the batch before is settled. Fails when that one was dropped. Answers the turn of the batch behind.
    pub async fn come(self) -> Result<NextTurn, Halt> {
        self.before.await.map_err(|_| Halt::Interrupted)?;
        Ok(NextTurn(self.settled))
    }
}

/// The turn of the batch behind. Dropped, that batch is dropped, too.
#[derive(Debug)]
pub struct NextTurn(oneshot::Sender<()>);

impl NextTurn {
    /// It has come: the batch at hand is settled.
    pub fn comes(self) {
        let _ = self.0.send(());
    }
}

/// What was fetched and not yet gathered, on one channel.
pub struct Waiting {
    deliveries: Mutex<VecDeque<Delivery>>,
    arrived: Notify,
    prefetch: usize,
    over: CancellationToken,
    /// Held by who gathers: who asks first gets the batch that is first in the queue. Fires when the last one is settled.
    last: tokio::sync::Mutex<oneshot::Receiver<()>>,
}

impl Waiting {
    /// At most `prefetch` deliveries make a batch. `over` fires when no more is to be gathered here.
    pub fn new(prefetch: u16, over: CancellationToken) -> Self {
        let (settled, last) = oneshot::channel();
        let _ = settled.send(());
        let (prefetch, last) = (prefetch.into(), tokio::sync::Mutex::new(last));
        Self { deliveries: Mutex::default(), arrived: Notify::new(), prefetch, over, last }
    }

    /// One more is at hand.
    pub fn push(&self, delivery: Delivery) {
        self.deliveries().push_back(delivery);
        self.arrived.notify_one();
    }

    /// Step 1. Waits for at least one delivery. Over when no further batch is to be gathered; what is fetched then goes back to the
    /// queue.
    pub async fn gather(&self) -> Gathered {
        let mut last = self.last.lock().await;
        while self.deliveries().is_empty() {
            tokio::select! {
                () = self.over.cancelled() => return Gathered::Over,
                () = self.arrived.notified() => {}
            }
        }
        let since = Instant::now();
        if !self.over.is_cancelled() && !self.is_full() {
            tokio::time::sleep(LINGER).await;
        }
        if self.over.is_cancelled() {
            return Gathered::Over;
        }
        let mut deliveries = self.deliveries();
        let fitting = self.fitting(&deliveries);
        let (settled, next) = oneshot::channel();
        let turn = Turn { before: std::mem::replace(&mut *last, next), settled };
        let batch = Batch { deliveries: deliveries.drain(..fitting).collect(), since, at: DateTime::now() };
        Gathered::Batch(batch, turn)
    }

    fn is_full(&self) -> bool {
        let deliveries = self.deliveries();
        deliveries.len() >= self.prefetch || self.fitting(&deliveries) < deliveries.len()
    }

    /// How many from the front make a batch: one that goes over the numbers waits for the next.
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

    async fn gathered(waiting: &Waiting) -> (Batch, Turn) {
        match waiting.gather().await {
            Gathered::Batch(batch, turn) => (batch, turn),
            Gathered::Over => panic!("it is over"),
        }
    }

    async fn batches(prefetch: u16, sizes: &[usize]) -> Vec<Vec<u64>> {
        let waiting = Waiting::new(prefetch, CancellationToken::new());
        for (tag, size) in (1..).zip(sizes) {
            waiting.push(delivery(tag, *size));
        }
        let mut found = Vec::new();
        while !waiting.deliveries().is_empty() {
            let (batch, _) = gathered(&waiting).await;
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
        let waiting = Waiting::new(9, CancellationToken::new());
        let push = async {
            waiting.push(delivery(1, 1));
            tokio::task::yield_now().await;
            waiting.push(delivery(2, 1));
        };
        let (batch, ()) = tokio::join!(gathered(&waiting), push);
        assert_eq!(batch.0.deliveries.len(), 2);
    }

    #[tokio::test]
    async fn a_batch_is_settled_after_the_one_before_and_never_when_that_was_dropped() {
        let waiting = Waiting::new(1, CancellationToken::new());
        for tag in 1..=4 {
            waiting.push(delivery(tag, 1));
        }
        let mut turns = Vec::new();
        for tag in 1..=4 {
            let (batch, turn) = gathered(&waiting).await;
            assert_eq!(batch.deliveries[0].tag, tag);
            turns.push(turn);
        }
        let [first, second, third, fourth] = turns.try_into().expect("four turns");
        let next = first.come().await.expect("nothing is before the first");
        let mut second = Box::pin(second.come());
        assert!(futures_util::poll!(&mut second).is_pending());
        next.comes();
        drop(second.await.expect("the first is settled"));
        assert!(matches!(third.come().await, Err(Halt::Interrupted)));
        assert!(matches!(fourth.come().await, Err(Halt::Interrupted)));
    }

    #[tokio::test]
    async fn when_it_is_over_nothing_is_gathered() {
        let over = CancellationToken::new();
        let waiting = Waiting::new(9, over.clone());
        let (batch, ()) = tokio::join!(waiting.gather(), async { over.cancel() });
        assert!(matches!(batch, Gathered::Over));
        waiting.push(delivery(1, 1));
        assert!(matches!(waiting.gather().await, Gathered::Over));
    }
}
