//! The names and the declarations on the broker, from `topology.json`: the app that starts first on an empty broker creates
//! them, so they are identical in every app.

use crate::failure::Failure;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, Connection, ExchangeKind};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The words that `QUEUE_TYPE` may have.
pub const QUEUE_TYPES: [&str; 2] = ["classic", "quorum"];

const TEMPLATE: &str = include_str!("../../contract/topology.json");

#[derive(Debug, Deserialize)]
struct Template {
    exchange: Exchange,
    queue: Queue,
    dead_letter: DeadLetter,
    /// What every queue has in addition to its own arguments, by the word in `QUEUE_TYPE`.
    queue_types: BTreeMap<String, Arguments>,
}

type Arguments = BTreeMap<String, Argument>;

#[derive(Debug, Deserialize)]
struct DeadLetter {
    exchange: Exchange,
    queue: Queue,
}

#[derive(Debug, Deserialize)]
struct Exchange {
    name: String,
    r#type: String,
    durable: bool,
}

#[derive(Debug, Deserialize)]
struct Queue {
    name: String,
    routing_key: String,
    durable: bool,
    arguments: Arguments,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Argument {
    Flag(bool),
    Number(i64),
    Text(String),
}

/// The topology for one prefix.
#[derive(Debug)]
pub struct Topology {
    template: Template,
    prefix: String,
    partitions: u16,
    /// What a queue of this type has in addition to its own arguments.
    of_type: Arguments,
}

impl Topology {
    /// For a prefix, a number of partitions and one of `QUEUE_TYPES`; without a type the vhost's default decides.
    pub fn new(prefix: &str, partitions: u16, queue_type: Option<&str>) -> Result<Self, Failure> {
        let mut template: Template =
            serde_json::from_str(TEMPLATE).map_err(|error| Failure::Bug(format!("topology.json: {error}")))?;
        let of_type = queue_type.and_then(|word| template.queue_types.remove(word)).unwrap_or_default();
        Ok(Self { template, prefix: prefix.to_owned(), partitions, of_type })
    }

    /// Where chunks are published.
    pub fn campaign_exchange(&self) -> String {
        self.fill(&self.template.exchange.name, None)
    }

    /// Where dead letters are published.
    pub fn dead_letter_exchange(&self) -> String {
        self.fill(&self.template.dead_letter.exchange.name, None)
    }

    /// The queue of a partition.
    pub fn queue(&self, partition: u16) -> String {
        self.fill(&self.template.queue.name, Some(partition))
    }

    /// Declares exchanges, queues and bindings. Idempotent. When one exists with other arguments, or a queue with another
    /// type, the broker refuses with 406 and closes the channel.
    pub async fn declare(&self, channel: &Channel) -> Result<(), Failure> {
        let dead = &self.template.dead_letter;
        self.declare_exchange(channel, &dead.exchange).await?;
        self.declare_queue(channel, &dead.queue, &dead.exchange, None).await?;
        self.declare_exchange(channel, &self.template.exchange).await?;
        for partition in 0..self.partitions {
            self.declare_queue(channel, &self.template.queue, &self.template.exchange, Some(partition)).await?;
        }
        Ok(())
    }

    async fn declare_exchange(&self, channel: &Channel, exchange: &Exchange) -> Result<(), Failure> {
        let kind = match exchange.r#type.as_str() {
            "direct" => ExchangeKind::Direct,
            "fanout" => ExchangeKind::Fanout,
            "topic" => ExchangeKind::Topic,
            other => ExchangeKind::Custom(other.to_owned()),
        };
        let options = ExchangeDeclareOptions { durable: exchange.durable, ..Default::default() };
        let name = self.fill(&exchange.name, None);
        Ok(channel.exchange_declare(name.into(), kind, options, FieldTable::default()).await?)
    }

    async fn declare_queue(
        &self,
        channel: &Channel,
        queue: &Queue,
        exchange: &Exchange,
        partition: Option<u16>,
    ) -> Result<(), Failure> {
        let name = self.fill(&queue.name, partition);
        let mut arguments = FieldTable::default();
        for (key, value) in queue.arguments.iter().chain(&self.of_type) {
            let value = match value {
                Argument::Flag(flag) => AMQPValue::Boolean(*flag),
                Argument::Number(number) => AMQPValue::LongLongInt(*number),
                Argument::Text(text) => AMQPValue::LongString(LongString::from(self.fill(text, partition))),
            };
            arguments.insert(key.as_str().into(), value);
        }
        let options = QueueDeclareOptions { durable: queue.durable, ..Default::default() };
        channel.queue_declare(name.as_str().into(), options, arguments).await?;
        let (exchange, key) = (self.fill(&exchange.name, None), self.fill(&queue.routing_key, partition));
        let options = QueueBindOptions::default();
        Ok(channel.queue_bind(name.into(), exchange.into(), key.into(), options, FieldTable::default()).await?)
    }

    fn fill(&self, text: &str, partition: Option<u16>) -> String {
        let partition = partition.map(|partition| partition.to_string()).unwrap_or_default();
        text.replacen("{partition}", &partition, 1).replacen("{prefix}", &self.prefix, 1)
    }
}

/// Declares on a channel of its own: a refusal closes that channel.
pub async fn declare(connection: &Connection, names: &Topology) -> Result<(), Failure> {
    let declaring = connection.create_channel().await?;
    names.declare(&declaring).await?;
    Ok(declaring.close(200, "declared".into()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_contract() {
        let topology = Topology::new("a.b", 2, None).expect("the contract");
        assert_eq!(topology.dead_letter_exchange(), "a.b.dead");
        assert_eq!(topology.queue(1), "a.b.campaigns.1");
        assert_eq!(topology.campaign_exchange(), "a.b.campaigns");
        assert!(matches!(topology.template.queue.arguments["x-single-active-consumer"], Argument::Flag(true)));
        assert!(topology.of_type.is_empty());
    }

    #[test]
    fn the_queue_types_are_those_of_the_contract() {
        let template: Template = serde_json::from_str(TEMPLATE).expect("the contract");
        assert_eq!(template.queue_types.into_keys().collect::<Vec<_>>(), QUEUE_TYPES);
        let topology = Topology::new("a", 1, Some("quorum")).expect("the contract");
        assert!(matches!(topology.of_type["x-delivery-limit"], Argument::Number(1_000_000_000)));
    }
}
