//! Order: one thing after the other.

use crate::until_up::Halt;
use tokio_util::sync::CancellationToken;

/// A place in a row, like that of a batch in its queue: each batch is settled after the one before.
#[derive(Debug)]
pub struct Turn {
    before: CancellationToken,
    passed: CancellationToken,
}

impl Turn {
    /// The first in its row; it waits for no other.
    pub fn first() -> Self {
        let before = CancellationToken::new();
        before.cancel();
        Self { before, passed: CancellationToken::new() }
    }

    /// The place behind this one.
    pub fn next(&self) -> Self {
        Self { before: self.passed.clone(), passed: CancellationToken::new() }
    }

    /// Waits until the one before has passed. One that was dropped never passes. Interrupted when the signal fires.
    pub async fn wait(&self, signal: &CancellationToken) -> Result<(), Halt> {
        tokio::select! {
            biased;
            () = signal.cancelled() => Err(Halt::Interrupted),
            () = self.before.cancelled() => Ok(()),
        }
    }

    /// It is done: the one behind may go on.
    pub fn pass(&self) {
        self.passed.cancel();
    }
}
