//! A few connections to PostgreSQL, each made when a statement needs one and none is idle.

use crate::failure::Failure;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Enough for the two batches of a queue and for health; further queues wait.
const CONNECTIONS: usize = 4;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A statement's parameter and its type: the types are given, so that a statement is one round trip.
pub type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// The connections.
pub struct Pool {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

/// A client, and the task that moves its bytes: when that ends, the client is closed and is not used again.
struct Connection {
    client: Client,
    task: JoinHandle<()>,
}

impl Pool {
    /// Nothing is connected before the first statement. Without `tls` the connections are plain text.
    pub fn new(config: Config, tls: Option<MakeRustlsConnect>) -> Self {
        Self { config, tls, idle: Mutex::default(), permits: Semaphore::new(CONNECTIONS) }
    }

    /// The rows of one statement. A connection that does not answer in time is given up.
    pub async fn query(&self, sql: &str, parameters: &[Parameter<'_>], wait: Duration) -> Result<Vec<Row>, Failure> {
        let permit = timeout(CONNECT_TIMEOUT, self.permits.acquire()).await;
        let _permit = permit
            .map_err(|_| Failure::TimedOut("waiting for a free connection to PostgreSQL"))?
            .map_err(|_| Failure::Gone("the pool is closed"))?;
        let connection = match self.take_idle() {
            Some(connection) => connection,
            None => timeout(CONNECT_TIMEOUT, self.connect())
                .await
                .map_err(|_| Failure::TimedOut("connecting to PostgreSQL"))??,
        };
        let Ok(result) = timeout(wait, connection.client.query_typed(sql, parameters)).await else {
            connection.task.abort();
            return Err(Failure::TimedOut("a statement on PostgreSQL"));
        };
        if !connection.client.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        Ok(result?)
    }

    /// Closes every idle connection in an orderly way.
    pub async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for Connection { client, task } in idle {
            drop(client);
            let _ = task.await;
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.client.is_closed() && !connection.task.is_finished());
        idle.pop()
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let (client, task) = match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                (client, tokio::spawn(async { drop(connection.await) }))
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                (client, tokio::spawn(async { drop(connection.await) }))
            }
        };
        Ok(Connection { client, task })
    }
}
