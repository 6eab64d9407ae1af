//! One connection to the broker with all that hangs on it.

use crate::config::Config;
use crate::connect::connect_broker;
use crate::decode::Delivery;
use crate::drain::Stop;
use crate::failure::Failure;
use crate::gather::{Batch, Turn, Waiting};
use crate::topology::Topology;
use crate::until_up::Service;
use futures_util::StreamExt;
use futures_util::future::join_all;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer, Event};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A broker that does not answer must not hold up the next connection, or the end of the process.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// One partition on one channel: where its batches come from and where they are settled.
pub struct Queue {
    /// Its name on the broker.
    pub name: String,
    /// What it hangs on.
    pub session: Arc<Session>,
    channel: Channel,
    waiting: Arc<Waiting>,
}

impl Queue {
    /// Step 1.
    pub async fn gather(&self) -> Option<(Batch, Turn)> {
        self.waiting.gather().await
    }

    /// Acknowledges this delivery and all before it on the channel that they came from.
    pub async fn acknowledge_up_to(&self, delivery: &Delivery) -> Result<(), Failure> {
        Ok(self.channel.basic_ack(delivery.tag, BasicAckOptions { multiple: true }).await?)
    }
}

/// The connection, and a channel for dead letters. Whatever breaks of it ends the whole of it.
pub struct Session {
    /// Names on the broker.
    pub names: Topology,
    /// The channel for dead letters; it confirms.
    pub dead_letters: Channel,
    /// Fires when a batch at hand is to be dropped: the session is gone, or working is over.
    pub interrupted: CancellationToken,
    /// Batches settled here.
    pub settled: AtomicU64,
    connection: Connection,
    /// The channels of its queues.
    channels: Mutex<Vec<Channel>>,
    /// Fires when no further batch is to be gathered.
    over: CancellationToken,
    stop: Stop,
    service: Arc<Service>,
    gone: AtomicBool,
    closing: AtomicBool,
}

impl Session {
    /// Connects and declares. Fails with what the broker refuses.
    pub async fn open(config: &Config, stop: &Stop, service: &Arc<Service>) -> Result<Arc<Self>, Failure> {
        let names = Topology::new(&config.queue_prefix, config.queue_partitions)?;
        let connection = connect_broker(&config.rabbitmq_url).await?;
        let dead_letters = match declare(&connection, &names).await {
            Ok(channel) => channel,
            Err(failure) => {
                close_quietly(&connection, Vec::new()).await;
                return Err(failure);
            }
        };
        let session = Arc::new(Self {
            names,
            dead_letters,
            interrupted: stop.working.child_token(),
            settled: AtomicU64::new(0),
            connection,
            channels: Mutex::default(),
            over: stop.receiving.child_token(),
            stop: stop.clone(),
            service: service.clone(),
            gone: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        });
        tokio::spawn(session.clone().watch());
        Ok(session)
    }

    /// Begins to receive from a partition.
    pub async fn subscribe(self: &Arc<Self>, partition: u16, prefetch: u16) -> Result<Queue, Failure> {
        let name = self.names.queue(partition);
        let channel = self.connection.create_channel().await?;
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).push(channel.clone());
        channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumer = channel.basic_consume(name.as_str().into(), "".into(), options, arguments).await?;
        let waiting = Arc::new(Waiting::new(prefetch, self.over.clone()));
        tokio::spawn(self.clone().cancel_on_drain(channel.clone(), consumer.tag()));
        tokio::spawn(self.clone().receive(consumer, waiting.clone()));
        Ok(Queue { name, session: self.clone(), channel, waiting })
    }

    /// The size of a frame, at most, as it was agreed with the broker.
    pub fn frame_max(&self) -> u32 {
        self.connection.configuration().frame_max()
    }

    /// The session is over: what is at hand is dropped. Only the first reason counts.
    pub fn end(&self, failure: &Failure) {
        if self.closing.load(Ordering::Acquire) || self.gone.swap(true, Ordering::AcqRel) {
            return;
        }
        self.service.lost(failure);
        self.interrupted.cancel();
        self.over.cancel();
    }

    /// Closes what is left of it; what was fetched and not acknowledged goes back to the queue.
    pub async fn close(&self) {
        self.closing.store(true, Ordering::Release);
        let mut channels = std::mem::take(&mut *self.channels.lock().unwrap_or_else(PoisonError::into_inner));
        channels.push(self.dead_letters.clone());
        close_quietly(&self.connection, channels).await;
        self.interrupted.cancel();
        self.over.cancel();
    }

    /// Ends the session when the connection breaks.
    async fn watch(self: Arc<Self>) {
        let mut events = std::pin::pin!(self.connection.events_listener());
        loop {
            tokio::select! {
                () = self.interrupted.cancelled() => return,
                event = events.next() => match event {
                    Some(Event::Error(error)) => return self.end(&error.into()),
                    Some(_) => {}
                    None => return,
                },
            }
        }
    }

    /// Moves what comes to where it waits. The end of the stream that nobody here asked for ends the session.
    async fn receive(self: Arc<Self>, mut consumer: Consumer, waiting: Arc<Waiting>) {
        while let Some(delivery) = consumer.next().await {
            match delivery {
                Ok(it) => waiting.push(Delivery::new(it.delivery_tag, it.properties, it.data)),
                Err(error) => return self.end(&error.into()),
            }
        }
        // As when somebody deletes the queue.
        if !self.stop.receiving.is_cancelled() {
            self.end(&Failure::Gone("the broker cancelled the consumer"));
        }
    }

    async fn cancel_on_drain(self: Arc<Self>, channel: Channel, tag: lapin::types::ShortString) {
        tokio::select! {
            () = self.interrupted.cancelled() => {}
            () = self.stop.receiving.cancelled() => {
                let _ = channel.basic_cancel(tag, BasicCancelOptions::default()).await;
            }
        }
    }
}

/// Declares on a channel of its own, as a refusal closes it. Answers the channel for dead letters.
async fn declare(connection: &Connection, names: &Topology) -> Result<Channel, Failure> {
    let declaring = connection.create_channel().await?;
    names.declare(&declaring).await?;
    declaring.close(200, "declared".into()).await?;
    let dead_letters = connection.create_channel().await?;
    dead_letters.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(dead_letters)
}

/// Channels first: the close of a connection may overtake the acknowledgement that a channel still holds.
async fn close_quietly(connection: &Connection, channels: Vec<Channel>) {
    let closing = async {
        join_all(channels.iter().map(|channel| channel.close(200, "closed".into()))).await;
        connection.close(200, "closed".into()).await
    };
    let _ = timeout(CLOSE_TIMEOUT, closing).await;
}
