//! The clients of the three services.

use crate::config::{Config, ConfigurationError};
use crate::failure::Failure;
use crate::ledger::{ADMIT_SQL, RECORD_STORED_SQL};
use crate::messages::{MESSAGES, declare_messages};
use crate::mongo_url;
use crate::pool::{Parameter, Pool};
use crate::postgres_url;
use crate::refusal::unusable_url;
use crate::tls;
use futures_util::future::join_all;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use mongodb::bson::doc;
use mongodb::bson::raw::RawDocumentBuf;
use mongodb::options::{ClientOptions, ConnectionString, Tls};
use mongodb::{Client, Collection, Database};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_postgres::types::Type;
use url::{Host, Url};

const APP_NAME: &str = "disparo-consumer";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A store whose answer takes longer counts as down: the batch is retried.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const BROKER_TIMEOUT: Duration = Duration::from_secs(10);
const BROKER_CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
const HEARTBEAT_S: u16 = 30;
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);

/// The two stores. Nothing is connected before the first statement.
pub struct Stores {
    /// The ledger.
    pub postgres: Pool,
    /// The documents.
    pub mongo: Mongo,
}

/// MongoDB. Its client is made at the first use: a `mongodb+srv://` asks the name service, and that may be down.
pub struct Mongo {
    url: ConnectionString,
    database: String,
    client: OnceCell<Client>,
}

/// Makes the clients. Fails for a URL that its driver cannot read, without the driver's words: they may quote a part of
/// the password.
pub fn open_stores(config: &Config) -> Result<Stores, ConfigurationError> {
    let unusable = |variable| ConfigurationError::new(variable, unusable_url());
    let (mut postgres, tls) = postgres_url::parse(&config.database_url).ok_or_else(|| unusable("DATABASE_URL"))?;
    postgres.application_name(APP_NAME).connect_timeout(CONNECT_TIMEOUT);
    postgres.keepalives(true).keepalives_idle(KEEPALIVE_IDLE);
    let mongo = mongo_url::parse(&config.mongodb_url).ok_or_else(|| unusable("MONGODB_URL"))?;
    broker_url(&config.rabbitmq_url).ok_or_else(|| unusable("RABBITMQ_URL"))?;
    Ok(Stores {
        postgres: Pool::new(postgres, tls),
        mongo: Mongo { url: mongo.0, database: mongo.1, client: OnceCell::new() },
    })
}

impl Stores {
    /// The first success of PostgreSQL: it answers, and the ledger is there. No row is touched.
    pub async fn probe_ledger(&self) -> Result<(), Failure> {
        let (ids, sequences): (&[&str], &[i32]) = (&[], &[]);
        let parameters: [Parameter; 2] = [(&ids, Type::TEXT_ARRAY), (&sequences, Type::INT4_ARRAY)];
        self.postgres.query(ADMIT_SQL, &parameters, ANSWER_TIMEOUT).await?;
        self.postgres.query(RECORD_STORED_SQL, &parameters, ANSWER_TIMEOUT).await?;
        Ok(())
    }

    /// Closes what is connected.
    pub async fn close(&self) {
        let mongo = async {
            if let Some(client) = self.mongo.client.get() {
                client.clone().shutdown().await;
            }
        };
        tokio::join!(self.postgres.close(), mongo);
    }
}

impl Mongo {
    /// The first success of MongoDB: it answers, and the collection has its validator.
    pub async fn prepare_messages(&self) -> Result<(), Failure> {
        in_time(async { declare_messages(&self.database().await?).await }).await
    }

    /// The collection of all messages.
    pub async fn messages(&self) -> Result<Collection<RawDocumentBuf>, Failure> {
        Ok(self.database().await?.collection(MESSAGES))
    }

    /// Whether it answers.
    pub async fn ping(&self) -> Result<(), Failure> {
        self.database().await?.run_command(doc! { "ping": 1 }).await?;
        Ok(())
    }

    async fn database(&self) -> Result<Database, Failure> {
        let client = self.client.get_or_try_init(|| async {
            let mut options = ClientOptions::parse(self.url.clone()).await?;
            options.app_name = Some(APP_NAME.to_owned());
            options.server_selection_timeout = Some(CONNECT_TIMEOUT);
            options.connect_timeout = Some(CONNECT_TIMEOUT);
            trust_system(&mut options);
            Client::with_options(options)
        });
        Ok(client.await?.database(&self.database))
    }
}

/// The driver knows only its own root certificates; an operator can add to those of the system.
fn trust_system(options: &mut ClientOptions) {
    if let Some(Tls::Enabled(tls)) = options.tls.as_mut()
        && tls.ca_file_path.is_none()
    {
        tls.ca_file_path = tls::roots_file();
    }
}

/// Fails when an answer of MongoDB takes too long; the driver has no time-out of its own for that.
pub async fn in_time<T>(answer: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    timeout(ANSWER_TIMEOUT, answer).await.map_err(|_| Failure::TimedOut("an answer of MongoDB"))?
}

/// A connection to the broker. lapin's own recovery stays off.
pub async fn connect_broker(url: &str) -> Result<Connection, Failure> {
    let uri = broker_url(url).ok_or_else(|| Failure::Bug("RABBITMQ_URL cannot be read".to_owned()))?;
    let properties = ConnectionProperties::default().with_connection_name(APP_NAME.into());
    timeout(BROKER_TIMEOUT, Connection::connect_uri(uri, properties))
        .await
        .map_err(|_| Failure::TimedOut("connecting to RabbitMQ"))?
        .map_err(Failure::from)
}

/// Never fails. A broker that does not answer must not hold up the next connection, or the end of the process.
pub async fn close_broker(connection: &Connection, channels: Vec<Channel>) {
    let closing = async {
        // Channels first: the close of the connection may overtake the acknowledgement that a channel still holds.
        join_all(channels.iter().map(|channel| channel.close(200, "closed".into()))).await;
        connection.close(200, "closed".into()).await
    };
    let _ = timeout(BROKER_CLOSE_TIMEOUT, closing).await;
}

/// A broker's URL as the TypeScript consumer's driver reads it.
fn broker_url(url: &str) -> Option<AMQPUri> {
    let mut uri: AMQPUri = url.parse().ok()?;
    let parts = Url::parse(url).ok()?;
    if uri.vhost.is_empty() {
        uri.vhost = "/".to_owned();
    }
    if !parts.username().is_empty() && parts.password().is_none() {
        uri.authority.userinfo.password = String::new();
    }
    // lapin would take localhost for an IPv6 address.
    if let Some(Host::Ipv6(address)) = parts.host() {
        uri.authority.host = address.to_string();
    }
    // What an operator wrote into the URL wins.
    uri.query.heartbeat = uri.query.heartbeat.or(Some(HEARTBEAT_S));
    Some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brokers_url_has_what_every_language_reads_in_it() {
        let of = |url| broker_url(url).expect("a URL");
        for (url, vhost) in [("amqp://h", "/"), ("amqp://h/", "/"), ("amqp://h/%2f", "/"), ("amqps://h/v", "v")] {
            assert_eq!(of(url).vhost, vhost, "{url}");
        }
        assert_eq!(of("amqp://u:p%40@[::1]:1").authority.host, "::1");
        assert_eq!(of("amqp://127.0.0.1:1").authority.host, "127.0.0.1");
        assert_eq!(of("amqp://u:p%40@h").authority.userinfo.password, "p@");
        assert_eq!((of("amqp://h").query.heartbeat, of("amqp://h?heartbeat=5").query.heartbeat), (Some(30), Some(5)));
    }
}
