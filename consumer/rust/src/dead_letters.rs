//! The way to the dead-letter exchange.

use crate::decode::{DeadReason, Delivery};
use crate::failure::Failure;
use crate::topology::Topology;
use crate::until_up::{Halt, backoff};
use futures_util::future::{BoxFuture, FutureExt, Shared};
use lapin::options::BasicPublishOptions;
use lapin::protocol::basic::gen_properties;
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{BasicProperties, Channel};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// After this long without a confirm, one warning says that dead letters wait.
const SLOW_CONFIRM: Duration = Duration::from_secs(10);
/// No queue is bound to it: what is published there is confirmed and dropped.
const QUESTION_KEY: &str = "does-the-broker-take-messages";
/// It has one byte: a broker in an alarm lets the header of a message pass, and stops at its body.
const QUESTION: &[u8] = b"?";
const PERSISTENT: u8 = 2;
/// What a frame with properties has in addition to them: 7 bytes before it and 1 after it, the class, the weight, the size
/// of the body.
const FRAME_OVERHEAD: usize = 20;

type Answer = Shared<BoxFuture<'static, Result<bool, lapin::Error>>>;

/// A delivery that becomes a dead letter, and why.
#[derive(Debug)]
pub struct DeadLetter {
    /// As it came.
    pub delivery: Delivery,
    /// What its headers say.
    pub reason: DeadReason,
}

/// The way to the dead-letter exchange, on a connection of its own: a broker in an alarm blocks a connection that publishes,
/// and nothing could be acknowledged on it any more.
///
/// A dead letter goes out only after the broker has confirmed a question that no queue gets. In an alarm the question waits
/// in the socket, not the dead letter. So a process that ends meanwhile leaves no copy of a message that is delivered again.
pub struct DeadLetters {
    channel: Channel,
    exchange: String,
    dead_letter_exchange: String,
    /// Fires when the session is gone: nothing more is published, as the messages are delivered again.
    interrupted: CancellationToken,
    /// The size of a frame, at most, as it was agreed with the broker.
    frame_max: u32,
    answer: Mutex<Option<Answer>>,
    logged_waiting: AtomicBool,
}

impl DeadLetters {
    /// On a channel that confirms.
    pub fn new(channel: Channel, names: &Topology, interrupted: CancellationToken, frame_max: u32) -> Self {
        let (exchange, dead_letter_exchange) = (names.campaign_exchange(), names.dead_letter_exchange());
        let (answer, logged_waiting) = (Mutex::default(), AtomicBool::new(false));
        Self { channel, exchange, dead_letter_exchange, interrupted, frame_max, answer, logged_waiting }
    }

    /// Returns when the broker has it, however long that takes. Interrupted when the session is gone before.
    pub async fn publish(&self, dead_letter: &DeadLetter, source_queue: &str) -> Result<Result<(), Failure>, Halt> {
        tokio::select! {
            () = self.interrupted.cancelled() => Err(Halt::Interrupted),
            published = self.until_taken(dead_letter, source_queue) => Ok(published),
        }
    }

    async fn until_taken(&self, dead_letter: &DeadLetter, source_queue: &str) -> Result<(), Failure> {
        let DeadLetter { delivery, reason } = dead_letter;
        let properties = as_it_came(delivery, reason, source_queue, self.frame_max);
        let mut publishing = std::pin::pin!(async {
            for failures in 1.. {
                if self.publish_once(&properties, &delivery.body).await? {
                    break;
                }
                tokio::time::sleep(backoff(failures, rand::random())).await;
            }
            Ok::<_, Failure>(())
        });
        match timeout(SLOW_CONFIRM, &mut publishing).await {
            Ok(published) => published?,
            Err(_) => {
                self.log_waiting();
                publishing.await?;
            }
        }
        self.log_accepted();
        Ok(())
    }

    /// False when the broker refused it or its question, as it does when a queue is full: it is not there, and is published
    /// again.
    async fn publish_once(&self, properties: &BasicProperties, body: &[u8]) -> Result<bool, Failure> {
        let taken = self.ask().await?;
        Ok(taken && confirmed(&self.channel, &self.dead_letter_exchange, "", body, properties.clone()).await?)
    }

    /// The answer to the question that is under way, or to a new one.
    fn ask(&self) -> Answer {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = answer.as_ref().filter(|asked| asked.peek().is_none()) {
            return asked.clone();
        }
        let (channel, exchange) = (self.channel.clone(), self.exchange.clone());
        let asking =
            async move { confirmed(&channel, &exchange, QUESTION_KEY, QUESTION, BasicProperties::default()).await };
        answer.insert(asking.boxed().shared()).clone()
    }

    fn log_waiting(&self) {
        if !self.logged_waiting.swap(true, Ordering::AcqRel) {
            tracing::warn!("RabbitMQ does not accept dead letters; they wait, and everything else continues");
        }
    }

    fn log_accepted(&self) {
        if self.logged_waiting.swap(false, Ordering::AcqRel) {
            tracing::info!("RabbitMQ accepts dead letters again");
        }
    }
}

async fn confirmed(
    channel: &Channel,
    exchange: &str,
    key: &str,
    body: &[u8],
    properties: BasicProperties,
) -> Result<bool, lapin::Error> {
    let options = BasicPublishOptions::default();
    let confirm = channel.basic_publish(exchange.into(), key.into(), options, body, properties).await?;
    Ok(!confirm.await?.is_nack())
}

/// The properties of the message, persistent. Two are left out, because the broker acts on them: `expiration` would make the
/// dead letter vanish, and another user's `user-id` makes the broker close the channel, batch after batch.
fn as_it_came(delivery: &Delivery, reason: &DeadReason, source_queue: &str, frame_max: u32) -> BasicProperties {
    let headers = delivery.properties.headers().clone().unwrap_or_default();
    let properties = with_reason(delivery, headers, reason, source_queue);
    if fits(&properties, frame_max) {
        return properties;
    }
    // The broker would close the connection for a frame above its limit, and would deliver the message again for ever.
    let mut headers = FieldTable::default();
    headers.insert("headers_dropped".into(), AMQPValue::Boolean(true));
    with_reason(delivery, headers, reason, source_queue)
}

/// Whether the frame with the properties keeps to the broker's limit. That frame is never split.
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
#[path = "dead_letters_tests.rs"]
mod tests;
