//! What lies on the server: entries under numbers, and snapshots.

/// The highest number that an entry can have here. Bounds of a check must stay below.
pub(super) const LONGEST: usize = 6;

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Changes of documents.
    Changes,
    /// The names of a snapshot's segments.
    Snapshot,
}

/// One numbered object of the change log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// What it holds.
    pub kind: Kind,
    /// Who wrote it.
    pub client: u8,
    /// Its writer's number for the attempt.
    pub attempt: u8,
    /// Its place.
    pub number: u8,
    /// The hash of the entry below.
    pub previous: u32,
    /// The changes in it, as a set of bits.
    pub rows: u8,
}

impl Entry {
    /// Its identity: the hash of its bytes.
    pub fn hash(&self) -> u32 {
        let small = [self.kind as u8, self.client, self.attempt, self.number, self.rows];
        let bytes = small.into_iter().chain(self.previous.to_le_bytes());
        bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }
}

/// A store, and what truly happened in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Store {
    /// Which store it is.
    pub id: u8,
    /// What can be read now.
    log: [Option<Entry>; LONGEST],
    /// What was first put under each number. No client sees this: the invariants are judged by it.
    history: [Option<Entry>; LONGEST],
    /// When each entry was staged, where a rule needs it.
    staged: [u8; LONGEST],
    /// How many numbers were ever taken.
    pub length: u8,
    /// The published snapshots, as a set of bits.
    pub snapshots: u8,
}

impl Store {
    /// An empty one.
    pub fn new(id: u8) -> Self {
        Self { id, log: [None; LONGEST], history: [None; LONGEST], staged: [0; LONGEST], length: 0, snapshots: 0 }
    }

    /// What a read of this number gives.
    pub fn get(&self, number: u8) -> Option<Entry> {
        self.log[at(number)]
    }

    /// What was committed under this number.
    pub fn committed(&self, number: u8) -> Option<Entry> {
        self.history[at(number)]
    }

    /// The hash of what was committed under this number; of the store's `format` for 0.
    pub fn hash(&self, number: u8) -> u32 {
        if number == 0 { u32::from(self.id) } else { self.committed(number).map_or(0, |entry| entry.hash()) }
    }

    /// Puts an entry where nothing is.
    pub fn put(&mut self, entry: Entry, staged: u8) {
        self.log[at(entry.number)] = Some(entry);
        self.staged[at(entry.number)] = staged;
        if entry.number > self.length {
            self.history[at(entry.number)] = Some(entry);
            self.length = entry.number;
        }
    }

    /// Deletes what is under this number.
    pub fn trim(&mut self, number: u8) {
        self.log[at(number)] = None;
    }

    /// When the entry under this number was staged.
    pub fn staged(&self, number: u8) -> u8 {
        self.staged[at(number)]
    }

    /// The newest snapshot; 0 if there is none. One below the floor.
    pub fn newest(&self) -> u8 {
        (1..=self.length).rev().find(|number| self.snapshots & 1 << number != 0).unwrap_or(0)
    }

    /// Whether every number below the head, above the newest snapshot, can be read.
    pub fn is_whole(&self) -> bool {
        (self.newest() + 1..=self.length).all(|number| self.get(number).is_some())
    }

    /// The entries up to this number.
    pub fn up_to(&self, number: u8) -> impl DoubleEndedIterator<Item = Entry> {
        self.history.iter().take(usize::from(number)).copied().flatten()
    }

    /// The changes in the entries up to this number.
    pub fn rows(&self, number: u8) -> u8 {
        self.up_to(number).fold(0, |rows, entry| rows | entry.rows)
    }

    /// The last change up to this number: the content of the document that all changes are of.
    pub fn last_row(&self, number: u8) -> Option<u8> {
        let entry = self.up_to(number).rev().find(|entry| entry.rows != 0)?;
        super::bits(entry.rows).last()
    }

    /// What a snapshot at this number lists as a client's last committed attempt.
    pub fn listed(&self, client: u8, number: u8) -> Option<Entry> {
        self.up_to(number).rev().find(|entry| entry.kind == Kind::Changes && entry.client == client)
    }
}

fn at(number: u8) -> usize {
    assert!((1..=LONGEST).contains(&usize::from(number)), "raise LONGEST: a bound needs entry {number}");
    usize::from(number) - 1
}
