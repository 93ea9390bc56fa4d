//! Numbered records, created once: how each is written, read back and found.

use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;

use super::wire::Wire;
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::format::MAX_RECORD;
use crate::runtime::Ticks;
use crate::sabotage::{Mistake, on, taken_for_done};
use crate::storage::{Created, Folder, ObjectKey, Reply};

/// Half of how long a superseded record is kept at least.
const LATE: Duration = Duration::from_secs(1800);

/// Whether what was created after a look at this time proves nothing by itself: numbers may have been used and trimmed since.
pub(super) fn late(wire: &Wire, looked: Ticks) -> bool {
    wire.runtime().now().since(looked) >= LATE
}

/// What lies under a name after we tried to create it.
pub(super) enum Fate {
    /// Our bytes, as the server said at once.
    Mine,
    /// Our bytes, as reading back showed: sent by this call, or by an earlier one.
    Found,
    /// Other bytes.
    Another,
    /// The server says that something is there, and shows nothing.
    Hidden,
}

/// Creates a record, and resolves every doubt by reading back. The same bytes go to the same name again, within bounds.
///
/// An error has the outcome `Unknown` if any of the tries may have landed or may still land.
pub(super) async fn create(wire: &Wire, key: &ObjectKey, bytes: &Bytes) -> Result<Reply<Fate>> {
    if bytes.len() as u64 > MAX_RECORD {
        return Err(Error::new(ErrorKind::Invalid, "a record has at most 1 MiB").with_key(key));
    }
    let mut doubt = false;
    let mut tried = 0;
    loop {
        tried += 1;
        let failure = match wire.create(key, bytes.clone()).await {
            Ok(Reply { value: Created::Created, time }) => return Ok(Reply { value: Fate::Mine, time }),
            Ok(_) if on(Mistake::ExistsIsForeign) => return Ok(Reply::new(Fate::Another)),
            Ok(_) if on(Mistake::ExistsIsOurs) => return Ok(Reply::new(Fate::Mine)),
            Ok(_) if on(Mistake::ExistsIsFailure) => {
                return Err(Error::new(ErrorKind::Internal, "the server refused the name").with_key(key));
            }
            Ok(_) => None,
            Err(error) if taken_for_done(&error) => return Ok(Reply::new(Fate::Mine)),
            Err(error)
                if (on(Mistake::NextNumberOnDoubt) || on(Mistake::DoubtfulReleaseDeletes))
                    && error.outcome() == Outcome::Unknown =>
            {
                return Err(error);
            }
            Err(error) => Some(error),
        };
        doubt |= failure.as_ref().is_none_or(|error| error.outcome() == Outcome::Unknown);
        if doubt {
            let found = wire.get(key, MAX_RECORD).await.map_err(|error| error.with_outcome(Outcome::Unknown))?;
            if let Some(there) = found.value {
                let value = if there == *bytes { Fate::Found } else { Fate::Another };
                return Ok(Reply { value, time: found.time });
            }
        }
        let Some(error) = failure else {
            match wire.pause(tried) {
                Some(pause) => wire.runtime().sleep(pause).await,
                None => return Ok(Reply::new(Fate::Hidden)),
            }
            continue;
        };
        match wire.pause_after(&error, tried) {
            Some(pause) => wire.runtime().sleep(pause).await,
            None if doubt => return Err(error.with_outcome(Outcome::Unknown)),
            None => return Err(error),
        }
    }
}

/// The greatest number among the names in a folder; names that are no numbers do not count.
pub(super) async fn newest<N: FromStr + Ord>(wire: &Wire, folder: &Folder) -> Result<Option<N>> {
    let mut newest = None;
    wire.walk(folder, |names| {
        newest = names.iter().filter_map(|name| name.parse().ok()).max().max(newest.take());
        None::<()>
    })
    .await?;
    Ok(newest)
}
