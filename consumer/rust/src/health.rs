//! `GET /health` and `GET /metrics`.

use crate::config::ConfigurationError;
use crate::connect::Stores;
use crate::consume::Services;
use crate::failure::Failure;
use crate::report::Report;
use axum::Router;
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::timeout;

const PING_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Up,
    Down,
}

#[derive(Debug, Serialize)]
struct Health {
    status: Word,
    postgres: Word,
    mongodb: Word,
    rabbitmq: Word,
}

/// Serves on this port, on all interfaces. Fails when the port cannot be opened.
pub async fn serve_health(
    port: u16,
    stores: Arc<Stores>,
    services: Arc<Services>,
    report: Arc<Report>,
) -> Result<(), ConfigurationError> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await.map_err(|error| {
        let in_use = error.kind() == ErrorKind::AddrInUse;
        let problem = if in_use { format!("port {port} is in use") } else { error.to_string() };
        ConfigurationError::new("METRICS_PORT", problem)
    })?;
    let answer = move |method: Method, uri: Uri| {
        let (stores, services, report) = (stores.clone(), services.clone(), report.clone());
        async move { answer(&method, uri.path(), &stores, &services, &report).await }
    };
    tokio::spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });
    Ok(())
}

async fn answer(method: &Method, path: &str, stores: &Stores, services: &Services, report: &Report) -> Response {
    match (method, path) {
        (&Method::GET, "/metrics") => {
            ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], report.metrics()).into_response()
        }
        (&Method::GET, "/health") => {
            let health = check_health(stores, services).await;
            let up = health.status == Word::Up;
            let code = if up { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let body = serde_json::to_string(&health).unwrap_or_default();
            (code, [(CONTENT_TYPE, "application/json")], body).into_response()
        }
        (&Method::GET, _) => StatusCode::NOT_FOUND.into_response(),
        _ => (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET")]).into_response(),
    }
}

/// What the loop knows, and a ping of each store: an idle loop does not notice that a store went away.
async fn check_health(stores: &Stores, services: &Services) -> Health {
    let select_1 = async { stores.postgres.query("SELECT 1", &[], PING_TIMEOUT).await.map(drop) };
    let (postgres, mongodb) = tokio::join!(
        answers(services.postgres.is_up(), select_1),
        answers(services.mongodb.is_up(), stores.mongo.ping()),
    );
    let rabbitmq = services.rabbitmq.is_up();
    let word = |up: bool| if up { Word::Up } else { Word::Down };
    Health {
        status: word(postgres && mongodb && rabbitmq),
        postgres: word(postgres),
        mongodb: word(mongodb),
        rabbitmq: word(rabbitmq),
    }
}

/// A store that the loop saw down counts as down without a ping: the loop tries it again by itself.
async fn answers(is_up: bool, ping: impl Future<Output = Result<(), Failure>>) -> bool {
    is_up && timeout(PING_TIMEOUT, ping).await.is_ok_and(|answer| answer.is_ok())
}
