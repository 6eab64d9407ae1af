//! The campaign consumer of Disparo in Rust. What it does stands in consumer/README.md, step by step.

mod admit;
mod config;
mod connect;
mod consume;
mod dead_letters;
mod decode;
mod describe;
mod drain;
mod environment;
mod failure;
mod gather;
mod health;
mod json;
mod ledger;
mod log;
mod messages;
mod mongo_url;
mod percent;
mod pool;
mod postgres_url;
mod record;
mod refusal;
mod report;
mod run;
mod session;
mod settle;
mod standby;
mod stopwatch;
mod store;
mod tls;
mod topology;
mod turn;
mod until_up;
mod url_options;

use config::{Config, ConfigurationError, exit, read_config};
use connect::open_stores;
use consume::{Consumer, Services};
use drain::stop_on_signals;
use environment::{Environment, find_root, read_environment};
use health::serve_health;
use report::Report;
use run::run;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;
use until_up::{Halt, Service};

/// A store that does not answer must not hold up the end of the process.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() {
    let default_hook = std::panic::take_hook();
    // A loop that died alone would leave its queue unread, and nobody would know.
    std::panic::set_hook(Box::new(move |panic| {
        default_hook(panic);
        std::process::exit(exit::BUG);
    }));
    let Err(error) = consumer().await else { std::process::exit(exit::DRAINED) };
    let refused = error.downcast_ref::<ConfigurationError>();
    eprintln!("{}", refused.map_or_else(|| format!("{error:?}"), ToString::to_string));
    std::process::exit(if refused.is_some() { exit::CONFIGURATION } else { exit::BUG });
}

async fn consumer() -> anyhow::Result<()> {
    tls::install_provider();
    let config = read_config(&environment()?)?;
    log::start(config.log_level);
    let stop = stop_on_signals(|| {
        tracing::warn!("forced to stop; unfinished messages are delivered again");
        std::process::exit(exit::FORCED);
    })?;
    let stores = Arc::new(open_stores(&config)?);
    let report = Arc::new(Report::new()?);
    let services = Arc::new(services_of(&config, &report));
    if let Some(port) = config.metrics_port {
        serve_health(port, stores.clone(), services.clone(), report.clone()).await?;
    }
    let (receiving, busy) = (stop.receiving.clone(), AtomicBool::new(false));
    let consumer = Arc::new(Consumer { config, stores: stores.clone(), services, report, stop, busy });
    let mut running = tokio::spawn(run(consumer.clone()));
    // While it only connects there is nothing to finish, so that attempt is not waited for.
    let ended = tokio::select! {
        ended = &mut running => Some(ended?),
        () = receiving.cancelled() => None,
    };
    let ended = match ended {
        None if consumer.busy.load(Ordering::Acquire) => Some(running.await?),
        ended => ended,
    };
    match ended {
        None | Some(Ok(()) | Err(Halt::Interrupted)) => {}
        Some(Err(Halt::Refused(refused))) => return Err(refused.into()),
        Some(Err(bug)) => return Err(bug.into()),
    }
    let _ = timeout(CLOSE_TIMEOUT, stores.close()).await;
    tracing::info!("drained");
    Ok(())
}

fn environment() -> std::io::Result<Environment> {
    let process =
        std::env::vars_os().filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    let root = std::env::current_dir().ok().and_then(|here| find_root(&here));
    read_environment(process, root.as_deref())
}

fn services_of(config: &Config, report: &Arc<Report>) -> Services {
    let counting = |store: &'static str| {
        let report = report.clone();
        move || report.count_retry(store)
    };
    let Config { database_url, mongodb_url, rabbitmq_url, .. } = config;
    Services {
        postgres: Service::new("PostgreSQL", "DATABASE_URL", database_url, counting("postgres")),
        mongodb: Service::new("MongoDB", "MONGODB_URL", mongodb_url, counting("mongodb")),
        rabbitmq: Arc::new(Service::new("RabbitMQ", "RABBITMQ_URL", rabbitmq_url, || {})),
    }
}
