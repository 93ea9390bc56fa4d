//! Where things lie under a store's root.

use crate::error::{Error, ErrorKind, Result};
use crate::model::{DomainName, FencingToken, MetadataName, MetadataVersion, Nonce, Sequence};
use crate::storage::{Folder, ObjectKey};

/// How many entries one folder of the log holds.
const SHARD: u64 = 256;

/// The names of one domain's objects.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    domain: Folder,
}

impl Layout {
    pub(crate) fn new(domain: &DomainName) -> Result<Self> {
        Ok(Self { domain: Folder::new(Self::DOMAINS)?.join(domain)? })
    }

    /// The store's identity.
    pub(crate) fn format() -> Result<ObjectKey> {
        ObjectKey::new("format/data")
    }

    /// What lies at the root of a store that has been written to.
    pub(crate) const DOMAINS: &'static str = "domains";

    pub(crate) fn probe(nonce: Nonce) -> Result<ObjectKey> {
        record(&Folder::new("probe")?, nonce)
    }

    pub(crate) fn entry(&self, number: Sequence) -> Result<ObjectKey> {
        let shard = format!("{:016}", number.get() / SHARD);
        record(&self.domain.join("log")?.join(shard)?, number)
    }

    /// The name of a new segment, written by a client whose checkpoint is `base` (0 for none).
    pub(crate) fn segment(&self, base: u64, nonce: Nonce) -> Result<ObjectKey> {
        let shard = format!("{:016}", base / SHARD);
        self.domain.join("segments")?.join(shard)?.object(format_args!("{base:016}-{nonce}"))
    }

    /// A segment's key from the name that an entry gives; `Corrupt` if it lies elsewhere.
    pub(crate) fn checked_segment(&self, name: &str) -> Result<ObjectKey> {
        let misplaced = || Error::new(ErrorKind::Corrupt, "an entry names a segment outside its domain").with_key(name);
        let inside = format!("{}/segments/", self.domain);
        let key = ObjectKey::new(name).map_err(|_| misplaced())?;
        if name.starts_with(&inside) && !key.is_record() { Ok(key) } else { Err(misplaced()) }
    }

    pub(crate) fn snapshots(&self) -> Result<Folder> {
        self.domain.join("snapshot")
    }

    pub(crate) fn snapshot(&self, number: Sequence) -> Result<ObjectKey> {
        record(&self.snapshots()?, number)
    }

    /// Where the folders of the log's entries lie.
    pub(crate) fn shards(&self) -> Result<Folder> {
        self.domain.join("log")
    }

    /// Where the entries of one such folder lie.
    pub(crate) fn shard(&self, name: &str) -> Result<Folder> {
        self.shards()?.join(name)
    }

    /// The number of the folder that an entry lies in.
    pub(crate) const fn shard_of(number: Sequence) -> u64 {
        number.get() / SHARD
    }

    pub(crate) fn leases(&self) -> Result<Folder> {
        self.domain.join("lease")
    }

    pub(crate) fn lease(&self, token: FencingToken) -> Result<ObjectKey> {
        record(&self.leases()?, token)
    }

    pub(crate) fn versions(&self, name: &MetadataName) -> Result<Folder> {
        self.domain.join("meta")?.join(name)
    }

    pub(crate) fn metadata(&self, name: &MetadataName, version: MetadataVersion) -> Result<ObjectKey> {
        record(&self.versions(name)?, version)
    }
}

fn record(folder: &Folder, name: impl std::fmt::Display) -> Result<ObjectKey> {
    folder.join(name)?.object(ObjectKey::DATA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_format() {
        let layout = Layout::new(&DomainName::default()).unwrap();
        let entry = layout.entry(Sequence::new(513).unwrap()).unwrap();
        assert_eq!(entry.as_str(), "domains/main/log/0000000000000002/0000000000000513/data");
        let segment = layout.segment(0, Nonce::from_bytes([0xab; 16])).unwrap();
        let name = "domains/main/segments/0000000000000000/0000000000000000-abababababababababababababababab";
        assert_eq!(segment.as_str(), name);
        assert_eq!(layout.checked_segment(name).unwrap(), segment);
    }

    #[test]
    fn a_segment_elsewhere_is_corrupt() {
        let layout = Layout::new(&DomainName::default()).unwrap();
        for name in ["format/data", "domains/other/segments/0/1", "../x", "domains/main/log/0/1/data"] {
            assert_eq!(layout.checked_segment(name).unwrap_err().kind(), ErrorKind::Corrupt, "{name}");
        }
    }
}
