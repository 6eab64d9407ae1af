//! Which consumer of a queue is the active one.

use crate::failure::Failure;
use crate::until_up::pause;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often a consumer that stands by asks whether it is alone.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Whether another consumer has the queue, and this one stands by. The broker does not say which is the active one: a
/// delivery proves it, and so does a queue that has no other consumer.
#[derive(Debug, Clone, Default)]
pub struct Standby(CancellationToken);

impl Standby {
    /// Whether this consumer is the active one.
    pub fn is_over(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until it is.
    pub async fn over(&self) {
        self.0.cancelled().await;
    }

    /// This consumer is the active one; only the first time counts.
    pub fn end(&self) {
        self.0.cancel();
    }

    /// Asks how many consumers the queue has until this is the only one, or the session is over.
    pub async fn watch<Asking: Future<Output = Result<u32, Failure>>>(
        &self,
        consumers: impl Fn() -> Asking,
        session: &CancellationToken,
    ) {
        while !self.is_over() && !session.is_cancelled() {
            // A channel that breaks ends the session, which says so.
            let Ok(count) = consumers().await else { return };
            if count == 1 {
                return self.end();
            }
            pause(session, ASK_EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_over_when_there_is_no_other_consumer_and_not_before() {
        let (standby, session) = (Standby::default(), CancellationToken::new());
        standby.watch(|| async { Err(Failure::Gone("the channel")) }, &session).await;
        assert!(!standby.is_over());
        standby.watch(|| async { Ok(1) }, &session).await;
        assert!(standby.is_over());
        let (standby, gone) = (Standby::default(), session.clone());
        let two = || async {
            gone.cancel();
            Ok(2)
        };
        standby.watch(two, &session).await;
        assert!(!standby.is_over());
    }
}
