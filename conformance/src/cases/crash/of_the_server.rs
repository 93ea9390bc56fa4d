//! Rounds of one story: several devices write and sync at once, and in the middle of it the server is killed. When it runs again,
//! what it acknowledged is there, what it did not acknowledge is sent again, and all devices agree.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::{Either, join_all, select};
use longshore_core::{
    Change, Client, Document, Error, ErrorKind, MemoryReplica, Result as Called, StoreOptions, SyncReport,
};

use crate::case::Rule;
use crate::cases::oracle::{self, Documents};
use crate::context::Context;
use crate::dice::{Dice, noise};
use crate::harness::Killable;
use crate::verdict::{Failure, ensure};

const NAMES: [&str; 3] = ["a", "b", "c"];
/// How often a device tries to sync once the server runs again: the first calls may still meet a connection of before.
const TRIES: usize = 5;
/// Of so many rounds one writes what needs a segment.
const BULK: usize = 3;
/// Bytes of that, which no compression makes less.
const LARGE: usize = 700_000;

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
    let mut story = Story::begin(cx, server).await?;
    for round in 0..story.cx.size().pick(3, 8, 60) {
        story.round(round).await.map_err(|failure| failure.within(format!("kill {round}")))?;
    }
    story.end().await
}

impl Story {
    /// All have joined and synced before anybody is killed.
    async fn begin(cx: Context, server: Arc<dyn Killable>) -> Result<Self, Failure> {
        let dice = Dice::for_purpose(cx.seed(), "the server is killed");
        let mut devices = Vec::new();
        for name in NAMES {
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
        self.write(round).await?;
        let at = self.cx.pace.calls() + self.dice.below(self.calls + 1);
        for (device, synced) in self.devices.iter().zip(self.killed_at(at).await?) {
            if let Err(error) = synced {
                bearable(device, &error)?;
            }
        }
        self.server.start().await.map_err(|error| hook("start", &error))?;
        self.settle().await
    }

    /// All sync at once; after so many calls, or when all is done, the server dies.
    async fn killed_at(&self, calls: u64) -> Result<Vec<Called<SyncReport>>, Failure> {
        let (all, reached) = (join_all(self.syncs()), pin!(self.cx.pace.reaches(calls)));
        let (ended, killed) = match select(all, reached).await {
            Either::Left((ended, _)) => (ended, self.server.kill().await),
            Either::Right(((), under_way)) => {
                // What is under way goes on beside it.
                futures::join!(under_way, self.server.kill())
            }
        };
        killed.map_err(|error| hook("kill", &error))?;
        Ok(ended)
    }

    /// Each as a task of its own.
    fn syncs(&self) -> Vec<impl Future<Output = Called<SyncReport>> + use<>> {
        let start = |device: &Device| {
            let client = Arc::clone(&device.client);
            let task = tokio::spawn(async move { client.sync().await });
            async move {
                let broken = |error| Error::new(ErrorKind::Internal, "a sync did not end").with_source(error);
                task.await.map_err(broken)?
            }
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

/// A server that died answers nothing. That says nothing of what it stores.
fn bearable(device: &Device, error: &Error) -> Result<(), Failure> {
    let lost = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Missing | ErrorKind::Replaced);
    ensure!(!lost, "while the server died, device {} was told that the store is lost: {error}", device.name);
    Ok(())
}

fn hook(what: &str, error: &Error) -> Failure {
    Failure::new(format!("the harness could not {what} the server: {error}"))
}

async fn documents(device: &Device) -> Result<Documents, Failure> {
    let mut documents = Documents::new();
    for id in device.replica.list(None, usize::MAX).await? {
        let body = device.replica.get(&id).await?.map_or_else(Bytes::new, |document| document.body);
        documents.insert(id, body);
    }
    Ok(documents)
}
