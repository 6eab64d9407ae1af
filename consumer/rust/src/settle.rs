//! Step 6: what each delivery gets. Nothing else in the loop touches the channel.

use crate::admit::Verdict;
use crate::decode::{DeadReason, Delivery, Reason};
use crate::failure::Failure;
use crate::gather::Batch;
use crate::session::{Queue, Session};
use crate::store::Written;
use crate::until_up::Halt;
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use lapin::protocol::basic::gen_properties;
use lapin::types::{AMQPValue, FieldTable, LongString};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::timeout;

const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);
const PERSISTENT: u8 = 2;
/// Of a frame with properties: 7 bytes before it and 1 after it, the class, the weight and the size of the body.
const FRAME_OVERHEAD: usize = 20;

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

/// Step 6. Dead letters, confirmed, then one acknowledgement for the batch. Interrupted when the session broke.
pub async fn settle(queue: &Queue, batch: &Batch, outcomes: &[Outcome]) -> Result<(), Halt> {
    let Some(last) = batch.deliveries.last() else { return Ok(()) };
    let session = &queue.session;
    if session.interrupted.is_cancelled() {
        return Err(Halt::Interrupted);
    }
    let settled = async {
        publish_dead_letters(session, &queue.name, batch, outcomes).await?;
        // An acknowledgement has no answer. If it is lost, the deliveries come again and step 3 finds them stored.
        if session.interrupted.is_cancelled() { Ok(()) } else { queue.acknowledge_up_to(last).await }
    };
    if let Err(failure) = settled.await {
        session.end(&failure);
        // Also when somebody closed it before: what was not acknowledged is not settled.
        return Err(Halt::Interrupted);
    }
    if session.interrupted.is_cancelled() {
        return Err(Halt::Interrupted);
    }
    session.settled.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

async fn publish_dead_letters(
    session: &Session,
    source_queue: &str,
    batch: &Batch,
    outcomes: &[Outcome],
) -> Result<(), Failure> {
    let exchange = session.names.dead_letter_exchange();
    let confirmed = async {
        let mut confirms = Vec::new();
        for (delivery, outcome) in batch.deliveries.iter().zip(outcomes) {
            let Outcome::DeadLetter(reason) = outcome else { continue };
            let properties = as_it_came(delivery, reason, source_queue, session.frame_max());
            let options = BasicPublishOptions::default();
            let exchange = exchange.as_str().into();
            confirms.push(
                session.dead_letters.basic_publish(exchange, "".into(), options, &delivery.body, properties).await?,
            );
        }
        for confirm in confirms {
            if confirm.await?.is_nack() {
                return Err(Failure::Gone("the broker did not take a dead letter"));
            }
        }
        Ok(())
    };
    let late = Failure::Gone("a dead letter was not confirmed in time");
    timeout(CONFIRM_TIMEOUT, confirmed).await.map_err(|_| late)?
}

/// The properties of the message, persistent. Two are left out, as the broker acts upon them: `expiration` would make the
/// dead letter vanish, and another user's `user-id` makes the broker close the channel, batch after batch.
fn as_it_came(delivery: &Delivery, reason: &DeadReason, source_queue: &str, frame_max: u32) -> BasicProperties {
    let headers = delivery.properties.headers().clone().unwrap_or_default();
    let properties = with_reason(delivery, headers, reason, source_queue);
    if fits(&properties, frame_max) {
        return properties;
    }
    // The broker would close the connection for a frame above its limit, and such a message must not come again for ever.
    let mut headers = FieldTable::default();
    headers.insert("headers_dropped".into(), AMQPValue::Boolean(true));
    with_reason(delivery, headers, reason, source_queue)
}

/// Whether the frame with the properties keeps to the broker's limit: it is the one that is never split.
fn fits(properties: &BasicProperties, frame_max: u32) -> bool {
    let written = gen_properties(properties)(Vec::new().into());
    written.is_ok_and(|written| written.write.len() + FRAME_OVERHEAD <= frame_max as usize)
}

fn with_reason(
    delivery: &Delivery,
    mut headers: FieldTable,
    reason: &DeadReason,
    source_queue: &str,
) -> BasicProperties {
    let came = &delivery.properties;
    for (name, value) in
        [("reason", reason.reason.as_str()), ("detail", &reason.detail), ("source_queue", source_queue)]
    {
        headers.insert(name.into(), AMQPValue::LongString(LongString::from(value)));
    }
    let mut properties = BasicProperties::default().with_delivery_mode(PERSISTENT).with_headers(headers);
    macro_rules! keep {
        ($($get:ident $with:ident),*) => {
            $(if let Some(value) = came.$get().clone() { properties = properties.$with(value); })*
        };
    }
    keep!(
        content_type with_content_type, content_encoding with_content_encoding, priority with_priority,
        correlation_id with_correlation_id, reply_to with_reply_to, message_id with_message_id,
        timestamp with_timestamp, kind with_type, app_id with_app_id
    );
    properties
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
