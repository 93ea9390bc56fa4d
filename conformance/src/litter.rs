//! Removing what was written in a scratch place, and seeing that nothing stays.

use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use longshore_core::{Error, ErrorKind, Folder, ObjectKey, Runtime as _, Storage, TokioRuntime};
use tokio::time::sleep;

use crate::verdict::Failure;

/// Pages of one listing at the most: a listing that never ends is a failure, not a hang.
const PAGES: usize = 10_000;
/// Calls at once of a store that bears as many: a case waits for its own cleaning up.
pub(crate) const AT_ONCE: usize = 16;

/// How long is waited for what still lands, before each further look.
const LANDINGS: [Duration; 3] = [Duration::from_millis(20), Duration::from_millis(200), Duration::from_secs(1)];

/// How long a scratch place counts as in use, in milliseconds: an hour.
const IN_USE: u64 = 3_600_000;
/// What the names of scratch places begin with.
const KINDS: [&str; 2] = ["conformance-", "doctor-"];
/// Hexadecimal digits of the time in such a name, in milliseconds since 1970, and of the random number behind it.
const TIME: usize = 11;
const NUMBER: usize = 16;

/// A name for a new scratch place of this kind, `conformance` or `doctor`: it says when it was made, by this machine's clock.
///
/// Errors: `Internal` if this machine has no random numbers.
pub fn scratch(kind: &str) -> Result<String, Error> {
    let mut number = [0; 8];
    TokioRuntime.random(&mut number)?;
    Ok(format!("{kind}-{:0TIME$x}-{:0NUMBER$x}", TokioRuntime.wall(), u64::from_le_bytes(number)))
}

/// Those of these names that are scratch places made more than an hour before `now`, in milliseconds since 1970. Their runs were
/// most likely killed; a full run of the suite may take longer.
///
/// ```
/// use longshore_conformance::litter;
///
/// let made = 1_700_000_000_000;
/// let names = [format!("doctor-{made:011x}-0123456789abcdef"), "domains".to_owned(), "doctor-who".to_owned()];
/// assert_eq!(litter::abandoned(&names, made + 60_000), [""; 0]);
/// assert_eq!(litter::abandoned(&names, made + 3_600_001), [names[0].as_str()]);
/// ```
pub fn abandoned(names: &[String], now: u64) -> Vec<String> {
    let old = |name: &&String| made(name).is_some_and(|made| now.saturating_sub(made) > IN_USE);
    names.iter().filter(old).cloned().collect()
}

/// When the scratch place of this name was made; none of any other name.
fn made(name: &str) -> Option<u64> {
    let (time, number) = KINDS.iter().find_map(|kind| name.strip_prefix(kind))?.split_once('-')?;
    let is_hex = |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex(time, TIME) && is_hex(number, NUMBER)).then(|| u64::from_str_radix(time, 16).ok())?
}

/// Everything in a folder, at any depth.
pub(crate) async fn objects(storage: &dyn Storage, folder: &Folder) -> Result<Vec<ObjectKey>, Failure> {
    objects_by(storage, folder, 1).await
}

/// The same, level by level with so many listings at once.
async fn objects_by(storage: &dyn Storage, folder: &Folder, at_once: usize) -> Result<Vec<ObjectKey>, Failure> {
    let (mut found, mut left) = (Vec::new(), vec![folder.clone()]);
    while !left.is_empty() {
        let level = stream::iter(std::mem::take(&mut left).into_iter().map(|folder| listed(storage, folder)));
        let mut listings = level.buffered(at_once).boxed();
        while let Some((folder, names)) = listings.try_next().await? {
            for name in names {
                if (name == ObjectKey::DATA && !holds_names(&folder)) || holds_objects(&folder) {
                    found.push(folder.object(&name)?);
                } else {
                    left.push(folder.join(&name)?);
                }
            }
        }
    }
    Ok(found)
}

async fn listed(storage: &dyn Storage, folder: Folder) -> Result<(Folder, Vec<String>), Failure> {
    let names = names(storage, &folder).await?;
    Ok((folder, names))
}

/// A listing does not tell objects from folders, but the layout does: objects are called `data`, or lie in a folder of
/// `segments`.
fn holds_objects(folder: &Folder) -> bool {
    folder.as_str().rsplit('/').nth(1) == Some("segments")
}

/// Metadata may have the name `data`, and then it is a folder.
fn holds_names(folder: &Folder) -> bool {
    let mut parts = folder.as_str().rsplit('/');
    parts.next() == Some("meta") && parts.nth(1) == Some("domains")
}

/// All names in a folder.
pub(crate) async fn names(storage: &dyn Storage, folder: &Folder) -> Result<Vec<String>, Failure> {
    let mut all: Vec<String> = Vec::new();
    for _ in 0..PAGES {
        let page = storage.list(folder, all.last().map(String::as_str)).await?.value;
        let last = !page.more || page.names.is_empty();
        all.extend(page.names);
        if last {
            return Ok(all);
        }
    }
    Err(Failure::new(format!("the listing of {folder} does not end")))
}

/// Removes all objects of longshore in this storage, with as many calls at once as it bears. Only for a scratch place that nobody
/// uses any more.
///
/// Errors: `Unavailable`, with what the storage said, or how many objects were still there after all had been deleted.
///
/// ```
/// use longshore_conformance::litter;
/// use longshore_core::{MemoryStorage, ObjectKey, Storage as _};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let storage = MemoryStorage::new();
/// storage.create(&ObjectKey::new("format/data")?, "x".into()).await?;
/// litter::remove_all(&storage).await?;
/// assert!(storage.objects().is_empty());
/// # Ok::<(), longshore_core::Error>(())
/// # })?;
/// # Ok::<(), longshore_core::Error>(())
/// ```
pub async fn remove_all(storage: &dyn Storage) -> Result<(), Error> {
    let removed = clean(storage, &Folder::ROOT, storage.capabilities().parallelism.max(1)).await;
    removed.map_err(|failure| Error::new(ErrorKind::Unavailable, failure.seen().to_owned()).with_operation("delete"))
}

/// Removes everything in a folder, with so many calls at once. What cannot be removed is a failure: that of a call that was
/// dropped may still land, and is removed later.
pub(crate) async fn clean(storage: &dyn Storage, folder: &Folder, at_once: usize) -> Result<(), Failure> {
    let mut there = objects_by(storage, folder, at_once).await?;
    let mut pauses = LANDINGS.iter();
    loop {
        let deletes = there.iter().map(|key| storage.delete(key)).collect::<Vec<_>>();
        stream::iter(deletes).buffer_unordered(at_once).try_collect::<Vec<_>>().await?;
        there = objects_by(storage, folder, at_once).await?;
        match pauses.next() {
            _ if there.is_empty() => return Ok(()),
            Some(pause) => sleep(*pause).await,
            None => return Err(Failure::new(format!("{} objects cannot be removed", there.len()))),
        }
    }
}
