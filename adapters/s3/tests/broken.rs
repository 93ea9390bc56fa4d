//! Servers that call themselves S3 and are no place for data: each is found out, with its reason named, and none makes us lose any.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::FutureExt as _;
use longshore_conformance::doctor::{Finding, Health, examine};
use longshore_conformance::proxy::{Cut, Proxy};
use longshore_conformance::{Harness, Size, Suite};
use longshore_core::{
    ByteRange, DomainName, Error, ErrorKind, Flaw, MetadataName, ObjectKey, Outcome, Server as _, Storage,
    StoreOptions, StoredServer, TokioRuntime,
};
use longshore_s3::S3;
use longshore_s3_double::{Double, Kind};

/// A machine that stands still between two requests may keep creators from meeting, now and then.
const TRIES: usize = 20;
const ENOUGH: usize = TRIES - 1;

fn bucket(address: SocketAddr) -> S3 {
    let builder = S3::builder(Double::BUCKET).with_endpoint(format!("http://{address}")).with_allow_http(true);
    builder.with_credentials(Double::ACCESS_KEY, "any", None).build().unwrap()
}

fn server(address: SocketAddr) -> StoredServer {
    bucket(address).server(Arc::new(TokioRuntime), &DomainName::default()).unwrap()
}

/// What the first use of a new store there ends in.
async fn first_use(kind: Kind) -> Option<Error> {
    let double = Double::start(kind).unwrap();
    server(double.address()).initialize(&StoreOptions::default()).await.err()
}

async fn examined(kind: Kind) -> Vec<Finding> {
    let double = Double::start(kind).unwrap();
    let address = double.address();
    examine(&move || std::future::ready(Ok(Arc::new(bucket(address)) as Arc<dyn Storage>)).boxed()).await
}

fn names(findings: &[Finding], flaw: Flaw) -> bool {
    findings.iter().any(|finding| finding.health == Health::Bad && finding.text.contains(&flaw.to_string()))
}

/// The first of the quick size's cases with this name that the suite fails.
fn failed_case(kind: Kind, pattern: &str) -> Option<&'static str> {
    let double = Double::start(kind).unwrap();
    let address = double.address();
    let at = |address| std::future::ready(Ok(Arc::new(bucket(address)) as Arc<dyn Storage>));
    let harness = Harness::storage("broken", move |_| at(address)).in_this_process();
    let harness = harness.over_network(address, move |_, proxy| at(proxy));
    let suite = Suite::new(harness).size(Size::Quick).only(pattern);
    let reports = suite.run().unwrap();
    assert!(!reports.is_empty());
    reports.into_iter().find(|report| report.verdict.is_failed()).map(|report| report.case.name())
}

#[tokio::test]
async fn a_sound_one_is_let_be() {
    assert!(first_use(Kind::Sound).await.is_none());
    let findings = examined(Kind::Sound).await;
    assert!(findings.iter().all(|finding| finding.health != Health::Bad), "{findings:#?}");
}

#[tokio::test]
async fn one_that_ignores_conditions_is_refused() {
    let error = first_use(Kind::IgnoresConditions).await.unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains(&Flaw::TakenIsCreated.to_string()), "{error}");
    let findings = examined(Kind::IgnoresConditions).await;
    assert!(names(&findings, Flaw::TakenIsCreated), "{findings:#?}");
}

#[test]
fn one_that_ignores_conditions_fails_the_suite() {
    assert!(failed_case(Kind::IgnoresConditions, "storage::create").is_some());
}

#[tokio::test]
async fn one_that_lets_several_win_is_refused() {
    let mut refusals = 0;
    for _ in 0..TRIES {
        let Some(error) = first_use(Kind::RacesCreates).await else { continue };
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains(&Flaw::SeveralWinners.to_string()), "{error}");
        refusals += 1;
    }
    assert!(refusals >= ENOUGH, "of {TRIES} new stores {refusals} were refused");
    let mut seen = 0;
    for _ in 0..TRIES {
        seen += usize::from(names(&examined(Kind::RacesCreates).await, Flaw::SeveralWinners));
    }
    assert!(seen >= ENOUGH, "in {TRIES} visits the doctor saw it {seen} times");
}

#[test]
fn one_that_lets_several_win_fails_the_suite() {
    assert!((0..3).any(|_| failed_case(Kind::RacesCreates, "storage::create").is_some()));
}

/// No look from outside finds it: the case that breaks connections does.
#[test]
fn one_that_keeps_halves_fails_the_suite() {
    assert_eq!(failed_case(Kind::KeepsHalf, "network::request_cut"), Some("network::request_cut"));
}

/// A line breaks in the middle of a request's body, against a server of this kind: what became of the write, and what is read
/// afterwards.
async fn cut_write(kind: Kind) -> (Result<(), Error>, Result<Option<Vec<u8>>, Error>) {
    let double = Double::start(kind).unwrap();
    let proxy = Proxy::start(double.address()).await.unwrap();
    let name = MetadataName::new("settings").unwrap();
    // The first request is a listing.
    proxy.plan(Cut::None);
    proxy.plan(Cut::RequestAfter(50_000));
    let wrote = server(proxy.address()).metadata_write(&name, None, incompressible()).await.map(drop);
    assert_eq!(proxy.waiting(), 0);
    let read = server(double.address()).metadata_read(&name).await;
    (wrote, read.map(|found| found.map(|found| found.bytes.to_vec())))
}

fn incompressible() -> bytes::Bytes {
    let mut state = 1_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(100_000)
    .collect()
}

/// Nothing was written by the half: the same bytes go to the same name again.
#[tokio::test]
async fn a_cut_create_is_repeated_where_nothing_of_it_is_kept() {
    let (wrote, read) = cut_write(Kind::Sound).await;
    wrote.unwrap();
    assert_eq!(read.unwrap().unwrap(), incompressible());
}

/// A half lies under the name. Nobody can tell whose it is; but nobody takes it for a whole, and nothing is told to be stored.
#[tokio::test]
async fn a_half_that_is_kept_is_no_success_and_is_never_read_as_a_whole() {
    let (wrote, read) = cut_write(Kind::KeepsHalf).await;
    assert_eq!(wrote.unwrap_err().kind(), ErrorKind::Conflict);
    let error = read.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("meta/settings"), "it names the object: {error}");
}

#[tokio::test]
async fn a_cut_create_is_an_open_question_and_a_cut_put_is_mended_by_the_next() {
    for kind in [Kind::Sound, Kind::KeepsHalf] {
        let double = Double::start(kind).unwrap();
        let proxy = Proxy::start(double.address()).await.unwrap();
        let (near, far) = (bucket(double.address()), bucket(proxy.address()));
        let (record, segment) = (ObjectKey::new("a/data").unwrap(), ObjectKey::new("segments/one").unwrap());
        proxy.plan(Cut::RequestAfter(50_000));
        let error = far.create(&record, incompressible()).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Unavailable, Outcome::Unknown), "{error}");
        proxy.plan(Cut::RequestAfter(50_000));
        let error = far.put(&segment, incompressible().into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        if matches!(kind, Kind::KeepsHalf) {
            // Only what has landed can be mended.
            while near.get(&segment, ByteRange::ALL).await.unwrap().value.is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        far.put(&segment, incompressible().into()).await.unwrap();
        let found = near.get(&segment, ByteRange::ALL).await.unwrap().value.unwrap();
        assert!(found.read(u64::MAX).await.unwrap() == incompressible(), "{kind:?}: other bytes were read");
        assert_eq!(proxy.requests(), 3, "each was sent once");
    }
}
