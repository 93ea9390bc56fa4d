//! Objects that take more than one request: whole or not at all, and nothing is left lying about.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, select};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use longshore_conformance::proxy::{Cut, Proxy, Response};
use longshore_core::{ByteRange, Error, ErrorKind, ObjectKey, Payload, Storage as _};
use longshore_s3::S3;
use longshore_s3_double::{Double, Kind};

const MIB: usize = 1 << 20;

fn bucket(address: SocketAddr) -> S3 {
    let builder = S3::builder(Double::BUCKET).with_endpoint(format!("http://{address}")).with_allow_http(true);
    builder.with_credentials(Double::ACCESS_KEY, "any", None).build().unwrap()
}

fn key() -> ObjectKey {
    ObjectKey::new("domains/main/segments/large").unwrap()
}

/// Bytes of which no two mebibytes are the same.
fn pattern(len: usize) -> Bytes {
    let mut bytes = vec![7; len];
    for (at, mebibyte) in bytes.chunks_mut(MIB).enumerate() {
        mebibyte[..8].copy_from_slice(&(at as u64).to_le_bytes());
    }
    bytes.into()
}

/// In pieces that fit no part.
fn payload(bytes: &Bytes) -> Payload {
    let pieces = (0..bytes.len()).step_by(700_001);
    Payload::from_parts(pieces.map(|at| bytes.slice(at..bytes.len().min(at + 700_001))).collect())
}

#[tokio::test]
async fn what_goes_up_in_parts_comes_down_in_ranges() {
    let double = Double::start(Kind::Sound).unwrap();
    let bucket = bucket(double.address());
    let most = pattern(41 * MIB + 12_345);
    for len in [16 * MIB, 16 * MIB + 1, 24 * MIB - 1, 24 * MIB, 24 * MIB + 1, 32 * MIB, most.len()] {
        let bytes = most.slice(..len);
        assert!(bucket.put(&key(), payload(&bytes)).await.unwrap().time.is_some());
        assert_eq!(double.open_uploads(), 0);
        let reply = bucket.get(&key(), ByteRange::ALL).await.unwrap();
        assert!(reply.time.is_some());
        let object = reply.value.unwrap();
        assert_eq!((object.size(), object.len()), (len as u64, len as u64));
        // Another task reads it than the one that asked.
        let read = tokio::spawn(object.read(u64::MAX)).await.unwrap().unwrap();
        assert!(read == bytes, "{len} bytes came down as others");
    }
    for (start, len) in [(5, 30 * MIB), (10 * MIB, 24 * MIB), (16 * MIB + 1, 100 * MIB), (41 * MIB, 1), (50 * MIB, 1)] {
        let range = ByteRange::new(start as u64, len as u64);
        let object = bucket.get(&key(), range).await.unwrap().value.unwrap();
        assert_eq!(object.size(), most.len() as u64);
        let (from, to) = (start.min(most.len()), (start + len).min(most.len()));
        assert!(object.read(u64::MAX).await.unwrap() == most.slice(from..to), "{range:?}");
    }
}

/// However large it is, no more of it is in memory than the parts that are under way, the one that is being filled, and the piece that came
/// last.
#[tokio::test]
async fn an_upload_takes_from_its_source_what_it_can_send() {
    const PIECES: u64 = 256;
    let double = Arc::new(Double::start(Kind::Sound).unwrap());
    double.forget_parts();
    let most = Arc::new(AtomicU64::new(0));
    let (server, ahead, piece) = (Arc::clone(&double), Arc::clone(&most), Bytes::from(vec![7; MIB]));
    let source = stream::iter(1..=PIECES).map(move |taken| {
        ahead.fetch_max(taken * MIB as u64 - server.received(), Ordering::SeqCst);
        Ok(piece.clone())
    });
    let payload = Payload::new(PIECES * MIB as u64, source.boxed());
    bucket(double.address()).put(&key(), payload).await.unwrap();
    assert!(double.received() >= PIECES * MIB as u64);
    let most = most.load(Ordering::SeqCst) / MIB as u64;
    assert!(most <= (4 + 1) * 8 + 1, "{most} MiB were in memory");
}

#[tokio::test]
async fn an_upload_whose_source_fails_is_aborted() {
    let double = Double::start(Kind::Sound).unwrap();
    let bucket = bucket(double.address());
    let pieces = (0..20).map(|_| Ok(Bytes::from(vec![7; MIB])));
    let broken = Err(Error::new(ErrorKind::Corrupt, "the disk is broken"));
    let stream = stream::iter(pieces.chain([broken])).boxed();
    let error = bucket.put(&key(), Payload::new(32 * MIB as u64, stream)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert_eq!(double.open_uploads(), 0);
    assert!(bucket.get(&key(), ByteRange::ALL).await.unwrap().value.is_none());
}

/// Whichever request of an upload it is: it is told as what it is, and nothing stays.
#[tokio::test]
async fn an_upload_that_the_server_refuses_is_aborted() {
    let double = Double::start(Kind::Sound).unwrap();
    let bytes = pattern(17 * MIB);
    // It begins, three parts go up, it is complete.
    for refused in 0..5 {
        let proxy = Proxy::start(double.address()).await.unwrap();
        for _ in 0..refused {
            proxy.plan(Cut::None);
        }
        proxy.plan(Cut::Refuse(Response::new(503).with_retry_after("3")));
        let error = bucket(proxy.address()).put(&key(), payload(&bytes)).await.unwrap_err();
        assert_eq!((error.kind(), error.throttled()), (ErrorKind::Unavailable, true), "{refused}: {error}");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
        assert_eq!(double.open_uploads(), 0, "{refused}");
        assert!(bucket(double.address()).get(&key(), ByteRange::ALL).await.unwrap().value.is_none());
    }
}

#[tokio::test]
async fn an_upload_that_is_dropped_is_aborted() {
    let double = Double::start(Kind::Sound).unwrap();
    let bucket = bucket(double.address());
    let stream = stream::iter([Ok(Bytes::from(vec![7; 9 * MIB]))]).chain(stream::pending()).boxed();
    let payload = Payload::new(32 * MIB as u64, stream);
    let key = key();
    let begun = pin!(until(|| double.open_uploads() == 1));
    match select(bucket.put(&key, payload), begun).await {
        Either::Left((result, _)) => panic!("it cannot end: {result:?}"),
        Either::Right(((), put)) => drop(put),
    }
    until(|| double.open_uploads() == 0).await;
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Maintenance may remove a segment while it is read: never a hole, and never "the bucket is missing".
#[tokio::test]
async fn an_object_that_is_deleted_while_it_is_read_is_not_read() {
    let double = Double::start(Kind::Sound).unwrap();
    let bucket = bucket(double.address());
    bucket.put(&key(), payload(&pattern(33 * MIB))).await.unwrap();
    let object = bucket.get(&key(), ByteRange::ALL).await.unwrap().value.unwrap();
    bucket.delete(&key()).await.unwrap();
    let error = object.into_stream().try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("deleted while it was read"), "{error}");
    assert_eq!(error.operation(), Some("get"));
}
