//! Step 6: what each delivery gets. Nothing else in the loop touches the channel.

use crate::admit::Verdict;
use crate::decode::{DeadReason, Delivery, Reason};
use crate::session::Queue;
use crate::store::Written;
use crate::until_up::Halt;
use futures_util::future::try_join_all;
use std::sync::atomic::Ordering;

/// What a delivery gets, and as what it is counted.
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

/// What a delivery gets, from what the steps 2 to 4 saw of it. Pure.
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
        Verdict::Owed if refused => {
            let detail = "/ must match the validator of the collection";
            Outcome::DeadLetter(DeadReason::new(Reason::RefusedByStore, detail))
        }
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
    for (at, verdict) in verdicts {
        outcomes[at] = Some(outcome_of(verdict, written.refused.contains(&at)));
    }
    // To acknowledge what no step has judged would lose it.
    outcomes.into_iter().collect::<Option<_>>().ok_or_else(|| Halt::Bug("a delivery without a verdict".to_owned()))
}

/// The acknowledgements of a batch, by places in it: one of all up to the first number, and of each of the others alone.
///
/// The one is of the last delivery before the first that is held for its dead letter; behind that each stands alone, as an
/// acknowledgement of all before would be one of what is held, too. `held`: a delivery of an earlier batch is. Pure.
pub fn acknowledgements_of(outcomes: &[Outcome], mut held: bool) -> (Option<usize>, Vec<usize>) {
    let (mut up_to, mut alone) = (None, Vec::new());
    for (at, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Outcome::DeadLetter(_) => held = true,
            _ if held => alone.push(at),
            _ => up_to = Some(at),
        }
    }
    (up_to, alone)
}

/// Step 6. Acknowledges what is stored, repeated or let go. Answers the deliveries that are held for their dead letters.
/// Interrupted when the session broke.
pub async fn settle(
    queue: &Queue,
    deliveries: Vec<Delivery>,
    outcomes: &[Outcome],
) -> Result<Vec<(Delivery, DeadReason)>, Halt> {
    let (up_to, alone) = acknowledgements_of(outcomes, queue.held.load(Ordering::Acquire) > 0);
    if let Some(at) = up_to {
        acknowledge(queue, &deliveries[at], true).await?;
    }
    for at in alone {
        acknowledge(queue, &deliveries[at], false).await?;
    }
    if queue.session.interrupted.is_cancelled() {
        return Err(Halt::Interrupted);
    }
    let dead: Vec<_> = deliveries
        .into_iter()
        .zip(outcomes)
        .filter_map(|(delivery, outcome)| match outcome {
            Outcome::DeadLetter(reason) => Some((delivery, reason.clone())),
            _ => None,
        })
        .collect();
    queue.held.fetch_add(dead.len(), Ordering::AcqRel);
    Ok(dead)
}

/// Publishes dead letters until the broker has them all, and acknowledges each delivery, alone, when its letter is confirmed.
/// Interrupted when the session broke.
pub async fn bury(queue: &Queue, dead: &[(Delivery, DeadReason)]) -> Result<(), Halt> {
    let session = &queue.session;
    let burying = dead.iter().map(async |(delivery, reason)| {
        let published = session.dead_letters.publish(&session.interrupted, delivery, reason, &queue.name).await?;
        if let Err(failure) = published {
            session.end(&failure);
            return Err(Halt::Interrupted);
        }
        acknowledge(queue, delivery, false).await?;
        queue.held.fetch_sub(1, Ordering::AcqRel);
        Ok(())
    });
    try_join_all(burying).await.map(drop)
}

/// An acknowledgement has no answer. If it is lost, the delivery comes again and step 3 finds it stored.
async fn acknowledge(queue: &Queue, delivery: &Delivery, multiple: bool) -> Result<(), Halt> {
    let session = &queue.session;
    if session.interrupted.is_cancelled() {
        return Err(Halt::Interrupted);
    }
    if let Err(failure) = queue.acknowledge(delivery, multiple).await {
        session.end(&failure);
        // Also when somebody closed it before: what was not acknowledged is not settled.
        return Err(Halt::Interrupted);
    }
    session.settled.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
