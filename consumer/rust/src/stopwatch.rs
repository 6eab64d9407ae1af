//! The time of each step of one batch.

use std::time::Instant;

/// The steps that are timed.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub enum Step {
    Gather,
    Admit,
    Store,
    Record,
    Settle,
}

/// A step that was repeated counts with all its attempts and waits.
#[derive(Debug)]
pub struct Stopwatch {
    since: Instant,
    ms: [f64; 5],
}

impl Stopwatch {
    /// Begins when the first delivery was there; the time until now is the gathering.
    pub fn new(since: Instant) -> Self {
        let mut watch = Self { since, ms: [0.0; 5] };
        watch.add(Step::Gather, since);
        watch
    }

    /// Runs a step, and adds its time.
    pub async fn time<T>(&mut self, step: Step, action: impl Future<Output = T>) -> T {
        let begin = Instant::now();
        let result = action.await;
        self.add(step, begin);
        result
    }

    /// To a tenth of a millisecond.
    pub fn ms(&self, step: Step) -> f64 {
        (self.ms[step as usize] * 10.0).round() / 10.0
    }

    /// Seconds since the first delivery was there.
    pub fn seconds(&self) -> f64 {
        self.since.elapsed().as_secs_f64()
    }

    fn add(&mut self, step: Step, begin: Instant) {
        self.ms[step as usize] += begin.elapsed().as_secs_f64() * 1_000.0;
    }
}
