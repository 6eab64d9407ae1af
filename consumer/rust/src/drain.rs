//! How this process is told to stop.

use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long the current batches may take after the first signal.
const GRACE: Duration = Duration::from_secs(20);

/// Two signals, fired in this order.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Stop receiving; finish the current batches.
    pub receiving: CancellationToken,
    /// Drop the current batches: they are delivered again.
    pub working: CancellationToken,
}

/// SIGTERM or SIGINT fires `receiving`. The end of the grace time, or a second signal, fires `working` and then calls
/// `forced`.
pub fn stop_on_signals(forced: impl FnOnce() + Send + 'static) -> std::io::Result<Stop> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = Stop::default();
    let fired = stop.clone();
    tokio::spawn(async move {
        either_signal(&mut terminate, &mut interrupt).await;
        fired.receiving.cancel();
        let _ = tokio::time::timeout(GRACE, either_signal(&mut terminate, &mut interrupt)).await;
        fired.working.cancel();
        forced();
    });
    Ok(stop)
}

async fn either_signal(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
