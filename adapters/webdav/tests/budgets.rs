//! What a sync over WebDAV costs, counted at the socket: what a `create` in four steps adds to the core's calls shows here.
//!
//! Documents do not compress. Side by side are requests that a proxy answers only once all of them have begun. The server is one in this
//! process, or the one that `scripts/servers/with-webdav.sh` started.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use longshore_conformance::meter::{Devices, Tally, documents};
use longshore_core::{Client, MemoryReplica, ObjectKey, Storage};
use longshore_webdav::{HttpOptions, WebDav};
use longshore_webdav_double::Double;

/// A client that sends one after another what should go side by side ends with an error, some time.
const IDLE: Duration = Duration::from_secs(5);
/// So long after a client's last commit its pushes need no poll, at the earliest.
const REST: Duration = Duration::from_secs(1);

/// Devices whose processes have connections of their own to a folder on a server.
async fn devices() -> Devices {
    let connect = |folder: String, (user, password): (String, String)| {
        move |meter: SocketAddr| {
            let http = HttpOptions::default().with_idle_timeout(IDLE);
            let url = format!("http://{meter}/{folder}");
            let builder = WebDav::builder(url).with_password(user, password).with_http(http);
            move || Ok(Arc::new(builder.clone().build()?) as Arc<dyn Storage>)
        }
    };
    let Ok(url) = std::env::var("WEBDAV_URL") else {
        let (double, login) = (Double::start().unwrap(), (Double::USER.to_owned(), Double::PASSWORD.to_owned()));
        return Devices::start(double.address(), connect("store".to_owned(), login)).await.unwrap().with(double);
    };
    let login = (std::env::var("WEBDAV_USER").unwrap(), std::env::var("WEBDAV_PASSWORD").unwrap());
    let server = url.strip_prefix("http://").unwrap().trim_end_matches('/').parse().unwrap();
    Devices::start(server, connect(fresh(&url, &login).await, login)).await.unwrap()
}

/// A folder that nobody used, made there.
async fn fresh(url: &str, (user, password): &(String, String)) -> String {
    static FOLDERS: AtomicUsize = AtomicUsize::new(0);
    let folder = format!("budgets-{}-{}", std::process::id(), FOLDERS.fetch_add(1, Ordering::Relaxed));
    let parent = WebDav::builder(url).with_password(user, password).build().unwrap();
    parent.put(&ObjectKey::new(format!("{folder}/made")).unwrap(), "".into()).await.unwrap();
    folder
}

/// What a sync costs, which takes these groups of requests side by side.
async fn sync(shared: &Devices, client: &Client, groups: &[usize]) -> Tally {
    shared.sync(client, groups).await.unwrap_or_else(|why| panic!("{groups:?}: {why}")).1
}

/// A `create`: make a temporary collection, put, move, read back.
const CREATE: [usize; 4] = [1; 4];

/// How long it takes at the least where each answer takes that long, in milliseconds.
fn at_50_ms(tally: &Tally) -> usize {
    tally.round_trips() * 50
}

/// How many bytes these documents may take on the wire: a fifth more than their bodies.
fn some_more_than(count: u64, len: u64) -> u64 {
    count * len * 12 / 10
}

#[tokio::test]
async fn a_thousand_small_documents() {
    let shared = devices().await;
    let replica = shared.first().await.unwrap();
    replica.write(documents("note", 1000, 490).unwrap()).await.unwrap();

    // The format and the first two numbers; a collection that cannot be made yet; the four that it lies in; the entry.
    let push = sync(&shared, &shared.process(&replica).unwrap(), &[&[3, 1, 1, 1, 1, 1][..], &CREATE].concat()).await;
    assert!(push.requests() <= 12 && at_50_ms(&push) < 1000, "{push}");
    assert!(push.bytes_up() < some_more_than(1000, 490), "{} bytes", push.bytes_up());

    // The format and the first two numbers; the floor, and whether there is a collection for it.
    let newcomer = MemoryReplica::new();
    let first = sync(&shared, &shared.process(&newcomer).unwrap(), &[3, 1, 1]).await;
    assert!(first.requests() <= 10 && at_50_ms(&first) < 1000, "{first}");
    assert!(first.bytes_down() < some_more_than(1000, 490), "{} bytes", first.bytes_down());

    for replica in [&replica, &newcomer] {
        shared.process(replica).unwrap().sync().await.unwrap();
        let client = shared.process(replica).unwrap();
        sync(&shared, &client, &[3]).await;
        sync(&shared, &client, &[1]).await;
        for count in [1, 100] {
            replica.write(documents("more", count, 490).unwrap()).await.unwrap();
            let process = shared.process(replica).unwrap();
            sync(&shared, &process, &[&[3][..], &CREATE].concat()).await;
            // What it pushed is no news to itself.
            sync(&shared, &process, &[1]).await;
        }
        sync(&shared, &shared.process(replica).unwrap(), &[3]).await;
    }
}

/// Of a client that stays, the temporary collection of each `create` but the first two is made while it does nothing else.
#[tokio::test]
async fn one_push_after_another() {
    let shared = devices().await;
    let replica = shared.first().await.unwrap();
    shared.process(&replica).unwrap().sync().await.unwrap();
    replica.write(documents("note", 1, 490).unwrap()).await.unwrap();
    let client = shared.process(&replica).unwrap();
    client.sync().await.unwrap();
    let pushes = [1, 1, 100];
    // No poll, but a `create` each: of the first all four, of the others what was made ahead; put, move, read back.
    let groups = [&CREATE[..], &CREATE, &CREATE, &[2]].concat();
    let work = async {
        for count in pushes {
            tokio::time::sleep(REST).await;
            replica.write(documents("more", count, 490).unwrap()).await.unwrap();
            client.sync().await.unwrap();
        }
        // Nothing new; and what is made ahead for a push that does not come.
        client.sync().await.unwrap();
    };
    let ((), all) = shared.meter().cost(&groups, work).await.unwrap_or_else(|why| panic!("{why}"));
    let polls = all.exchanges().iter().filter(|exchange| exchange.status == 404).count();
    assert_eq!(polls, 1, "{all}");
    assert!(all.requests() - polls <= 4 * pushes.len() + 1, "four requests a push: {all}");
}

/// What is below a folder that was read from is not looked for from the top.
#[tokio::test]
async fn a_new_folder_of_entries() {
    let shared = devices().await;
    let replica = shared.first().await.unwrap();
    replica.write(documents("note", 1, 490).unwrap()).await.unwrap();
    shared.process(&replica).unwrap().sync().await.unwrap();
    // A document of its own segment: two more folders, of which one lies where the log was read.
    let client = shared.process(&replica).unwrap();
    client.sync().await.unwrap();
    replica.write(documents("large", 1, 1 << 20).unwrap()).await.unwrap();
    shared.meter().take();
    client.sync().await.unwrap();
    let push = shared.meter().take();
    let makes: Vec<_> = push.exchanges().iter().filter(|exchange| exchange.method == "MKCOL").collect();
    assert!(makes.iter().all(|exchange| exchange.status == 201), "{push}");
    assert_eq!(makes.len(), 2 + 1, "the segments' folders, and a temporary: {push}");
}

/// However many requests there are, connections are as many as requests go side by side, and a few that were begun while another
/// one came free.
#[tokio::test]
async fn connections_are_kept() {
    let shared = devices().await;
    let tally = shared.idle(100).await.unwrap();
    assert!(tally.requests() >= 100 && tally.connections() <= 10, "{} connections", tally.connections());
}
