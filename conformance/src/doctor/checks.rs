//! The questions, one function for each.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{BoxFuture, join_all, try_join, try_join_all};
use futures::stream::{self, StreamExt as _};
use longshore_core::{
    ByteRange, Created, Error, ErrorKind, Flaw, Folder, ObjectKey, Payload, Runtime as _, ServerTime, Storage,
    TokioRuntime,
};
use tokio::time::Instant;

use super::patient::Patient;
use super::{Finding, Health, Open, health_of};

/// How many clients race.
const RACERS: usize = 8;
/// How often at least,
const RACES: usize = 3;
/// and how often at the most: as long as there is time. A server that looks first and writes then lets several win in about half
/// of all races where it is busy.
const MORE_RACES: usize = 12;
/// The bytes of each racer in every second of these further races: a server may decide before all has arrived, or while it writes.
const LARGER: usize = 96 << 10;
/// No race begins after so long.
const RACING: Duration = Duration::from_millis(1500);
/// The size of a segment: what the engine sends at most as one object, but for a single large document.
const SEGMENT: usize = 8 << 20;
/// A difference of clocks that is worth a word, in milliseconds.
const FAR: u64 = 60_000;
/// Round trips whose median is told, at most,
const PROBES: usize = 7;
/// and how long they may take together.
const PROBING: Duration = Duration::from_millis(500);

/// Bytes as some ways to a store change them.
const FIRST: &[u8] = b"\x1f\x8b\r\n<html>\xff\0";

/// Without an answer to each of these, nobody can tell whether the store is safe.
const DECISIVE: [&str; 5] = [WRITABLE, ONCE, RACED, READ, LISTED];
const WRITABLE: &str = "writable";
const ONCE: &str = "creates once";
const RACED: &str = "creates once, raced";
const READ: &str = "reads what was written";
const LISTED: &str = "lists what was written";

/// The other questions, in their order.
const FURTHER: [&str; 3] = [CLOCK, SPEED, LARGE];
const CLOCK: &str = "clock";
const SPEED: &str = "speed";
const LARGE: &str = "large objects";

/// Pages of a listing of a few names at the most.
const PAGES: usize = 100;

/// What no probe from one machine can show.
pub(super) const LIMITS: &str = "a check from one machine cannot show that two machines exclude each other. Where a mount \
                                 caches (NFS, SMB, SSHFS, rclone mount) or a tool replicates the folder (Dropbox, Syncthing, \
                                 iCloud, OneDrive), each machine may see a store of its own: run this on two machines, or \
                                 reach the store itself";

type Answer = Result<Finding, Trouble>;

/// Why a question has no good answer, in the words of a user.
#[derive(Debug)]
struct Trouble {
    health: Health,
    text: String,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let cause = cause.filter(|cause| !error.message().contains(cause)).map(|cause| format!(" ({cause})"));
        Self { health: health_of(&error), text: format!("{}{}", error.message(), cause.unwrap_or_default()) }
    }
}

impl From<Flaw> for Trouble {
    fn from(flaw: Flaw) -> Self {
        Self { health: Health::Bad, text: refused(flaw) }
    }
}

/// The reason in the core's words, and what follows from it.
pub(super) fn refused(flaw: Flaw) -> String {
    format!("{flaw}: {}", flaw.consequence())
}

/// Asks everything, and stops at the first thing that makes data unsafe.
pub(super) async fn all(patient: &Patient, open: &Open, findings: &mut Vec<Finding>) {
    let clients = match patient.clients(open, RACERS).await {
        Ok(clients) => clients,
        Err(error) => return findings.push(answer(WRITABLE, Err(error.into()))),
    };
    let asked = &Asked { clients, patient };
    findings.push(answer(WRITABLE, writable(asked).await));
    if is_bad(findings) {
        return;
    }
    findings.push(answer(ONCE, once(asked).await));
    if is_bad(findings) {
        return;
    }
    // Beside each other: over a slow way there is no time for one after the other.
    let together: [BoxFuture<'_, Finding>; 3] = [
        Box::pin(async { answer(RACED, raced(asked).await) }),
        Box::pin(async { answer(READ, read_after_write(asked).await) }),
        Box::pin(async { answer(LISTED, list_after_write(asked).await) }),
    ];
    let mut together = stream::iter(together).buffered(DECISIVE.len());
    while let Some(finding) = together.next().await {
        findings.push(finding);
    }
    if is_bad(findings) {
        return;
    }
    findings.push(answer(CLOCK, clock(asked).await));
    findings.push(answer(SPEED, speed(asked).await));
    // Last, since it may take longest.
    findings.push(answer(LARGE, large(asked).await));
}

/// The questions that have no answer here.
pub(super) fn left_out(findings: &[Finding]) -> Vec<&'static str> {
    let open = |topic: &&str| !findings.iter().any(|finding| finding.topic == *topic);
    DECISIVE.into_iter().chain(FURTHER).filter(open).collect()
}

/// What to say where the time was up: whether what was answered until then is enough.
pub(super) fn cut_off(findings: &[Finding], time: Duration) -> Finding {
    let answered = |topic: &&str| findings.iter().any(|finding| finding.topic == *topic);
    let time = time.as_secs_f32();
    let why = "it is slow, or the way to it is";
    match DECISIVE.iter().find(|topic| !answered(topic)) {
        Some(topic) => {
            let text = format!(
                "cannot tell whether data is safe: `{topic}` was not answered within {time} s: {why}; try again, or from nearer"
            );
            Finding::new("in time", Health::Unknown, text)
        }
        None => Finding::new("speed", Health::Warning, format!("not everything was asked within {time} s: {why}")),
    }
}

/// The patient, and clients of its place: at least two.
struct Asked<'a> {
    clients: Vec<Arc<dyn Storage>>,
    patient: &'a Patient,
}

pub(super) fn is_bad(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.health >= Health::Unknown)
}

fn answer(topic: &'static str, answer: Answer) -> Finding {
    answer.unwrap_or_else(|Trouble { health, text }| Finding::new(topic, health, text))
}

fn good(topic: &'static str, text: impl Into<String>) -> Finding {
    Finding::new(topic, Health::Good, text)
}

fn bad(topic: &'static str, text: impl Into<String>) -> Finding {
    Finding::new(topic, Health::Bad, text)
}

async fn read(storage: &dyn Storage, key: &ObjectKey) -> Result<Option<Bytes>, Trouble> {
    match storage.get(key, ByteRange::ALL).await?.value {
        Some(object) => Ok(Some(object.read(2 * SEGMENT as u64).await?)),
        None => Ok(None),
    }
}

async fn writable(asked: &Asked<'_>) -> Answer {
    let key = asked.patient.record("writable")?;
    asked.clients[0].create(&key, Bytes::from_static(b"x")).await.map_err(|error| {
        let step = match error.kind() {
            ErrorKind::Full => "; make room there, then ask again",
            ErrorKind::Denied => "; let this user write there, or give another",
            _ => "",
        };
        let Trouble { health, text } = Trouble::from(error);
        // A message that tells the next step has it after this.
        let step = if text.contains("; ") { "" } else { step };
        Trouble { health, text: format!("nothing can be written here: {text}{step}") }
    })?;
    Ok(good(WRITABLE, "this user may write"))
}

async fn once(asked: &Asked<'_>) -> Answer {
    let (mine, yours, key) = (&asked.clients[0], &asked.clients[1], asked.patient.record("once")?);
    if mine.create(&key, Bytes::from_static(FIRST)).await?.value != Created::Created {
        return Err(Flaw::NewIsTaken.into());
    }
    if read(&**mine, &key).await?.as_deref() != Some(FIRST) {
        return Err(Flaw::Unread.into());
    }
    let again = |client: &Arc<dyn Storage>, bytes| {
        let (client, key) = (Arc::clone(client), key.clone());
        async move { client.create(&key, Bytes::from_static(bytes)).await }
    };
    let (to_me, to_you) = try_join(again(mine, b"second"), again(yours, b"third")).await?;
    if [to_me.value, to_you.value].contains(&Created::Created) {
        return Err(Flaw::TakenIsCreated.into());
    }
    if read(&**yours, &key).await?.as_deref() != Some(FIRST) {
        return Err(Flaw::Replaced.into());
    }
    Ok(good(ONCE, "a taken name is refused, and its bytes stay"))
}

async fn raced(asked: &Asked<'_>) -> Answer {
    let (begun, mut races) = (Instant::now(), 0);
    // Each asks for something first: a racer that has to connect comes too late.
    let key = asked.patient.record("once")?;
    try_join_all(asked.clients.iter().map(|client| read(&**client, &key))).await?;
    while races < RACES || (races < MORE_RACES && begun.elapsed() < RACING) {
        let race = races;
        races += 1;
        // Every other race is that of one device's own calls.
        let clients: Vec<_> =
            asked.clients.iter().map(|client| if race % 2 == 0 { &asked.clients[0] } else { client }).collect();
        let key = asked.patient.record(&format!("raced-{race}"))?;
        let larger = race > RACES && (race - RACES) % 2 == 1;
        let bytes_of = |racer| {
            let mut bytes = format!("racer {racer}").into_bytes();
            bytes.resize(if larger { LARGER } else { bytes.len() }, b'.');
            Bytes::from(bytes)
        };
        let tries = clients.iter().enumerate().map(|(racer, client)| {
            let (key, bytes) = (&key, bytes_of(racer));
            async move { client.create(key, bytes).await }
        });
        let told = join_all(tries).await.into_iter().map(|reply| reply.map(|reply| reply.value)).collect();
        let there = read(&*asked.clients[0], &key).await?;
        // What is no racer's is nobody's: a place that no racer has.
        let whose = |bytes: Bytes| (0..clients.len()).find(|racer| bytes == bytes_of(*racer)).unwrap_or(usize::MAX);
        if let Some(flaw) = Flaw::of_race(told, there.map(whose))? {
            return Err(flaw.into());
        }
    }
    Ok(good(RACED, format!("of {RACERS} at once exactly one wins, in {races} races")))
}

async fn read_after_write(asked: &Asked<'_>) -> Answer {
    let (writer, reader) = (&asked.clients[0], &asked.clients[1]);
    let key = asked.patient.record("read")?;
    let before = read(&**reader, &key).await?;
    writer.create(&key, Bytes::from_static(FIRST)).await?;
    if read(&**reader, &key).await?.as_deref() != Some(FIRST) {
        let text = format!("by another client, or not as it was written, {}", refused(Flaw::Unread));
        return Ok(bad(READ, text));
    }
    writer.delete(&key).await?;
    let after = read(&**reader, &key).await?;
    writer.delete(&key).await?;
    match (before, after) {
        (None, None) => Ok(good(READ, "another client sees a write at once, byte for byte, and a deletion")),
        (None, Some(_)) => Err(Flaw::Undeleted.into()),
        (Some(_), None) => Ok(bad(READ, "a name that was never written has content")),
        (Some(_), Some(_)) => {
            Ok(bad(READ, format!("a name that was never written has content, and {}", refused(Flaw::Undeleted))))
        }
    }
}

async fn list_after_write(asked: &Asked<'_>) -> Answer {
    // As segments are named.
    const NAMES: [&str; 2] = ["0000000000000009-be", "0000000000000010-af"];
    let (writer, reader, folder) = (&asked.clients[0], &asked.clients[1], Folder::new("segments/list")?);
    let keys = NAMES.iter().map(|name| asked.patient.blob(&format!("list/{name}"))).collect::<Result<Vec<_>, _>>()?;
    try_join_all(keys.iter().map(|key| writer.put(key, Payload::from("x")))).await?;
    let (all, rest) = try_join(names(&**reader, &folder, None), names(&**reader, &folder, Some(NAMES[0]))).await?;
    let lacks = |listed: &[String], name: &str| !listed.iter().any(|listed| listed == name);
    if NAMES.iter().any(|name| lacks(&all, name)) || lacks(&rest, NAMES[1]) {
        return Err(Flaw::Unlisted.into());
    }
    if all != NAMES || rest != NAMES[1..] {
        return Ok(bad(
            LISTED,
            format!("of two objects that were just written it lists {all:?}, and {rest:?} after the first"),
        ));
    }
    Ok(good(LISTED, "another client lists a write at once, in order"))
}

/// All names in a folder after this one, of a listing that may never end.
async fn names(storage: &dyn Storage, folder: &Folder, after: Option<&str>) -> Result<Vec<String>, Trouble> {
    let mut all: Vec<String> = Vec::new();
    for _ in 0..PAGES {
        let last = all.last().map(String::as_str).or(after);
        let page = storage.list(folder, last).await?.value;
        if page.more && page.names.last().map(String::as_str) <= last {
            break;
        }
        all.extend(page.names);
        if !page.more {
            return Ok(all);
        }
    }
    Err(Flaw::EndlessListing.into())
}

async fn large(asked: &Asked<'_>) -> Answer {
    let topic = LARGE;
    let key = asked.patient.blob("large/0")?;
    let size = asked.patient.capabilities().max_object.min(SEGMENT as u64);
    // Not zeros: what compresses on the way would hide a limit.
    let body: Vec<u8> = (0..size).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()[7]).collect();
    let body = Bytes::from(body);
    asked.clients[0].put(&key, Payload::from(body.clone())).await?;
    if read(&*asked.clients[1], &key).await? != Some(body) {
        return Ok(bad(topic, format!("{size} bytes come back otherwise than they were written")));
    }
    let whole =
        if size < SEGMENT as u64 { format!("{size} bytes") } else { "8 MiB, the size of a segment,".to_owned() };
    Ok(good(topic, format!("{whole} come back as they were written")))
}

async fn clock(asked: &Asked<'_>) -> Answer {
    let topic = CLOCK;
    let (client, key) = (&asked.clients[0], asked.patient.record("clock")?);
    let created = client.create(&key, Bytes::new()).await?.time;
    let got = client.get(&key, ByteRange::ALL).await?.time;
    let ours = TokioRuntime.wall();
    if got.is_none() && client.capabilities().read_time {
        let text = "the adapter says that replies to reads carry the time, and they do not: each look for changes takes \
                    a second request; report it to the adapter's authors";
        return Ok(Finding::new(topic, Health::Warning, text));
    }
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

async fn speed(asked: &Asked<'_>) -> Answer {
    let (mut reads, mut creates) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    while reads.len() < PROBES && (reads.is_empty() || begun.elapsed() < PROBING) {
        let key = asked.patient.record(&format!("speed-{}", reads.len()))?;
        let start = Instant::now();
        asked.clients[0].create(&key, Bytes::from_static(b"x")).await?;
        creates.push(start.elapsed());
        let start = Instant::now();
        read(&*asked.clients[0], &key).await?;
        reads.push(start.elapsed());
    }
    Ok(good(
        "speed",
        format!("a read takes {}, a create {} (medians of {})", median(&mut reads), median(&mut creates), reads.len()),
    ))
}

fn median(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    format!("{:.1} ms", middle.as_secs_f64() * 1000.0)
}
