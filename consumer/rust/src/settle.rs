//! Step 6: what each delivery gets. Nothing else in the loop touches the channel.

use crate::admit::Verdict;
use crate::dead_letters::DeadLetter;
use crate::decode::{DeadReason, Delivery, Reason};
use crate::session::Queue;
use crate::store::Written;
use crate::until_up::Halt;
use futures_util::future::try_join_all;
use std::sync::atomic::Ordering;

/// What a delivery gets, and what it is counted as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged; its numbers are stored now.
    Stored,
    /// Acknowledged; it was there already.
    Repeated,
    /// Acknowledged; its campaign is paused, cancelled or deleted.
    LetGo,
    /// The dead-letter exchange, confirmed, and then acknowledged.
    DeadLetter(DeadReason),
}

/// What a delivery gets, from what steps 2 to 4 saw of it. Pure.
///
/// | seen in | verdict | refused in 4 | gets | as |
/// |---|---|---|---|---|
/// | 2, 3 | a reason | - | dead letter | that reason |
/// | 3 | let go | - | acknowledged | let go |
/// | 3 | repeated | - | acknowledged | repeated |
/// | 4 | owed | yes | dead letter | refused_by_store |
/// | 5 | owed | no | acknowledged | stored |
pub fn outcome_of(verdict: Verdict, refused: bool) -> Outcome {
    match verdict {
        Verdict::Dead(reason) => Outcome::DeadLetter(reason),
        Verdict::LetGo => Outcome::LetGo,
        Verdict::Repeated => Outcome::Repeated,
        Verdict::Owed if refused => Outcome::DeadLetter(DeadReason::new(Reason::RefusedByStore, "mongodb 121")),
        Verdict::Owed => Outcome::Stored,
    }
}

/// The outcome of each delivery of a batch of that length, in the order of the queue.
pub fn outcomes_of(
    deliveries: usize,
    verdicts: impl IntoIterator<Item = (usize, Verdict)>,
    written: &Written,
) -> Result<Vec<Outcome>, Halt> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; deliveries];
    for (delivery, verdict) in verdicts {
        outcomes[delivery] = Some(outcome_of(verdict, written.refused.contains(&delivery)));
    }
    // Acknowledging a delivery that no step has judged would lose it.
    outcomes.into_iter().collect::<Option<_>>().ok_or_else(|| Halt::Bug("a delivery without a verdict".to_owned()))
}

/// An acknowledgement: of one delivery, or of all up to it on its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The place of the delivery in the batch.
    pub delivery: usize,
    /// Whether all before it on its channel are acknowledged, too.
    pub multiple: bool,
}

/// The acknowledgements of a batch. One, `multiple`, is of the last delivery before the first that is held for its dead
/// letter. Each one behind that is acknowledged alone: `multiple` would acknowledge what is held, too. Pure.
///
/// `held`: a delivery of an earlier batch is still held.
pub fn acknowledgements_of(outcomes: &[Outcome], mut held: bool) -> Vec<Acknowledgement> {
    let (mut last, mut alone) = (None, Vec::new());
    for (delivery, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Outcome::DeadLetter(_) => held = true,
            _ if held => alone.push(Acknowledgement { delivery, multiple: false }),
            _ => last = Some(Acknowledgement { delivery, multiple: true }),
        }
    }
    last.into_iter().chain(alone).collect()
}

/// Step 6. Acknowledges what is stored, repeated or let go. Returns what is held until its dead letter is confirmed.
/// Interrupted when the session broke.
pub async fn settle(queue: &Queue, deliveries: Vec<Delivery>, outcomes: &[Outcome]) -> Result<Vec<DeadLetter>, Halt> {
    for Acknowledgement { delivery, multiple } in acknowledgements_of(outcomes, queue.held.load(Ordering::Acquire) > 0)
    {
        queue.acknowledge(&deliveries[delivery], multiple).await?;
    }
    if queue.session.interrupted.is_cancelled() {
        return Err(Halt::Interrupted);
    }
    let both = deliveries.into_iter().zip(outcomes);
    let dead: Vec<_> = both
        .filter_map(|(delivery, outcome)| match outcome {
            Outcome::DeadLetter(reason) => Some(DeadLetter { delivery, reason: reason.clone() }),
            _ => None,
        })
        .collect();
    queue.held.fetch_add(dead.len(), Ordering::AcqRel);
    Ok(dead)
}

/// Publishes dead letters, in their order, until the broker has them all. Acknowledges each delivery alone, when its dead
/// letter is confirmed. Interrupted when the session broke.
pub async fn publish_dead(queue: &Queue, dead: &[DeadLetter]) -> Result<(), Halt> {
    try_join_all(dead.iter().map(|dead_letter| publish_one_dead(queue, dead_letter))).await.map(drop)
}

async fn publish_one_dead(queue: &Queue, dead_letter: &DeadLetter) -> Result<(), Halt> {
    if let Err(failure) = queue.session.dead_letters.publish(dead_letter, &queue.name).await? {
        queue.session.end(&failure);
        return Err(Halt::Interrupted);
    }
    queue.acknowledge(&dead_letter.delivery, false).await?;
    queue.held.fetch_sub(1, Ordering::AcqRel);
    Ok(())
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
