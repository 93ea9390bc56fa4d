//! What a sync over S3 costs, counted at the socket: what the adapter, or a library under it, adds to the core's calls shows here.
//!
//! Documents do not compress. Side by side are requests that a proxy answers only once all of them have begun. The server is one in this
//! process, or the one that `scripts/servers/with-s3.sh` started.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use longshore_conformance::meter::{Devices, Tally, documents};
use longshore_core::{ByteRange, Client, MemoryReplica, ObjectKey, Storage};
use longshore_s3::{HttpOptions, S3};
use longshore_s3_double::{Double, Kind};

/// A client that sends one after another what should go side by side ends with an error, some time.
const IDLE: Duration = Duration::from_secs(5);
/// So long after a client's last commit its pushes need no poll, at the earliest.
const REST: Duration = Duration::from_secs(1);

/// Devices whose processes share one pool of connections to a bucket.
async fn devices() -> Devices {
    let variable = |name| std::env::var(name).ok();
    if let (Some(address), Some(endpoint)) = (variable("LONGSHORE_S3"), variable("AWS_ENDPOINT")) {
        return devices_of(&address, &endpoint).await;
    }
    let double = Double::start(Kind::Sound).unwrap();
    let connect = |meter| {
        let builder = S3::builder(Double::BUCKET)
            .with_endpoint(format!("http://{meter}"))
            .with_allow_http(true)
            .with_credentials(Double::ACCESS_KEY, "any", None)
            .with_http(HttpOptions::default().with_idle_timeout(IDLE));
        let storage: Arc<dyn Storage> = Arc::new(builder.build().unwrap());
        move || Ok(Arc::clone(&storage))
    };
    Devices::start(double.address(), connect).await.unwrap().with(double)
}

/// The same under a prefix of their own at a real server. Credentials are the environment's.
async fn devices_of(address: &str, endpoint: &str) -> Devices {
    static PREFIXES: AtomicUsize = AtomicUsize::new(0);
    let prefix = format!("budgets-{}-{}", std::process::id(), PREFIXES.fetch_add(1, Ordering::Relaxed));
    let server = endpoint.strip_prefix("http://").unwrap().trim_end_matches('/').parse().unwrap();
    let connect = |meter| {
        let builder = S3::builder_from(address).unwrap().with_prefix(prefix).with_endpoint(format!("http://{meter}"));
        let storage: Arc<dyn Storage> = Arc::new(
            builder.with_allow_http(true).with_http(HttpOptions::default().with_idle_timeout(IDLE)).build().unwrap(),
        );
        move || Ok(Arc::clone(&storage))
    };
    Devices::start(server, connect).await.unwrap()
}

/// What a sync costs, which takes these groups of requests side by side.
async fn cost(bucket: &Devices, client: &Client, groups: &[usize]) -> Tally {
    let (report, tally) = bucket.sync(client, groups).await.unwrap_or_else(|why| panic!("{groups:?}: {why}"));
    assert_eq!(report.requests, tally.requests() as u64, "a call is one request:\n{tally}");
    tally
}

/// So many writes there were.
fn puts(tally: &Tally) -> usize {
    tally.exchanges().iter().filter(|exchange| exchange.method == "PUT").count()
}

/// How many bytes these documents may take on the wire: a tenth more than their bodies.
fn some_more_than(count: u64, len: u64) -> u64 {
    count * len * 11 / 10
}

#[tokio::test]
async fn a_thousand_small_documents() {
    let bucket = devices().await;
    let replica = bucket.first().await.unwrap();
    replica.write(documents("note", 1000, 490).unwrap()).await.unwrap();

    // The format and the first two numbers; the entry.
    let push = cost(&bucket, &bucket.process(&replica).unwrap(), &[3, 1]).await;
    assert_eq!(puts(&push), 1, "{push}");
    assert!(push.bytes_up() < some_more_than(1000, 490), "{} bytes", push.bytes_up());

    // The format and the first two numbers; the floor, as this device never saw the head.
    let newcomer = MemoryReplica::new();
    let first = cost(&bucket, &bucket.process(&newcomer).unwrap(), &[3, 1]).await;
    assert_eq!(puts(&first), 0, "{first}");
    assert!(first.bytes_down() < some_more_than(1000, 490), "{} bytes", first.bytes_down());

    for replica in [&replica, &newcomer] {
        bucket.process(replica).unwrap().sync().await.unwrap();
        let client = bucket.process(replica).unwrap();
        let opening = cost(&bucket, &client, &[3]).await;
        assert!(opening.bytes_up() < 3000, "{} bytes", opening.bytes_up());
        cost(&bucket, &client, &[1]).await;
        for count in [1, 100] {
            tokio::time::sleep(REST).await;
            replica.write(documents("more", count, 490).unwrap()).await.unwrap();
            let push = cost(&bucket, &client, &[1]).await;
            assert_eq!(puts(&push), 1, "the entry, and no poll before it: {push}");
        }
        // What it pushed is no news to itself.
        cost(&bucket, &client, &[1]).await;
        cost(&bucket, &bucket.process(replica).unwrap(), &[3]).await;
    }
}

/// One that did not initialise the store knows of no time at which it was empty: it asks for the floor, too.
#[tokio::test]
async fn a_newcomer_pushes() {
    let bucket = devices().await;
    bucket.first().await.unwrap();
    let replica = MemoryReplica::new();
    replica.write(documents("note", 1000, 490).unwrap()).await.unwrap();
    cost(&bucket, &bucket.process(&replica).unwrap(), &[3, 1, 1]).await;
}

#[tokio::test]
async fn more_than_an_entry_holds() {
    // Documents of 1 MiB, and the segments that they make.
    for (count, segments) in [(1, 1), (7, 1), (20, 3)] {
        let bucket = devices().await;
        let replica = bucket.first().await.unwrap();
        let client = bucket.process(&replica).unwrap();
        client.sync().await.unwrap();
        replica.write(documents("large", count, 1 << 20).unwrap()).await.unwrap();
        let push = cost(&bucket, &client, &[2, segments, 1]).await;
        assert_eq!(puts(&push), segments + 1, "{push}");
        assert!(push.bytes_up() < some_more_than(count, 1 << 20), "{} bytes", push.bytes_up());
        let first = cost(&bucket, &bucket.process(&MemoryReplica::new()).unwrap(), &[3, 1, segments]).await;
        assert!(first.bytes_down() < some_more_than(count, 1 << 20), "{} bytes", first.bytes_down());
    }
}

/// A document of its own segment goes up in parts of 8 MiB, which it takes two more requests to begin and to complete. Of it 16 MiB come
/// down in one request, and the rest in ranges of 8 MiB.
#[tokio::test]
async fn a_large_document() {
    let bucket = devices().await;
    let replica = bucket.first().await.unwrap();
    let client = bucket.process(&replica).unwrap();
    client.sync().await.unwrap();
    replica.write(documents("large", 1, 28 << 20).unwrap()).await.unwrap();
    bucket.meter().take();
    client.sync().await.unwrap();
    let push = bucket.meter().take();
    assert_eq!((push.requests(), puts(&push)), (2 + 1 + 4 + 1 + 1, 4 + 1), "{push}");
    bucket.process(&MemoryReplica::new()).unwrap().sync().await.unwrap();
    let first = bucket.meter().take();
    assert_eq!(first.requests(), 3 + 1 + 3, "{first}");
}

/// Four ranges are asked for at once, behind the beginning, and no answer is broken off: no byte comes down that nobody reads.
#[tokio::test]
async fn the_ranges_of_a_large_object_come_side_by_side() {
    let bucket = devices().await;
    let storage = bucket.storage().unwrap();
    let (key, len) = (ObjectKey::new("domains/main/segments/large").unwrap(), 48 << 20);
    storage.put(&key, Bytes::from(vec![7; len]).into()).await.unwrap();
    for range in [ByteRange::ALL, ByteRange::new(0, 48 << 20)] {
        bucket.meter().take();
        bucket.meter().gather(&[1, 4]);
        let object = storage.get(&key, range).await.unwrap().value.unwrap();
        assert_eq!(object.read(u64::MAX).await.unwrap().len(), len);
        let tally = bucket.meter().take();
        assert!(tally.requests() == 5 && tally.round_trips() <= 2, "{tally}");
        assert!(tally.bytes_down() < len as u64 + 10_000, "{} bytes", tally.bytes_down());
    }
}

#[tokio::test]
async fn small_commits() {
    // Commits, and the reads that find them.
    for (commits, reads) in [(1, &[1, 2][..]), (2, &[1, 2]), (7, &[1, 2, 4, 8]), (20, &[1, 2, 4, 8, 16])] {
        let bucket = devices().await;
        let replica = bucket.first().await.unwrap();
        let (writer, reader) = (bucket.process(&replica).unwrap(), bucket.process(&MemoryReplica::new()).unwrap());
        replica.write(documents("note", 1, 490).unwrap()).await.unwrap();
        writer.sync().await.unwrap();
        reader.sync().await.unwrap();
        for _ in 0..commits {
            replica.write(documents("note", 1, 490).unwrap()).await.unwrap();
            writer.sync().await.unwrap();
        }
        let pull = cost(&bucket, &reader, reads).await;
        assert!(pull.requests() <= 2 * commits + 2, "{pull}");
        assert!(pull.round_trips() <= commits.ilog2() as usize + 2, "{pull}");
    }
}

/// However many requests there are, connections are as many as requests go side by side, and a few that were begun while another
/// one came free.
#[tokio::test]
async fn connections_are_kept() {
    let bucket = devices().await;
    let tally = bucket.idle(100).await.unwrap();
    assert!(tally.requests() >= 100 && tally.connections() <= 10, "{} connections", tally.connections());
}
