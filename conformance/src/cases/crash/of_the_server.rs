//! Rounds of one story: several devices write and sync at once, and in the middle of it the server is killed. When it runs again,
//! what it acknowledged is there, what it did not acknowledge is sent again, and all devices agree.
//!
//! Where a server has several parts and others stand in for one that dies, the same holds at once, whether or not it comes back.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, Either, FutureExt as _, JoinAll, join_all, select};
use longshore_core::{
    Change, Client, Document, Error, ErrorKind, MemoryReplica, Result as Called, StoreOptions, SyncReport,
};

use crate::case::Rule;
use crate::cases::oracle::{self, Documents};
use crate::context::Context;
use crate::dice::{Dice, noise};
use crate::harness::Killable;
use crate::verdict::{Failure, ensure};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
/// Where all of the server dies, devices of these wait for it.
const FEW: usize = 3;
/// How often a device tries to sync once the server runs again: the first calls may still meet a connection of before.
const TRIES: usize = 5;
/// Of so many rounds one writes what needs a segment.
const BULK: usize = 3;
/// Bytes of that, which no compression makes less.
const LARGE: usize = 700_000;
/// How long the server stays dead at the most while devices still wait for it: what lies behind a gateway that lives hangs when it
/// dies, and its clients are patient. They go on over its death, and need not give up first.
const DEAD: Duration = Duration::from_secs(1);

/// All devices' syncs of a round.
type Syncs = Pin<Box<JoinAll<BoxFuture<'static, Called<SyncReport>>>>>;

struct Story {
    cx: Context,
    server: Arc<dyn Killable>,
    dice: Dice,
    devices: Vec<Device>,
    expected: Documents,
    /// How many calls it takes when nobody kills.
    calls: u64,
    writes: usize,
}

#[derive(Debug)]
struct Device {
    name: &'static str,
    replica: MemoryReplica,
    client: Arc<Client>,
}

pub(super) async fn of_the_server(cx: Context) -> Result<(), Failure> {
    let Some(server) = cx.harness.killable.clone() else {
        return Err(Failure::ignored("the harness does not say how its server is killed"));
    };
    let mut story = Story::begin(cx, server, &NAMES[..FEW]).await?;
    for round in 0..story.cx.size().pick(3, 8, 60) {
        story.round(round).await.map_err(|failure| failure.within(format!("kill {round}")))?;
    }
    story.end().await
}

pub(super) async fn of_a_part(cx: Context) -> Result<(), Failure> {
    let Some(part) = cx.harness.killable_part.clone() else {
        return Err(Failure::ignored("the harness does not say how a part of its server is killed"));
    };
    let mut story = Story::begin(cx, part, &NAMES).await?;
    for round in 0..story.cx.size().pick(2, 4, 30) {
        story.round_without(round).await.map_err(|failure| failure.within(format!("kill {round}")))?;
    }
    story.end().await
}

impl Story {
    /// All have joined and synced before anybody is killed.
    async fn begin(cx: Context, server: Arc<dyn Killable>, names: &[&'static str]) -> Result<Self, Failure> {
        let dice = Dice::for_purpose(cx.seed(), "the server is killed");
        let mut devices = Vec::new();
        for &name in names {
            let replica = MemoryReplica::new();
            devices.push(Device { name, client: client(&cx, &replica).await?, replica });
        }
        let mut story = Self { cx, server, dice, devices, expected: Documents::new(), calls: 0, writes: 0 };
        story.settle().await?;
        story.write(0).await?;
        let before = story.cx.pace.calls();
        for synced in join_all(story.syncs()).await {
            synced?;
        }
        story.calls = story.cx.pace.calls() - before;
        Ok(story)
    }

    async fn round(&mut self, round: usize) -> Result<(), Failure> {
        if round % 2 == 1 {
            self.restart_devices().await?;
        }
        let mut all = self.dies_among(round).await?;
        let early = tokio::time::timeout(DEAD, all.as_mut()).await.ok();
        self.start().await?;
        self.bearable(match early {
            Some(ended) => ended,
            None => all.await,
        })?;
        self.settle().await
    }

    /// A part dies, and is missed by nobody; it comes back while all sync, and spoils nothing.
    async fn round_without(&mut self, round: usize) -> Result<(), Failure> {
        if round % 2 == 1 {
            self.restart_devices().await?;
        }
        let ended = self.dies_among(round).await?.await;
        self.bearable(ended)?;
        self.settle().await.map_err(|failure| failure.within("while a part is dead"))?;
        self.write(round).await?;
        let (ended, started) = futures::join!(join_all(self.syncs()), self.start());
        started?;
        self.bearable(ended)?;
        self.settle().await.map_err(|failure| failure.within("when it is back"))
    }

    /// After some calls of some syncs the server dies; these go on. Where all end before that, others begin, and it dies sooner: a
    /// server that nobody is using shows nothing.
    async fn dies_among(&mut self, round: usize) -> Result<Syncs, Failure> {
        let mut most = self.calls;
        loop {
            self.write(round).await?;
            let mut all: Syncs = Box::pin(join_all(self.syncs()));
            let calls = self.cx.pace.calls() + self.dice.below(most + 1);
            match select(all.as_mut(), pin!(self.cx.pace.reaches(calls))).await {
                Either::Left((ended, _)) => {
                    for synced in ended {
                        synced?;
                    }
                }
                Either::Right(_) => {
                    self.server.kill().await.map_err(|error| hook("kill", &error))?;
                    return Ok(all);
                }
            }
            most /= 2;
        }
    }

    async fn start(&self) -> Result<(), Failure> {
        self.server.start().await.map_err(|error| hook("start", &error))
    }

    /// A server that dies answers nothing. That says nothing of what it stores.
    fn bearable(&self, ended: Vec<Called<SyncReport>>) -> Result<(), Failure> {
        for (device, synced) in self.devices.iter().zip(ended) {
            if let Err(error) = synced {
                let lost = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Missing | ErrorKind::Replaced);
                ensure!(
                    !lost,
                    "while the server died, device {} was told that the store is lost: {error}",
                    device.name
                );
            }
        }
        Ok(())
    }

    /// Each as a task of its own.
    fn syncs(&self) -> Vec<BoxFuture<'static, Called<SyncReport>>> {
        let start = |device: &Device| {
            let client = Arc::clone(&device.client);
            let task = tokio::spawn(async move { client.sync().await });
            let ended = async move {
                let broken = |error| Error::new(ErrorKind::Internal, "a sync did not end").with_source(error);
                task.await.map_err(broken)?
            };
            ended.boxed()
        };
        self.devices.iter().map(start).collect()
    }

    /// Each device makes a new document, edits one, and writes perhaps as much as needs a segment; no two write the same.
    async fn write(&mut self, round: usize) -> Result<(), Failure> {
        for device in &self.devices {
            self.writes += 1;
            let (name, step) = (device.name, self.writes);
            let mut documents = vec![
                Document::new(format!("of {name}/{step}"), format!("new {step}"))?,
                Document::new(format!("of {name}/edited"), format!("edit {step}"))?,
            ];
            if round.is_multiple_of(BULK) {
                documents.push(Document::new(format!("of {name}/bulk"), noise(self.dice.next(), LARGE))?);
            }
            self.expected.extend(documents.iter().map(|document| (document.id.clone(), document.body.clone())));
            device.replica.write(documents.into_iter().map(Change::put).collect()).await?;
        }
        Ok(())
    }

    /// The apps start again, with new connections.
    async fn restart_devices(&mut self) -> Result<(), Failure> {
        for device in &mut self.devices {
            device.client = client(&self.cx, &device.replica).await?;
        }
        Ok(())
    }

    /// Everybody syncs, twice, and holds all that was written.
    async fn settle(&self) -> Result<(), Failure> {
        for device in self.devices.iter().chain(&self.devices) {
            sync(device).await?;
        }
        for device in &self.devices {
            oracle::equal(&format!("device {}", device.name), &documents(device).await?, &self.expected)?;
        }
        Ok(())
    }

    /// Nothing is in the log twice, and who joins now reads the same.
    async fn end(self) -> Result<(), Failure> {
        let log = oracle::log(&*self.cx.server().await?).await?;
        oracle::committed_once(&log)?;
        oracle::equal("the log", &oracle::fold(&log), &self.expected)
            .map_err(|failure| failure.with_rule(Rule::Invariant(2)))?;
        let replica = MemoryReplica::new();
        let newcomer = Device { name: "new", client: client(&self.cx, &replica).await?, replica };
        sync(&newcomer).await?;
        oracle::equal("a device that joins now", &documents(&newcomer).await?, &self.expected)
    }
}

async fn client(cx: &Context, replica: &MemoryReplica) -> Result<Arc<Client>, Failure> {
    let builder = Client::builder_on(cx.clock().runtime(), cx.server().await?, Arc::new(replica.clone()));
    Ok(Arc::new(builder.store_options(StoreOptions::default().with_probe(false)).build()))
}

/// The server runs: syncing must work.
async fn sync(device: &Device) -> Result<(), Failure> {
    let mut tried = 1;
    let report = loop {
        match device.client.sync().await {
            Err(error) if error.kind() == ErrorKind::Unavailable && tried < TRIES => tried += 1,
            ended => break ended,
        }
    };
    let report = report.map_err(|error| Failure::from(error).within(format!("device {} syncs", device.name)))?;
    ensure!(!report.cloned, "device {} took itself for a copy: what it had sent was not there any more", device.name);
    ensure!(report.conflicts == 0, "device {} met a conflict, and nobody quarrelled", device.name);
    Ok(())
}

fn hook(what: &str, error: &Error) -> Failure {
    Failure::unjudged(format!("the harness could not {what} the server: {error}"))
}

async fn documents(device: &Device) -> Result<Documents, Failure> {
    let mut documents = Documents::new();
    for id in device.replica.list(None, usize::MAX).await? {
        let body = device.replica.get(&id).await?.map_or_else(Bytes::new, |document| document.body);
        documents.insert(id, body);
    }
    Ok(documents)
}
