//! Step 7, and the metrics of the process; the names stand in consumer/README.md.

use crate::decode::Delivery;
use crate::log::AsJson;
use crate::record::RecordRow;
use crate::settle::Outcome;
use crate::stopwatch::{Step, Stopwatch};
use crate::store::Written;
use lapin::types::AMQPValue;
use prometheus::{Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry, TextEncoder};

const MAX_TRACEPARENTS: usize = 5;
const BATCH_SECONDS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// A settled batch, without its deliveries: it may have waited long for a dead letter.
pub struct SettledBatch {
    /// The queue that it came from.
    pub queue: String,
    /// One for each delivery.
    pub outcomes: Vec<Outcome>,
    /// The result of storing its documents.
    pub written: Written,
    /// The campaigns whose counters moved.
    pub campaigns: Vec<RecordRow>,
    /// The traces that it belongs to.
    pub traceparents: Vec<String>,
    /// How long its steps took.
    pub watch: Stopwatch,
}

/// Logs each settled batch, and counts it in the metrics.
pub struct Report {
    registry: Registry,
    batches: IntCounter,
    deliveries: IntCounter,
    stored: IntCounter,
    repeated: IntCounter,
    let_go: IntCounter,
    dead: IntCounterVec,
    retries: IntCounterVec,
    seconds: Histogram,
}

impl Report {
    /// All at zero. Fails only for a name that is there twice.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let opts = |name: &str, help: &str| Opts::new(format!("disparo_consumer_{name}"), help);
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::with_opts(opts(name, help))?;
            registry.register(Box::new(counter.clone()))?;
            prometheus::Result::Ok(counter)
        };
        let labelled = |name: &str, help: &str, label: &str| {
            let counter = IntCounterVec::new(opts(name, help), &[label])?;
            registry.register(Box::new(counter.clone()))?;
            prometheus::Result::Ok(counter)
        };
        let seconds = HistogramOpts::new("disparo_consumer_batch_seconds", "Gather to settle.");
        let seconds = Histogram::with_opts(seconds.buckets(BATCH_SECONDS.to_vec()))?;
        registry.register(Box::new(seconds.clone()))?;
        let report = Self {
            batches: counter("batches_total", "Batches settled.")?,
            deliveries: counter("deliveries_total", "Deliveries settled.")?,
            stored: counter("messages_stored_total", "Documents written.")?,
            repeated: counter("repeated_total", "Deliveries or documents found already there.")?,
            let_go: counter("let_go_total", "Deliveries of paused, cancelled or deleted campaigns.")?,
            dead: labelled("dead_letters_total", "Dead letters.", "reason")?,
            retries: labelled("store_retries_total", "Attempts that failed because a store was down.", "store")?,
            seconds,
            registry: registry.clone(),
        };
        for store in ["postgres", "mongodb"] {
            report.retries.with_label_values(&[store]).inc_by(0);
        }
        Ok(report)
    }

    /// An attempt failed because this store, `postgres` or `mongodb`, was down.
    pub fn count_retry(&self, store: &str) {
        self.retries.with_label_values(&[store]).inc();
    }

    /// In the Prometheus text format.
    pub fn metrics(&self) -> String {
        let mut text = Vec::new();
        // Writing to memory does not fail.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Step 7. One log line and the metrics; a line of its own for each dead letter and each deleted campaign.
    pub fn batch(&self, settled: &SettledBatch) {
        let SettledBatch { queue, outcomes, written, campaigns, traceparents, watch } = settled;
        let queue = queue.as_str();
        let count = |wanted: &Outcome| outcomes.iter().filter(|outcome| *outcome == wanted).count();
        let repeated = written.repeated + count(&Outcome::Repeated);
        let let_go = count(&Outcome::LetGo);
        let dead = self.dead_letters(queue, outcomes);
        for campaign in campaigns.iter().filter(|campaign| campaign.deleted) {
            let campaign_id = campaign.id.as_str();
            tracing::info!(
                queue,
                campaign_id,
                "the campaign was deleted meanwhile; its documents are marked as deleted"
            );
        }
        tracing::info!(
            queue,
            messages = outcomes.len(),
            stored = written.stored,
            repeated,
            let_go,
            dead,
            campaigns = %AsJson(campaigns),
            gather_ms = watch.ms(Step::Gather),
            admit_ms = watch.ms(Step::Admit),
            store_ms = watch.ms(Step::Store),
            record_ms = watch.ms(Step::Record),
            settle_ms = watch.ms(Step::Settle),
            traceparents = %AsJson(traceparents),
            "batch settled"
        );
        self.batches.inc();
        self.deliveries.inc_by(outcomes.len() as u64);
        self.stored.inc_by(written.stored as u64);
        self.repeated.inc_by(repeated as u64);
        self.let_go.inc_by(let_go as u64);
        self.seconds.observe(watch.seconds());
    }

    /// Logs and counts each dead letter. Returns how many there are.
    fn dead_letters(&self, queue: &str, outcomes: &[Outcome]) -> usize {
        let mut dead = 0;
        for outcome in outcomes {
            let Outcome::DeadLetter(why) = outcome else { continue };
            let (reason, detail) = (why.reason.as_str(), why.detail.as_str());
            match why.reason {
                crate::decode::Reason::RefusedByStore => tracing::error!(queue, reason, detail, "dead letter"),
                _ => tracing::warn!(queue, reason, detail, "dead letter"),
            }
            self.dead.with_label_values(&[reason]).inc();
            dead += 1;
        }
        dead
    }
}

/// Only values that have the form of a traceparent, different ones, five at most: a header may hold anything, even a phone
/// number.
pub fn traceparents_of(deliveries: &[Delivery]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for delivery in deliveries {
        let headers = delivery.properties.headers().as_ref();
        let value = headers.and_then(|headers| headers.inner().get("traceparent"));
        let Some(AMQPValue::LongString(value)) = value else { continue };
        let Ok(text) = std::str::from_utf8(value.as_bytes()) else { continue };
        if is_traceparent(text) && !found.iter().any(|known| known == text) {
            found.push(text.to_owned());
        }
        if found.len() == MAX_TRACEPARENTS {
            break;
        }
    }
    found
}

fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    parts.iter().map(|part| part.len()).eq([2, 32, 16, 2]) && parts.into_iter().all(hex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::BasicProperties;
    use lapin::types::FieldTable;

    fn with_trace(value: &str) -> Delivery {
        let mut headers = FieldTable::default();
        headers.insert("traceparent".into(), AMQPValue::LongString(value.into()));
        Delivery::new(1, BasicProperties::default().with_headers(headers), Vec::new())
    }

    #[test]
    fn traceparents_are_five_at_most_different_and_nothing_else() {
        let trace = |n: usize| format!("00-{n:032x}-b7ad6b7169203331-01");
        let mut deliveries = vec![with_trace("+5511900000001"), with_trace(&trace(0)), with_trace(&trace(0))];
        assert_eq!(traceparents_of(&deliveries), [trace(0)]);
        deliveries.extend((1..9).map(|n| with_trace(&trace(n))));
        assert_eq!(traceparents_of(&deliveries), (0..5).map(trace).collect::<Vec<_>>());
    }

    #[test]
    fn the_metrics_have_the_names_of_the_page() {
        let report = Report::new().expect("metrics");
        report.count_retry("mongodb");
        report.dead.with_label_values(&["not_json"]).inc();
        let text = report.metrics();
        for line in [
            "# TYPE disparo_consumer_batches_total counter",
            "disparo_consumer_deliveries_total 0",
            "disparo_consumer_messages_stored_total 0",
            "disparo_consumer_repeated_total 0",
            "disparo_consumer_let_go_total 0",
            "disparo_consumer_dead_letters_total{reason=\"not_json\"} 1",
            "disparo_consumer_store_retries_total{store=\"postgres\"} 0",
            "disparo_consumer_store_retries_total{store=\"mongodb\"} 1",
            "# TYPE disparo_consumer_batch_seconds histogram",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in {text}");
        }
    }
}
