//! What a sync over WebDAV costs, counted at the socket: what a `create` in four steps adds to the core's calls shows here.
//!
//! Documents do not compress. Side by side are requests that a proxy answers only once all of them have begun.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

use std::sync::Arc;
use std::time::Duration;

use longshore_conformance::meter::{Meter, Tally};
use longshore_core::{Change, Client, Document, DomainName, MemoryReplica, StoreOptions, TokioRuntime};
use longshore_webdav::{HttpOptions, WebDav};
use longshore_webdav_double::Double;

/// A client that sends one after another what should go side by side ends with an error, some time.
const IDLE: Duration = Duration::from_secs(5);

/// An initialised store behind a proxy.
struct Shared {
    meter: Meter,
    _double: Double,
}

impl Shared {
    async fn new() -> Self {
        let double = Double::start().unwrap();
        let meter = Meter::start(double.address()).await.unwrap();
        Self { meter, _double: double }
    }

    /// A process of a device, with connections of its own.
    fn process(&self, replica: &MemoryReplica) -> Client {
        let url = format!("http://{}/store", self.meter.address());
        let http = HttpOptions::default().with_idle_timeout(IDLE);
        let storage =
            WebDav::builder(url).with_password(Double::USER, Double::PASSWORD).with_http(http).build().unwrap();
        let server = storage.server(Arc::new(TokioRuntime), &DomainName::default()).unwrap();
        Client::builder(Arc::new(server), Arc::new(replica.clone())).store_options(StoreOptions::default()).build()
    }

    /// The device that initialised the store.
    async fn first(&self) -> MemoryReplica {
        let replica = MemoryReplica::new();
        self.process(&replica).sync().await.unwrap();
        replica
    }

    /// What syncs cost, which take these groups of requests side by side.
    async fn cost(&self, client: &Client, groups: &[usize], work: impl AsyncFn(&Client)) -> Tally {
        self.meter.take();
        self.meter.gather(groups);
        work(client).await;
        let tally = self.meter.take();
        let expected = (groups.iter().sum(), groups.len());
        assert_eq!((tally.requests(), tally.round_trips()), expected, "requests, and round trips:\n{tally}");
        tally
    }

    async fn sync(&self, client: &Client, groups: &[usize]) -> Tally {
        self.cost(client, groups, async |client| {
            client.sync().await.unwrap();
        })
        .await
    }
}

/// A `create`: make a temporary collection, put, move, read back.
const CREATE: [usize; 4] = [1; 4];

/// How long it takes at the least where each answer takes that long, in milliseconds.
fn at_50_ms(tally: &Tally) -> usize {
    tally.round_trips() * 50
}

fn documents(name: &str, count: u64, len: usize) -> Vec<Change> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    let document = |number| Document::new(format!("{name}/{number}"), (0..len).map(|_| byte()).collect::<Vec<u8>>());
    (0..count).map(document).map(|document| Change::put(document.unwrap())).collect()
}

/// How many bytes these documents may take on the wire: a fifth more than their bodies.
fn some_more_than(count: u64, len: u64) -> u64 {
    count * len * 12 / 10
}

#[tokio::test]
async fn a_thousand_small_documents() {
    let shared = Shared::new().await;
    let replica = shared.first().await;
    replica.write(documents("note", 1000, 490)).await.unwrap();

    // The format and the first two numbers; a collection that cannot be made yet; the four that it lies in; the entry.
    let push = shared.sync(&shared.process(&replica), &[&[3, 1, 1, 1, 1, 1][..], &CREATE].concat()).await;
    assert!(push.requests() <= 12 && at_50_ms(&push) < 1000, "{push}");
    assert!(push.bytes_up() < some_more_than(1000, 490), "{} bytes", push.bytes_up());

    // The format and the first two numbers; the floor, and whether there is a collection for it.
    let newcomer = MemoryReplica::new();
    let first = shared.sync(&shared.process(&newcomer), &[3, 1, 1]).await;
    assert!(first.requests() <= 10 && at_50_ms(&first) < 1000, "{first}");
    assert!(first.bytes_down() < some_more_than(1000, 490), "{} bytes", first.bytes_down());

    for replica in [&replica, &newcomer] {
        shared.process(replica).sync().await.unwrap();
        let client = shared.process(replica);
        shared.sync(&client, &[3]).await;
        shared.sync(&client, &[1]).await;
        for count in [1, 100] {
            replica.write(documents("more", count, 490)).await.unwrap();
            let process = shared.process(replica);
            shared.sync(&process, &[&[3][..], &CREATE].concat()).await;
            // What it pushed is no news to itself.
            shared.sync(&process, &[1]).await;
        }
        shared.sync(&shared.process(replica), &[3]).await;
    }
}

/// Of a client that stays, the temporary collection of each `create` but the first two is made while it does nothing else.
#[tokio::test]
async fn one_push_after_another() {
    let shared = Shared::new().await;
    let replica = shared.first().await;
    shared.process(&replica).sync().await.unwrap();
    replica.write(documents("note", 1, 490)).await.unwrap();
    let client = shared.process(&replica);
    client.sync().await.unwrap();
    let pushes = [1, 1, 100];
    // Of the first, the poll and a whole `create`. Of the others, the poll and what is made ahead; put, move, read back.
    let groups = [&[1, 1, 1, 1, 1][..], &[2, 1, 1, 1], &[2, 1, 1, 1], &[2]].concat();
    let all = shared.cost(&client, &groups, async |client| {
        for count in pushes {
            replica.write(documents("more", count, 490)).await.unwrap();
            client.sync().await.unwrap();
        }
        // Nothing new; and what is made ahead for a push that does not come.
        client.sync().await.unwrap();
    });
    let all = all.await;
    let polls = all.exchanges().iter().filter(|exchange| exchange.status == 404).count();
    assert_eq!(polls, pushes.len() + 1, "{all}");
    assert!(all.requests() - polls <= 4 * pushes.len() + 1, "four requests a push: {all}");
}

/// What is below a folder that was read from is not looked for from the top.
#[tokio::test]
async fn a_new_folder_of_entries() {
    let shared = Shared::new().await;
    let replica = shared.first().await;
    replica.write(documents("note", 1, 490)).await.unwrap();
    shared.process(&replica).sync().await.unwrap();
    // A document of its own segment: two more folders, of which one lies where the log was read.
    let client = shared.process(&replica);
    client.sync().await.unwrap();
    replica.write(documents("large", 1, 1 << 20)).await.unwrap();
    shared.meter.take();
    client.sync().await.unwrap();
    let push = shared.meter.take();
    let makes: Vec<_> = push.exchanges().iter().filter(|exchange| exchange.method == "MKCOL").collect();
    assert!(makes.iter().all(|exchange| exchange.status == 201), "{push}");
    assert_eq!(makes.len(), 2 + 1, "the segments' folders, and a temporary: {push}");
}

/// However many requests there are, connections are as many as requests go side by side, and a few that were begun while another
/// one came free.
#[tokio::test]
async fn connections_are_kept() {
    let shared = Shared::new().await;
    let replica = shared.first().await;
    let client = shared.process(&replica);
    shared.meter.take();
    for _ in 0..100 {
        client.sync().await.unwrap();
    }
    let tally = shared.meter.take();
    assert!(tally.requests() >= 100 && tally.connections() <= 10, "{} connections", tally.connections());
}
