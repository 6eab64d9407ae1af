//! Two connections to the broker with everything on them.

use crate::config::Config;
use crate::connect::{close_broker, connect_broker};
use crate::dead_letters::DeadLetters;
use crate::decode::Delivery;
use crate::drain::Stop;
use crate::failure::Failure;
use crate::gather::{Gathered, Inbox};
use crate::standby::Standby;
use crate::topology::{Topology, declare};
use crate::until_up::{Halt, Service};
use futures_util::StreamExt;
use futures_util::future::join_all;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer, Event};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// One partition on one channel: where its batches come from and where they are settled.
pub struct Queue {
    /// Its name on the broker.
    pub name: String,
    /// The session that it belongs to.
    pub session: Arc<Session>,
    /// Whether another consumer has it.
    pub standby: Standby,
    /// Deliveries that wait, unacknowledged, for their dead letter. The prefetch bounds them.
    pub held: AtomicUsize,
    channel: Channel,
    inbox: Arc<Inbox>,
}

impl Queue {
    /// Step 1.
    pub async fn gather(&self) -> Gathered {
        self.inbox.gather().await
    }

    /// Acknowledges a delivery, or all up to it on the channel. The broker does not confirm an acknowledgement: if it is
    /// lost, the message is delivered again and step 3 finds it stored. Interrupted when the session is gone.
    pub async fn acknowledge(&self, delivery: &Delivery, multiple: bool) -> Result<(), Halt> {
        let session = &self.session;
        if session.interrupted.is_cancelled() {
            return Err(Halt::Interrupted);
        }
        if let Err(error) = self.channel.basic_ack(delivery.tag, BasicAckOptions { multiple }).await {
            session.end(&error.into());
            // Also when the channel was closed before: what was not acknowledged is not settled.
            return Err(Halt::Interrupted);
        }
        session.acknowledgements.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Two connections to the broker with everything on them: one receives and acknowledges, one is for dead letters. When any
/// part of it breaks, the whole session ends.
pub struct Session {
    /// Names on the broker.
    names: Topology,
    /// The way to the dead-letter exchange.
    pub dead_letters: DeadLetters,
    /// Fires when the current batches are to be dropped: the session is gone, or working is over.
    pub interrupted: CancellationToken,
    /// How many acknowledgements this session has sent.
    pub acknowledgements: AtomicU64,
    receiving: Connection,
    publishing: Connection,
    /// The channels of its queues.
    channels: Mutex<Vec<Channel>>,
    /// What waits for dead letters.
    holding: Mutex<Vec<JoinHandle<()>>>,
    /// Fires when no further batch is to be gathered.
    pub over: CancellationToken,
    stop: Stop,
    service: Arc<Service>,
    gone: AtomicBool,
    closing: AtomicBool,
}

impl Session {
    /// Connects and declares. Fails with what the broker refuses.
    pub async fn open(config: &Config, stop: &Stop, service: &Arc<Service>) -> Result<Arc<Self>, Failure> {
        let names = Topology::new(&config.queue_prefix, config.queue_partitions, config.queue_type)?;
        let receiving = connect_broker(&config.rabbitmq_url).await?;
        let opened = async {
            declare(&receiving, &names).await?;
            let publishing = connect_broker(&config.rabbitmq_url).await?;
            match confirming(&publishing).await {
                Ok(channel) => Ok((publishing, channel)),
                Err(failure) => {
                    close_broker(&publishing, Vec::new()).await;
                    Err(failure)
                }
            }
        };
        let (publishing, confirming) = match opened.await {
            Ok(opened) => opened,
            Err(failure) => {
                close_broker(&receiving, Vec::new()).await;
                return Err(failure);
            }
        };
        let interrupted = stop.working.child_token();
        let frame_max = publishing.configuration().frame_max();
        let session = Arc::new(Self {
            dead_letters: DeadLetters::new(confirming, &names, interrupted.clone(), frame_max),
            names,
            interrupted,
            acknowledgements: AtomicU64::new(0),
            receiving,
            publishing,
            channels: Mutex::default(),
            holding: Mutex::default(),
            over: stop.receiving.child_token(),
            stop: stop.clone(),
            service: service.clone(),
            gone: AtomicBool::new(false),
            closing: AtomicBool::new(false),
        });
        let both: [fn(&Self) -> &Connection; 2] = [|it| &it.receiving, |it| &it.publishing];
        for connection in both {
            tokio::spawn(session.clone().watch(connection));
        }
        Ok(session)
    }

    /// Begins to receive from a partition.
    pub async fn subscribe(self: &Arc<Self>, partition: u16, prefetch: u16) -> Result<Queue, Failure> {
        let name = self.names.queue(partition);
        let channel = self.receiving.create_channel().await?;
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).push(channel.clone());
        channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumer = channel.basic_consume(name.as_str().into(), "".into(), options, arguments).await?;
        let inbox = Arc::new(Inbox::new(prefetch, self.over.clone()));
        let standby = Standby::default();
        tokio::spawn(self.clone().cancel_on_drain(channel.clone(), consumer.tag()));
        tokio::spawn(self.clone().receive(consumer, inbox.clone(), standby.clone()));
        if consumers_of(&channel, &name).await? == 1 {
            standby.end();
        }
        tokio::spawn(self.clone().end_standby(standby.clone(), channel.clone(), name.clone()));
        Ok(Queue { name, session: self.clone(), standby, held: AtomicUsize::new(0), channel, inbox })
    }

    /// Runs work that is not settled yet; only the end of the session waits for it. Interrupted does not count as a failure.
    pub fn hold(&self, work: impl Future<Output = Result<(), Halt>> + Send + 'static) {
        let mut holding = self.holding.lock().unwrap_or_else(PoisonError::into_inner);
        holding.retain(|held| !held.is_finished());
        holding.push(tokio::spawn(async {
            match work.await {
                Ok(()) | Err(Halt::Interrupted) => {}
                Err(halt) => panic!("{halt}"),
            }
        }));
    }

    /// Waits until nothing is held any more, or the session is interrupted.
    pub async fn await_held(&self) {
        let holding = std::mem::take(&mut *self.holding.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::select! {
            () = self.interrupted.cancelled() => {}
            _ = join_all(holding) => {}
        }
    }

    /// Ends the session: the current batches are dropped. Only the first reason counts.
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
        let channels = std::mem::take(&mut *self.channels.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::join!(close_broker(&self.receiving, channels), close_broker(&self.publishing, Vec::new()));
        self.interrupted.cancel();
        self.over.cancel();
    }

    /// Ends the session when a connection of it breaks.
    async fn watch(self: Arc<Self>, connection: fn(&Self) -> &Connection) {
        let mut events = std::pin::pin!(connection(&self).events_listener());
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

    /// Moves deliveries into the inbox. When the stream ends and nobody here asked for that, the session ends.
    async fn receive(self: Arc<Self>, mut consumer: Consumer, inbox: Arc<Inbox>, standby: Standby) {
        while let Some(delivery) = consumer.next().await {
            match delivery {
                Ok(it) => {
                    standby.end();
                    inbox.push(Delivery::new(it.delivery_tag, it.properties, it.data));
                }
                Err(error) => return self.end(&error.into()),
            }
        }
        // As when somebody deletes the queue.
        if !self.stop.receiving.is_cancelled() {
            self.end(&Failure::Gone("the broker cancelled the consumer"));
        }
    }

    async fn end_standby(self: Arc<Self>, standby: Standby, channel: Channel, queue: String) {
        standby.watch(|| consumers_of(&channel, &queue), &self.over).await;
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

async fn confirming(connection: &Connection) -> Result<Channel, Failure> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

async fn consumers_of(channel: &Channel, queue: &str) -> Result<u32, Failure> {
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    Ok(channel.queue_declare(queue.into(), options, FieldTable::default()).await?.consumer_count())
}
