//! Retries of what is down, with backoff and jitter, and what the loop knows of the three services.

use crate::config::ConfigurationError;
use crate::describe::describe;
use crate::failure::Failure;
use crate::refusal::refusal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const FIRST_RETRY_MS: f64 = 100.0;
const LONGEST_RETRY_MS: f64 = 10_000.0;
/// undefined_table and undefined_function: the migrations have not run yet.
const LEDGER_MISSING: [&str; 2] = ["42P01", "42883"];

/// Why a loop ends before its work is done.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// The current batch is dropped: the working signal fired, or the channel of the batch is gone.
    #[error("interrupted")]
    Interrupted,
    /// Only at the start: something that cannot heal by waiting.
    #[error(transparent)]
    Refused(#[from] ConfigurationError),
    /// What must not be retried for ever.
    #[error("a bug: {0}")]
    Bug(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unknown,
    Up,
    Lost,
    Down,
    LedgerMissing,
}

/// What the attempts have shown.
struct Seen {
    state: State,
    ever_up: bool,
}

/// One of the three services: whether it is up, as the loop sees it. Logs each change once.
pub struct Service {
    title: &'static str,
    variable: &'static str,
    url: String,
    count_retry: Box<dyn Fn() + Send + Sync>,
    seen: Mutex<Seen>,
}

impl Service {
    /// `variable` is what a refusal names; `count_retry` is called for each failed attempt that is retried.
    pub fn new(
        title: &'static str,
        variable: &'static str,
        url: &str,
        count_retry: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let seen = Mutex::new(Seen { state: State::Unknown, ever_up: false });
        Self { title, variable, url: url.to_owned(), count_retry: Box::new(count_retry), seen }
    }

    /// Whether the last attempt succeeded and no connection was lost since.
    pub fn is_up(&self) -> bool {
        self.seen().state == State::Up
    }

    /// An attempt succeeded.
    pub fn succeeded(&self) {
        let mut seen = self.seen();
        if !matches!(seen.state, State::Up | State::Unknown) {
            tracing::info!("{} is back", self.title);
        }
        *seen = Seen { state: State::Up, ever_up: true };
    }

    /// A connection that was up is gone; the next attempt tells whether the service is down.
    pub fn lost(&self, failure: &Failure) {
        let mut seen = self.seen();
        if seen.state == State::Up {
            seen.state = State::Lost;
            tracing::info!("lost the connection to {}: {}", self.title, describe(failure, &self.url));
        }
    }

    /// An attempt failed. Fails with what must not be retried: a bug, and before the first success a refusal.
    pub fn failed(&self, failure: &Failure) -> Result<(), Halt> {
        if let Failure::Bug(what) = failure {
            return Err(Halt::Bug(what.clone()));
        }
        let mut seen = self.seen();
        if let Some(refused) = refusal(failure).filter(|_| !seen.ever_up) {
            return Err(Halt::Refused(ConfigurationError::new(self.variable, refused)));
        }
        (self.count_retry)();
        let missing = failure.sql_state().is_some_and(|state| LEDGER_MISSING.contains(&state));
        let state = if missing { State::LedgerMissing } else { State::Down };
        if seen.state != state {
            seen.state = state;
            let reason = match missing {
                true => "the tables do not exist yet".to_owned(),
                false => describe(failure, &self.url),
            };
            tracing::error!("waiting for {}: {reason}", self.title);
        }
        Ok(())
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The wait after a number of failures in a row:
///
/// | failures | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 and more |
/// |---|---|---|---|---|---|---|---|---|
/// | ms at most | 100 | 200 | 400 | 800 | 1,600 | 3,200 | 6,400 | 10,000 |
///
/// each shortened by a random part of up to a half, so that consumers do not come back all at once. `random` is in 0..1.
pub fn backoff(failures: u32, random: f64) -> Duration {
    let doubled = FIRST_RETRY_MS * 2_f64.powi(failures.saturating_sub(1).min(30) as i32);
    Duration::from_secs_f64(doubled.min(LONGEST_RETRY_MS) * (1.0 - random / 2.0) / 1_000.0)
}

/// Waits, unless the signal fires.
pub async fn pause(signal: &CancellationToken, wait: Duration) {
    tokio::select! {
        () = signal.cancelled() => {}
        () = tokio::time::sleep(wait) => {}
    }
}

/// What an attempt came to.
#[derive(Debug)]
pub enum Attempt<T> {
    /// What the action returned.
    Up(T),
    /// The service is down.
    Down,
}

/// One attempt. When the service is down, it also waits: when it returns, the next attempt may begin.
pub async fn attempt<T>(
    signal: &CancellationToken,
    service: &Service,
    failures: u32,
    action: impl Future<Output = Result<T, Failure>>,
) -> Result<Attempt<T>, Halt> {
    if signal.is_cancelled() {
        return Err(Halt::Interrupted);
    }
    match action.await {
        Ok(result) => {
            service.succeeded();
            // Also when the signal fired meanwhile: the caller must know what was done.
            return Ok(Attempt::Up(result));
        }
        Err(failure) => service.failed(&failure)?,
    }
    pause(signal, backoff(failures + 1, rand::random())).await;
    if signal.is_cancelled() { Err(Halt::Interrupted) } else { Ok(Attempt::Down) }
}

/// Tries until the service is up. Fails with Interrupted when the signal fires, and with what a retry cannot heal.
pub async fn until_up<T, Action: Future<Output = Result<T, Failure>>>(
    signal: &CancellationToken,
    service: &Service,
    mut action: impl FnMut() -> Action,
) -> Result<T, Halt> {
    for failures in 0.. {
        if let Attempt::Up(result) = attempt(signal, service, failures, action()).await? {
            return Ok(result);
        }
    }
    unreachable!("there is always a further attempt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_ten_seconds_and_is_shortened_by_a_half_at_most() {
        let longest = [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000];
        for (failures, most) in (1..).zip(longest) {
            assert_eq!(backoff(failures, 0.0), Duration::from_millis(most));
            assert_eq!(backoff(failures, 1.0), Duration::from_millis(most) / 2);
        }
        assert_eq!(backoff(u32::MAX, 0.0), Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_failure_is_counted_and_retried_and_a_signal_interrupts() {
        let counted = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let counter = counted.clone();
        let service = Service::new("X", "X_URL", "x://h", move || {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        });
        let signal = CancellationToken::new();
        let mut answers = vec![Ok(7), Err(Failure::TimedOut("it"))];
        let got = until_up(&signal, &service, || std::future::ready(answers.pop().expect("an answer"))).await;
        assert!(matches!(got, Ok(7)) && service.is_up());
        assert_eq!(counted.load(std::sync::atomic::Ordering::Relaxed), 1);
        signal.cancel();
        let got = until_up(&signal, &service, || std::future::ready(Ok(()))).await;
        assert!(matches!(got, Err(Halt::Interrupted)));
    }

    #[test]
    fn a_bug_is_never_retried() {
        let service = Service::new("X", "X_URL", "x://h", || {});
        assert!(matches!(service.failed(&Failure::Bug("b".into())), Err(Halt::Bug(_))));
    }
}
