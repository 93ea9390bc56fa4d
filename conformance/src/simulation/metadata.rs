//! The metadata of a history: every acknowledged version is there, and no refused one is.

use bytes::Bytes;
use longshore_core::format::{Frame, Kind, MetadataHeader};
use longshore_core::{MemoryStorage, MetadataVersion};

use super::Broken;
use crate::case::Rule;

/// What came of the apps' calls.
#[derive(Default)]
pub(super) struct Calls {
    /// Domain, version, and what was written.
    pub(super) acknowledged: Vec<(usize, MetadataVersion, Bytes)>,
    /// What an error said was not applied.
    pub(super) refused: Vec<Bytes>,
}

pub(super) fn check(memory: &MemoryStorage, calls: &Calls) -> Result<(), Broken> {
    let mut found = Vec::new();
    for (key, stored) in memory.objects() {
        let mut parts = key.parts();
        let domain = usize::from(parts.nth(1) == Some("project"));
        if parts.next() == Some("meta") {
            let frame = Frame::decode(&stored)?;
            let header: MetadataHeader = frame.header(Kind::Metadata)?;
            found.push((domain, header.version, frame.bodies().clone()));
        }
    }
    if let Some((_, version, _)) = calls.acknowledged.iter().find(|acknowledged| !found.contains(acknowledged)) {
        let seen = format!("version {} of the metadata was acknowledged, and it is not there", version.get());
        return Err(Broken::new(Rule::Invariant(2), seen));
    }
    if let Some((_, version, _)) = found.iter().find(|(_, _, bytes)| calls.refused.contains(bytes)) {
        let seen = format!(
            "version {} of the metadata is there, and its writer was told that it was not applied",
            version.get()
        );
        return Err(Broken::new(Rule::Storage(4), seen));
    }
    Ok(())
}
