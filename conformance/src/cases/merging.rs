//! What the apps of these cases make of a conflict.

use std::collections::BTreeSet;

use bytes::Bytes;
use longshore_core::{Answer, Conflict, Version};

/// The body of one side; none if it is deleted.
pub(super) fn body(version: &Version) -> Option<Bytes> {
    match version {
        Version::Present(document) => Some(document.body.clone()),
        Version::Deleted => None,
    }
}

/// Joins both edits; an edit survives a deletion. So every story ends without open conflicts, whoever is asked.
pub(super) fn merge(conflict: &Conflict) -> Answer {
    let (local, remote) = match (body(&conflict.local), body(&conflict.remote)) {
        (None, _) => return Answer::TakeRemote,
        (Some(_), None) => return Answer::KeepLocal,
        (Some(local), Some(remote)) => (local, remote),
    };
    let texts = [&local, &remote].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let parts: BTreeSet<&str> = texts.iter().flat_map(|text| text.split('+')).collect();
    match Bytes::from(parts.into_iter().collect::<Vec<_>>().join("+")) {
        joined if joined == local => Answer::KeepLocal,
        joined if joined == remote => Answer::TakeRemote,
        body => Answer::Merge { revision: None, body },
    }
}
