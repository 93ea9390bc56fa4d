//! What really lies in the log of a domain: read beneath all faults, entry by entry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use longshore_core::format::SegmentRef;
use longshore_core::{
    Action, AttemptNumber, Change, ClientId, Content, Document, DocumentId, DomainName, Entry, Hash, MemoryStorage,
    ObjectKey, Runtime, Sequence, Server, StoredServer,
};

use super::Broken;
use crate::case::Rule;

pub(super) struct Ledger {
    server: StoredServer,
    pub(super) entries: Vec<Committed>,
    /// The documents as of each entry.
    folds: Vec<BTreeMap<DocumentId, Document>>,
    previous: Option<Hash>,
    attempts: BTreeSet<(ClientId, AttemptNumber)>,
    /// Whether every write has a body or a revision of its own: then none may be there twice.
    changes: BTreeSet<(DocumentId, String)>,
}

pub(super) struct Committed {
    pub(super) hash: Hash,
    pub(super) segments: Vec<SegmentRef>,
    pub(super) changes: Vec<Change>,
}

impl Ledger {
    pub(super) fn new(memory: &MemoryStorage, runtime: &Arc<dyn Runtime>, domain: &DomainName) -> Result<Self, Broken> {
        let server = StoredServer::new(Arc::new(memory.clone()), Arc::clone(runtime), domain)?;
        Ok(Self {
            server,
            entries: Vec::new(),
            folds: vec![BTreeMap::new()],
            previous: None,
            attempts: BTreeSet::new(),
            changes: BTreeSet::new(),
        })
    }

    /// Reads what was committed since.
    pub(super) fn read_on(&mut self) -> Result<(), Broken> {
        if self.previous.is_none() {
            let Some(info) = now(self.server.store())?.value else {
                return Ok(());
            };
            self.previous = Some(info.hash);
        }
        loop {
            let number = Sequence::new(self.entries.len() as u64 + 1)?;
            let Some(entry) = now(self.server.changes_read(number, 1))?.pop().and_then(|reply| reply.value) else {
                return Ok(());
            };
            self.add(entry)?;
        }
    }

    fn add(&mut self, entry: Entry) -> Result<(), Broken> {
        let number = entry.sequence.get();
        if Some(entry.previous) != self.previous {
            let seen = format!("entry {number} does not name the hash of the entry before it");
            return Err(Broken::new(Rule::Invariant(6), seen));
        }
        if !self.attempts.insert((entry.client, entry.attempt)) {
            let seen =
                format!("entry {number} is attempt {} of client {} a second time", entry.attempt.get(), entry.client);
            return Err(Broken::new(Rule::Invariant(3), seen));
        }
        let segments = if let Content::Segments(segments) = &entry.content { segments.clone() } else { Vec::new() };
        let changes = self.changes_of(entry.content, number)?;
        let mut fold = self.folds.last().cloned().unwrap_or_default();
        for change in &changes {
            self.note_once(change, number)?;
            match change.document() {
                Some(document) => drop(fold.insert(change.id.clone(), document)),
                None => drop(fold.remove(&change.id)),
            }
        }
        self.folds.push(fold);
        self.previous = Some(entry.hash);
        self.entries.push(Committed { hash: entry.hash, segments, changes });
        Ok(())
    }

    fn changes_of(&self, content: Content, number: u64) -> Result<Vec<Change>, Broken> {
        match content {
            Content::Changes(changes) => Ok(changes),
            Content::Segments(segments) => {
                let mut all = Vec::new();
                for segment in segments {
                    let read = now(self.server.segment(&segment));
                    all.extend(read.map_err(|broken| Broken::new(Rule::Invariant(8), broken.seen))?);
                }
                Ok(all)
            }
            other => {
                Err(Broken::new(Rule::Invariant(6), format!("entry {number} is one that nobody wrote: {other:?}")))
            }
        }
    }

    /// Every write of an app carries a revision of its own.
    fn note_once(&mut self, change: &Change, number: u64) -> Result<(), Broken> {
        let Some(revision) = &change.revision else {
            return Ok(());
        };
        if self.changes.insert((change.id.clone(), revision.to_string())) {
            return Ok(());
        }
        let seen = format!("entry {number} commits the write {revision} of {:?} a second time", change.id.as_str());
        Err(Broken::new(Rule::Invariant(3), seen))
    }

    /// The entry of this number, if it is there.
    pub(super) fn entry(&self, number: u64) -> Option<&Committed> {
        self.entries.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// What an entry did to a document last.
    pub(super) fn change(&self, number: Sequence, id: &DocumentId) -> Option<&Change> {
        self.entry(number.get())?.changes.iter().rfind(|change| change.id == *id)
    }

    /// Whether an entry has this very change.
    pub(super) fn has(&self, number: Sequence, id: &DocumentId, action: &Action) -> bool {
        let entry = self.entry(number.get());
        entry.is_some_and(|entry| entry.changes.iter().any(|change| change.id == *id && change.action == *action))
    }

    /// The documents as of an entry; 0 is before the first.
    pub(super) fn documents(&self, number: u64) -> Option<&BTreeMap<DocumentId, Document>> {
        self.folds.get(usize::try_from(number).ok()?)
    }

    /// Every entry is the one that was read when it was new, and what it names is there. (I2, I8)
    pub(super) fn check_objects(&self, objects: &BTreeMap<ObjectKey, Bytes>) -> Result<(), Broken> {
        let is = |key: &str, hash: Hash| {
            let stored = ObjectKey::new(key).ok().and_then(|key| objects.get(&key));
            stored.is_some_and(|stored| Hash::of(stored) == hash)
        };
        for (number, entry) in (1_u64..).zip(&self.entries) {
            let key = format!("domains/{}/log/{:016}/{number:016}/data", self.server.domain(), number / 256);
            if !is(&key, entry.hash) {
                let seen = format!("entry {number} was committed, and is not what lies in the log at the end");
                return Err(Broken::new(Rule::Invariant(2), seen));
            }
            if let Some(segment) = entry.segments.iter().find(|segment| !is(&segment.name, segment.hash)) {
                let seen = format!("entry {number} names {}, which cannot be read", segment.name);
                return Err(Broken::new(Rule::Invariant(8), seen));
            }
        }
        Ok(())
    }

    pub(super) fn head(&self) -> u64 {
        self.entries.len() as u64
    }
}

/// What lies in memory is there at once.
pub(super) fn now<T>(call: impl Future<Output = longshore_core::Result<T>>) -> Result<T, Broken> {
    match call.now_or_never() {
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) => Err(error.into()),
        None => Err(Broken::new(Rule::Invariant(8), "the log cannot be read to its end".to_owned())),
    }
}
