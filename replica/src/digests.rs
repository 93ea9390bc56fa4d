//! Digests of what the app writes: checked first, and of many changes computed on a second thread, ahead of the writer.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use longshore_core::{Action, Change, Digest, Document, Error};

use crate::errors::{Result, defect};

/// Body bytes from which on a second thread is worth its start.
const HEAVY: usize = 256 << 10;
/// Changes that are hashed before the writer is told.
const RUN: usize = 256;
/// Runs that wait for the writer at the most.
const AHEAD: usize = 4;

/// Refuses a body that no document may have.
pub(crate) fn check(change: &Change) -> Result<(), Error> {
    let Action::Put(body) = &change.action else { return Ok(()) };
    Document { id: change.id.clone(), revision: None, body: body.clone() }.check()
}

/// Gives `each` every item with the digest of its change, in order, until it fails.
pub(crate) fn each<I: Sync>(
    items: &[I],
    change: fn(&I) -> &Change,
    mut each: impl FnMut(&I, Digest) -> Result<()>,
) -> Result<()> {
    let digest = |item: &I| Digest::of(&change(item).action);
    let bytes: usize = items.iter().map(|item| change(item).action.len()).sum();
    if bytes < HEAVY || items.len() < RUN {
        return items.iter().try_for_each(|item| each(item, digest(item)));
    }
    thread::scope(|scope| {
        let (send, ready) = sync_channel(AHEAD);
        let hash = move || {
            // The writer hangs up when it fails.
            items.chunks(RUN).try_for_each(|run| send.send(run.iter().map(digest).collect()))
        };
        match thread::Builder::new().spawn_scoped(scope, hash) {
            Ok(_) => follow(items, &ready, each),
            Err(_) => items.iter().try_for_each(|item| each(item, digest(item))),
        }
    })
}

fn follow<I>(items: &[I], ready: &Receiver<Vec<Digest>>, mut each: impl FnMut(&I, Digest) -> Result<()>) -> Result<()> {
    for run in items.chunks(RUN) {
        let digests = ready.recv().map_err(|_| defect("the digests ended before the changes", "write"))?;
        run.iter().zip(digests).try_for_each(|(item, digest)| each(item, digest))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::errors::damaged;

    fn changes(count: usize, len: usize) -> Vec<Change> {
        let body = |number: usize| Bytes::from(vec![number.to_le_bytes()[0]; len]);
        (0..count).map(|n| Change::put(Document::new(format!("{n}"), body(n)).unwrap())).collect()
    }

    #[test]
    fn every_change_comes_with_its_own_digest() {
        for (count, len) in [(0, 0), (1, 10), (RUN - 1, 5000), (RUN, 5000), (10 * RUN + 1, 500)] {
            let changes = changes(count, len);
            let mut seen = 0;
            let check = |change: &Change, digest| {
                assert_eq!((&changes[seen], digest), (change, Digest::of(&change.action)));
                seen += 1;
                Ok(())
            };
            each(&changes, |change| change, check).unwrap();
            assert_eq!(seen, count);
        }
    }

    #[test]
    fn a_writer_that_fails_ends_it() {
        let changes = changes(20 * RUN, 500);
        let mut seen = 0;
        let fail = |_: &Change, _| {
            seen += 1;
            if seen == 300 { Err(damaged()) } else { Ok(()) }
        };
        each(&changes, |change| change, fail).unwrap_err();
        assert_eq!(seen, 300);
    }
}
