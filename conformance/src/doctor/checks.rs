//! The questions, one function for each.

use bytes::Bytes;
use futures::future::join_all;
use longshore_core::{
    ByteRange, Capabilities, Created, Error, Folder, ObjectKey, Payload, Runtime as _, ServerTime, Storage,
    TokioRuntime,
};

use super::{Finding, Health, Patient};
use crate::verdict::Failure;

/// How many clients race.
pub(super) const RACERS: usize = 8;
/// How often.
const RACES: usize = 4;
/// The size of a segment: what the engine sends at most as one object, but for a single large document.
const SEGMENT: usize = 8 << 20;
/// A difference of clocks that is worth a word, in milliseconds.
const FAR: u64 = 60_000;
/// Round trips whose median is told.
const PROBES: usize = 7;

/// What no probe from one machine can show.
pub(super) const LIMITS: &str = "a check from one machine cannot show that two machines exclude each other. Where a mount \
                                 caches (NFS, SMB, SSHFS, rclone mount) or a tool replicates the folder (Dropbox, Syncthing, \
                                 iCloud, OneDrive), each machine may see a store of its own: run this on two machines, or \
                                 reach the store itself";

type Answer = Result<Finding, Trouble>;

/// Why a question has no answer, in the words of a user.
#[derive(Debug)]
struct Trouble(String);

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let cause = cause.filter(|cause| !error.message().contains(cause)).map(|cause| format!(" ({cause})"));
        Self(format!("{}{}", error.message(), cause.unwrap_or_default()))
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self(failure.to_string())
    }
}

/// Asks everything, and stops at the first thing that makes data unsafe.
pub(super) async fn all(patient: &Patient, findings: &mut Vec<Finding>) {
    findings.push(answer("writable", writable(patient).await));
    if is_bad(findings) {
        return;
    }
    findings.push(answer("creates once", once(patient).await));
    if is_bad(findings) {
        return;
    }
    findings.push(answer("creates once, raced", raced(patient).await));
    findings.push(answer("reads what was written", read_after_write(patient).await));
    findings.push(answer("lists what was written", list_after_write(patient).await));
    findings.push(answer("clock", clock(patient).await));
    findings.push(answer("speed", speed(patient).await));
    // Last, since it may take longest.
    findings.push(answer("large objects", large(patient).await));
}

fn is_bad(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.health == Health::Bad)
}

fn answer(topic: &'static str, answer: Answer) -> Finding {
    answer.unwrap_or_else(|Trouble(what)| Finding::new(topic, Health::Bad, what))
}

fn good(topic: &'static str, text: impl Into<String>) -> Finding {
    Finding::new(topic, Health::Good, text)
}

fn bad(topic: &'static str, text: impl Into<String>) -> Finding {
    Finding::new(topic, Health::Bad, text)
}

fn record(name: &str) -> Result<ObjectKey, Trouble> {
    Ok(ObjectKey::new(format!("records/{name}/data"))?)
}

async fn read(storage: &dyn Storage, key: &ObjectKey) -> Result<Option<Bytes>, Trouble> {
    match storage.get(key, ByteRange::ALL).await?.value {
        Some(object) => Ok(Some(object.read(2 * SEGMENT as u64).await?)),
        None => Ok(None),
    }
}

async fn writable(patient: &Patient) -> Answer {
    let key = record("writable")?;
    patient.clients[0].create(&key, Bytes::from_static(b"x")).await.map_err(|error| {
        let Trouble(what) = Trouble::from(error);
        Trouble(format!("nothing can be written here: {what}"))
    })?;
    Ok(good("writable", "this user may write"))
}

async fn once(patient: &Patient) -> Answer {
    let topic = "creates once";
    let (mine, yours, key) = (&patient.clients[0], &patient.clients[1], record("once")?);
    if mine.create(&key, Bytes::from_static(b"first")).await?.value != Created::Created {
        return Ok(bad(topic, "it says of a new name that it is taken"));
    }
    if yours.create(&key, Bytes::from_static(b"second")).await?.value != Created::Exists {
        return Ok(bad(topic, "it creates a name that is taken: two devices would overwrite each other's commits"));
    }
    if read(&**yours, &key).await?.as_deref() != Some(b"first") {
        return Ok(bad(topic, "a second create replaced the first: two devices would overwrite each other's commits"));
    }
    Ok(good(topic, "a taken name is refused, and its bytes stay"))
}

async fn raced(patient: &Patient) -> Answer {
    let topic = "creates once, raced";
    for race in 0..RACES {
        let key = record(&format!("raced-{race}"))?;
        let tries = patient.clients.iter().enumerate().map(|(racer, client)| {
            let key = &key;
            async move { client.create(key, Bytes::from(format!("racer {racer}"))).await }
        });
        let mut winners = Vec::new();
        for (racer, reply) in join_all(tries).await.into_iter().enumerate() {
            winners.extend((reply?.value == Created::Created).then_some(racer));
        }
        let there = read(&*patient.clients[0], &key).await?;
        if winners.len() != 1 || there != Some(Bytes::from(format!("racer {}", winners[0]))) {
            let text = format!("of {RACERS} that created one name at once {} were told that they won", winners.len());
            return Ok(bad(topic, format!("{text}: commits would be lost")));
        }
    }
    Ok(good(topic, format!("of {RACERS} clients at once exactly one wins, in {RACES} races")))
}

async fn read_after_write(patient: &Patient) -> Answer {
    let topic = "reads what was written";
    let (writer, reader) = (&patient.clients[0], &patient.clients[1]);
    let key = record("read")?;
    if read(&**reader, &key).await?.is_some() {
        return Ok(bad(topic, "a name that was never written has content"));
    }
    writer.create(&key, Bytes::from_static(b"\x00\x1f\x8b\r\n<html>\xff")).await?;
    let seen = read(&**reader, &key).await?;
    if seen.as_deref() != Some(b"\x00\x1f\x8b\r\n<html>\xff".as_slice()) {
        return Ok(bad(topic, "another client does not see at once what was written, or sees other bytes"));
    }
    writer.delete(&key).await?;
    writer.delete(&key).await?;
    if read(&**reader, &key).await?.is_some() {
        return Ok(bad(topic, "what was deleted can still be read"));
    }
    Ok(good(topic, "another client sees a write at once, byte for byte, and a deletion"))
}

async fn list_after_write(patient: &Patient) -> Answer {
    let topic = "lists what was written";
    let (writer, reader, folder) = (&patient.clients[0], &patient.clients[1], Folder::new("segments/list")?);
    for name in ["0000000000000009", "0000000000000010"] {
        writer.put(&folder.object(name)?, Payload::from("x")).await?;
    }
    let names = crate::litter::names(&**reader, &folder).await?;
    if names != ["0000000000000009", "0000000000000010"] {
        return Ok(bad(topic, format!("of two objects that were just written it lists {names:?}")));
    }
    Ok(good(topic, "another client lists a write at once, in order"))
}

async fn large(patient: &Patient) -> Answer {
    let topic = "large objects";
    let key = ObjectKey::new("segments/large/0")?;
    // Not zeros: what compresses on the way would hide a limit.
    let body: Vec<u8> = (0..SEGMENT as u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()[7]).collect();
    let body = Bytes::from(body);
    patient.clients[0].put(&key, Payload::from(body.clone())).await?;
    if read(&*patient.clients[1], &key).await? != Some(body) {
        return Ok(bad(topic, "8 MiB come back otherwise than they were written"));
    }
    Ok(good(topic, "8 MiB, the size of a segment, come back as they were written"))
}

async fn clock(patient: &Patient) -> Answer {
    let topic = "clock";
    let key = record("clock")?;
    let created = patient.clients[0].create(&key, Bytes::new()).await?.time;
    let got = patient.clients[0].get(&key, ByteRange::ALL).await?.time;
    let ours = TokioRuntime.wall();
    let Some(theirs) = got.or(created).map(ServerTime::as_millis) else {
        let text = "it tells no time: longshore asks for the newest snapshot beside each look, and trims nothing";
        return Ok(Finding::new(topic, Health::Note, text));
    };
    let apart = theirs.abs_diff(ours);
    let which = if theirs > ours { "ahead of" } else { "behind" };
    let reads = if got.is_some() { "" } else { "; reads tell no time, so that some looks take a second request" };
    if apart > FAR {
        let text = format!("its clock is {} s {which} this machine's: harmless to the data{reads}", apart / 1000);
        return Ok(Finding::new(topic, Health::Warning, text));
    }
    Ok(good(topic, format!("it tells its time, {apart} ms {which} this machine's{reads}")))
}

#[expect(clippy::disallowed_types, reason = "the user asks how fast the store is")]
async fn speed(patient: &Patient) -> Answer {
    let (mut reads, mut creates) = (Vec::new(), Vec::new());
    for probe in 0..PROBES {
        let key = record(&format!("speed-{probe}"))?;
        let start = std::time::Instant::now();
        patient.clients[0].create(&key, Bytes::from_static(b"x")).await?;
        creates.push(start.elapsed());
        let start = std::time::Instant::now();
        read(&*patient.clients[0], &key).await?;
        reads.push(start.elapsed());
    }
    reads.sort_unstable();
    creates.sort_unstable();
    let millis = |time: std::time::Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    let (read, create) = (millis(reads[PROBES / 2]), millis(creates[PROBES / 2]));
    Ok(good("speed", format!("a read takes {read}, a create {create} (medians of {PROBES})")))
}

/// What the adapter says of the store, and what follows.
pub(super) fn claims(claims: &Capabilities) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !claims.atomic_create {
        let text = "the adapter says that the store cannot create a name exactly once: longshore refuses it";
        findings.push(Finding::new("adapter", Health::Bad, text));
    }
    if claims.max_object < 1 << 30 {
        let text =
            format!("an object has at most {} bytes, so larger documents are refused by name", claims.max_object);
        findings.push(Finding::new("size limit", Health::Warning, text));
    } else {
        findings.push(Finding::new("size limit", Health::Good, "documents of 1 GiB fit"));
    }
    let text = format!("up to {} requests are under way at once", claims.parallelism);
    findings.push(Finding::new("requests", Health::Note, text));
    findings
}
