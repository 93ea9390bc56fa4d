//! Snapshots: what the header of one says, the objects that its long lists go to, and the digest over its documents.

use serde::{Deserialize, Serialize};

use super::record::SegmentRef;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AttemptNumber, ClientId, DocumentId, Hash, Revision, Sequence};
use crate::storage::ServerTime;

/// Of how many entries a snapshot lists one, and a replica keeps one hash for good.
pub const MARK_EVERY: u64 = 1000;

/// An entry's number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The entry's number.
    pub sequence: Sequence,
    /// BLAKE3 of its stored bytes.
    pub hash: Hash,
}

/// A client's last committed attempt, as a snapshot lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotClient {
    /// The client.
    pub client: ClientId,
    /// The attempt.
    pub attempt: AttemptNumber,
    /// The entry it became.
    #[serde(flatten)]
    pub entry: Mark,
}

/// The last entry that a snapshot covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotEntry {
    /// Its number.
    pub sequence: Sequence,
    /// BLAKE3 of its stored bytes.
    pub hash: Hash,
    /// Its time: the next entry's is never before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<ServerTime>,
}

/// The header of a snapshot. Its three lists stand in it, or in the objects of `index`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotHeader {
    /// The object's own name.
    pub key: String,
    /// The last entry it covers.
    pub entry: SnapshotEntry,
    /// How many documents it holds.
    pub documents: u64,
    /// How many body bytes they have.
    pub bytes: u64,
    /// The order-free hash over the documents: see [`DocumentsDigest`].
    pub digest: Hash,
    /// The server's time at which its writer read the last entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<ServerTime>,
    /// Every 1,000th entry up to the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// Per client its last committed attempt, in the order of the clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<SnapshotClient>,
    /// The documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentRef>,
    /// The objects that hold the three lists, where they are too long to stand here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub index: Vec<SegmentRef>,
}

/// The header of an object that holds a part of a snapshot's lists: each goes on where the object before ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexHeader {
    /// The object's own name.
    pub key: String,
    /// See [`SnapshotHeader::marks`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// See [`SnapshotHeader::clients`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<SnapshotClient>,
    /// See [`SnapshotHeader::segments`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentRef>,
}

impl SnapshotHeader {
    /// `Corrupt` if it contradicts itself before its lists are known.
    pub(crate) fn check(&self, number: Sequence) -> Result<()> {
        let lists = !self.marks.is_empty() || !self.clients.is_empty() || !self.segments.is_empty();
        if self.entry.sequence != number {
            return Err(corrupt("it says that it is a snapshot of another entry"));
        }
        if lists && !self.index.is_empty() {
            return Err(corrupt("a snapshot has lists both inside and in an index"));
        }
        Ok(())
    }

    /// `Corrupt` if its lists, wherever they stood, are not those of a snapshot of this entry.
    pub(crate) fn check_lists(&self) -> Result<()> {
        let SnapshotEntry { sequence: last, hash, .. } = self.entry;
        let numbers = self.marks.iter().map(|mark| mark.sequence.get());
        if !numbers.eq((1..=last.get() / MARK_EVERY).map(|nth| nth * MARK_EVERY)) {
            return Err(corrupt("a snapshot does not list every 1,000th entry"));
        }
        let own = |mark: &Mark| mark.sequence == last && mark.hash != hash;
        if self.marks.iter().any(own) || self.clients.iter().any(|client| own(&client.entry)) {
            return Err(corrupt("a snapshot lists its last entry with two hashes"));
        }
        if self.clients.iter().any(|client| client.entry.sequence > last) {
            return Err(corrupt("a snapshot lists an entry that it does not cover"));
        }
        if !self.clients.is_sorted_by(|one, next| one.client < next.client) {
            return Err(corrupt("a snapshot does not list each client once, in order"));
        }
        if self.segments.is_empty() && self.documents > 0 {
            return Err(corrupt("a snapshot names nothing that could hold its documents"));
        }
        Ok(())
    }
}

fn corrupt(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what)
}

/// The order-free hash over the documents of a snapshot, and how many there are.
///
/// Each document gives one BLAKE3 hash, of these bytes: the length of its id in 8 bytes and the id; 0, or 1 and the length of its
/// revision in 8 bytes and the revision; the number of the entry that put it in 8 bytes; the BLAKE3 hash of its body. The digest is
/// the sum of all of them, as little-endian numbers of 32 bytes, modulo 2^256. All numbers are little endian.
///
/// ```
/// use longshore_core::format::DocumentsDigest;
/// use longshore_core::{DocumentId, Hash, Sequence};
///
/// let (list, note) = (DocumentId::new("list")?, DocumentId::new("note")?);
/// let (mut one, mut other) = (DocumentsDigest::default(), DocumentsDigest::default());
/// one.add(&list, None, Sequence::FIRST, Hash::of(b"milk"), 4);
/// one.add(&note, None, Sequence::FIRST, Hash::of(b"rain"), 4);
/// other.add(&note, None, Sequence::FIRST, Hash::of(b"rain"), 4);
/// assert_ne!(one, other);
/// other.add(&list, None, Sequence::FIRST, Hash::of(b"milk"), 4);
/// assert_eq!(one, other);
/// assert_eq!((one.documents(), one.bytes()), (2, 8));
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentsDigest {
    sum: [u8; 32],
    documents: u64,
    bytes: u64,
}

impl DocumentsDigest {
    /// Takes in a document whose body has this hash and so many bytes.
    pub fn add(&mut self, id: &DocumentId, revision: Option<&Revision>, put_by: Sequence, body: Hash, bytes: u64) {
        let mut hasher = blake3::Hasher::new();
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        text(id.as_str());
        match revision {
            None => drop(hasher.update(&[0])),
            Some(revision) => {
                hasher.update(&[1]);
                hasher.update(&(revision.as_str().len() as u64).to_le_bytes());
                hasher.update(revision.as_str().as_bytes());
            }
        }
        hasher.update(&put_by.get().to_le_bytes());
        hasher.update(body.as_bytes());
        let mut carry = 0;
        for (byte, more) in self.sum.iter_mut().zip(hasher.finalize().as_bytes()) {
            let [low, high] = (u16::from(*byte) + u16::from(*more) + carry).to_le_bytes();
            (*byte, carry) = (low, u16::from(high));
        }
        self.documents = self.documents.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// The digest.
    pub fn hash(&self) -> Hash {
        Hash::from_bytes(self.sum)
    }

    /// How many documents were taken in.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// How many body bytes they have.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::{Kind, decode_record, encode_record};
    use crate::storage::ObjectKey;

    fn mark(number: u64) -> Mark {
        Mark { sequence: Sequence::new(number).unwrap(), hash: Hash::of(&number.to_le_bytes()) }
    }

    fn client(name: u8, number: u64) -> SnapshotClient {
        let attempt = AttemptNumber::FIRST;
        SnapshotClient { client: ClientId::from_bytes([name; 16]), attempt, entry: mark(number) }
    }

    fn header(last: u64) -> SnapshotHeader {
        let Mark { sequence, hash } = mark(last);
        SnapshotHeader {
            key: format!("domains/main/snapshot/{sequence}/data"),
            entry: SnapshotEntry { sequence, hash, time: Some(ServerTime::from_millis(2)) },
            documents: 1,
            bytes: 2,
            digest: Hash::of(b"documents"),
            time: Some(ServerTime::from_millis(3)),
            marks: (1..=last / MARK_EVERY).map(|nth| mark(nth * MARK_EVERY)).collect(),
            clients: vec![client(1, 1), client(2, last)],
            segments: vec![SegmentRef { name: "x".to_owned(), length: 4, hash: Hash::of(b"segment") }],
            index: Vec::new(),
        }
    }

    #[test]
    fn a_snapshot_header_survives() {
        for last in [1, 999, 1000, 3500] {
            let header = header(last);
            let key = ObjectKey::new(header.key.clone()).unwrap();
            let bytes = encode_record(Kind::Snapshot, &header, &[]).unwrap();
            let (read, _) = decode_record::<SnapshotHeader>(Kind::Snapshot, &key, &bytes).unwrap();
            assert_eq!(read, header);
            read.check(read.entry.sequence).unwrap();
            read.check_lists().unwrap();
        }
    }

    #[test]
    fn a_snapshot_that_contradicts_itself_is_corrupt() {
        let wrong: [fn(&mut SnapshotHeader); 9] = [
            |it| it.entry.sequence = Sequence::new(2001).unwrap(),
            |it| it.index.push(it.segments[0].clone()),
            |it| it.marks.truncate(1),
            |it| it.marks.push(mark(3000)),
            |it| it.marks.swap(0, 1),
            |it| it.marks[1].hash = Hash::of(b"another"),
            |it| it.clients.push(client(3, 2001)),
            |it| it.clients.push(client(2, 7)),
            |it| it.segments.clear(),
        ];
        for (at, change) in wrong.iter().enumerate() {
            let mut bad = header(2000);
            change(&mut bad);
            let checked = bad.check(Sequence::new(2000).unwrap()).and_then(|()| bad.check_lists());
            assert_eq!(checked.unwrap_err().kind(), ErrorKind::Corrupt, "{at}");
        }
    }

    /// Another implementation must come to the same: this is what the page says, written out.
    #[test]
    fn the_digest_is_a_sum_of_hashes() {
        let hash = |revision: &[u8]| {
            let mut bytes = Vec::new();
            bytes.extend_from_slice(&2_u64.to_le_bytes());
            bytes.extend_from_slice(b"id");
            bytes.extend_from_slice(revision);
            bytes.extend_from_slice(&7_u64.to_le_bytes());
            bytes.extend_from_slice(blake3::hash(b"body").as_bytes());
            blake3::hash(&bytes)
        };
        let (id, seven) = (DocumentId::new("id").unwrap(), Sequence::new(7).unwrap());
        let revised = Revision::new("r").unwrap();
        let mut digest = DocumentsDigest::default();
        assert_eq!(digest.hash(), Hash::from_bytes([0; 32]));
        digest.add(&id, None, seven, Hash::of(b"body"), 4);
        assert_eq!(digest.hash().as_bytes(), hash(&[0]).as_bytes());
        digest.add(&id, Some(&revised), seven, Hash::of(b"body"), 4);
        let mut sum = [0; 32];
        let mut carry = 0;
        for (at, byte) in sum.iter_mut().enumerate() {
            carry += u32::from(hash(&[0]).as_bytes()[at]) + u32::from(hash(b"\x01\x01\0\0\0\0\0\0\0r").as_bytes()[at]);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        assert_eq!(digest.hash().as_bytes(), &sum);
        assert_eq!((digest.documents(), digest.bytes()), (2, 8));
    }

    proptest! {
        /// The order of documents does not matter, and each of them does.
        #[test]
        fn any_order_gives_the_same(
            documents in prop::collection::btree_map("[a-z]{1,3}", (1_u64..5, any::<u8>()), 1..20),
            turn in any::<prop::sample::Index>(),
        ) {
            let mut list: Vec<_> = documents.into_iter().collect();
            let digest = |list: &[(String, (u64, u8))]| {
                let mut digest = DocumentsDigest::default();
                for (id, (number, body)) in list {
                    let id = DocumentId::new(id.as_str()).unwrap();
                    digest.add(&id, None, Sequence::new(*number).unwrap(), Hash::of(&[*body]), 1);
                }
                digest
            };
            let all = digest(&list);
            let middle = turn.index(list.len());
            list.rotate_left(middle);
            prop_assert_eq!(&digest(&list), &all);
            list[0].1.1 ^= 1;
            prop_assert_ne!(digest(&list).hash(), all.hash());
            list.remove(0);
            prop_assert_ne!(digest(&list).hash(), all.hash());
        }

        /// Whatever a header says, checking it ends, and never panics.
        #[test]
        fn checking_is_total(
            last in 1_u64..5000,
            marks in prop::collection::vec(1_u64..6000, 0..6),
            clients in prop::collection::vec((any::<u8>(), 1_u64..6000), 0..6),
        ) {
            let mut header = header(last);
            header.marks = marks.into_iter().map(mark).collect();
            header.clients = clients.into_iter().map(|(name, number)| client(name, number)).collect();
            if header.check_lists().is_ok() {
                prop_assert_eq!(header.marks.len() as u64, last / MARK_EVERY);
                prop_assert!(header.clients.iter().all(|client| client.entry.sequence.get() <= last));
            }
        }
    }
}
