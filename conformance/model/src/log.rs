//! Opening, pulling and committing, beside snapshots that trim the log: two or three replicas and a compactor over one store.
//!
//! Changes are numbered; what a replica holds is the set of those that it applied. With [`Config::shared`] all of them are of one
//! document, so that each is based on another and conflicts arise.
//!
//! The unit of time is half a retention. A reply counts by itself within a whole retention after head time, the most that is
//! sound; the protocol allows half of that.

mod client;
mod local;
mod maintenance;
mod push;
mod store;
mod surroundings;
mod sync;
mod verdict;

use crate::checker::{Broken, Model, Steps};
use crate::rules::rules;

pub use client::{Attempt, Client, Replies, Reply, Step};
pub use maintenance::{Compactor, Stage};
pub use store::{Entry, Kind, Store};

/// The most changes that the app of all replicas can make.
pub const CHANGES: usize = 6;
/// How long entries are kept after a snapshot covers them.
const RETENTION: u8 = 2;

rules! {
    /// Open reads the store's id.
    store_id,
    /// Open compares the hash of the entry at the checkpoint.
    checkpoint_hash,
    /// An entry missing at the checkpoint needs a snapshot above it, or the next entry to name it (else: goes on).
    missing_checkpoint_is_an_error,
    /// Another entry at the checkpoint is judged after the floor was read: a late write may lie where the entry was trimmed.
    floor_before_another_hash,
    /// With a snapshot exactly at the checkpoint, its hash must be the one known.
    snapshot_hash_at_open,
    /// A snapshot must agree with the hashes that the replica keeps.
    kept_hashes_agree,
    /// A snapshot must list the last acknowledged attempt, or a later one.
    snapshot_lists_my_attempt,
    /// "Nothing there" counts only shortly after the head was proved.
    head_time,
    /// Head time is kept only if the replica's own clock agrees with the server's.
    head_time_needs_agreeing_clocks,
    /// An entry, too, counts only shortly after the head was proved.
    floor_check_of_found_entry,
    /// The floor is read after the reply that it vouches for.
    floor_read_after_the_reply,
    /// What is applied are the bytes that were read before the floor (else: reads them again).
    bytes_before_the_floor_read,
    /// Each reply of a read-ahead is judged by its own time (else: by the time of the first).
    each_reply_has_its_own_time,
    /// `Created` that comes late counts only above the floor.
    floor_check_after_late_reply,
    /// So does "mine" on read-back.
    floor_check_after_late_read_back,
    /// Below the floor, the snapshot says whether the attempt was committed (else: it was not).
    snapshot_decides_below_the_floor,
    /// A broken chain below the floor means trimmed, not replaced.
    floor_before_chain_error,
    /// The attempt is durable before it is sent.
    journal_before_send,
    /// `Exists` on a repeated create is not taken for the echo of the first try.
    read_back_after_exists,
    /// `Exists` is not taken for another's entry either.
    exists_may_be_mine,
    /// After an unknown outcome, the same bytes are sent again (else: they are made anew).
    same_bytes,
    /// And to the same number (else: to the next).
    same_number,
    /// What goes ahead without a poll is no second attempt beside an open one.
    open_attempt_first,
    /// And is given up only if it was surely not written.
    given_up_only_if_not_written,
    /// A commit drops exactly the rows of the attempt.
    rows_of_the_attempt,
    /// An entry is mine only if its hash is journalled (else: by client and attempt).
    hash_identity,
    /// My id with another hash: take a new id.
    new_id_for_a_clone,
    /// A pending row equal to a pulled change is dropped.
    equal_rows_are_dropped,
    /// And the earlier pending rows of its document with it.
    earlier_rows_are_dropped_too,
    /// A snapshot lists the last attempt of each client.
    snapshot_lists_attempts,
    /// With its hash (else: by number).
    snapshot_lists_hashes,
    /// Rows of an attempt that a copy of this replica went past go to the app.
    doubtful_rows_become_conflicts,
    /// A pulled change to a document with a pending row is a conflict.
    conflicts_are_told,
    /// A document in conflict is not pushed.
    conflict_blocks_push,
    /// Documents, outbox and checkpoint move in one transaction (else: the outbox follows).
    one_transaction,
    /// Entries age from when the snapshot's writer read them (else: from when they were staged).
    age_from_reading,
    /// The trimmer's own clock must agree with the server's.
    clocks_agree,
    /// Nothing is deleted before the snapshot was read back.
    snapshot_read_back,
}

/// How often each thing may happen, in the whole of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Half a retention passes.
    pub ticks: u8,
    /// The app writes.
    pub edits: u8,
    /// A process dies.
    pub crashes: u8,
    /// The outcome of a write is not known.
    pub lost: u8,
    /// Such a write lands later.
    pub late: u8,
    /// The first replica is copied.
    pub clones: u8,
    /// The first replica is restored from a backup.
    pub restores: u8,
    /// The store is restored from a backup.
    pub rollbacks: u8,
    /// Another store is put in its place.
    pub replacements: u8,
    /// Snapshots are made.
    pub snapshots: u8,
    /// The server's clock jumps ahead by more than a retention, and back.
    pub jumps: u8,
}

/// A model of the log.
#[allow(clippy::struct_excessive_bools, reason = "each is a bound of its own")]
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The rules.
    pub rules: Rules,
    /// How often things may happen.
    pub budget: Budget,
    /// Replicas at the beginning: 1 to 3.
    pub clients: usize,
    /// Compactors: 0 to 2.
    pub compactors: usize,
    /// Whether all changes are of one document.
    pub shared: bool,
    /// Whether a pull sends two requests at once.
    pub ahead: bool,
    /// Whether a trim may delete in any order.
    pub any_order: bool,
    /// Replicas keep the hash of every n-th entry.
    pub kept_every: u8,
    /// Whether replicas, too, see the server's clock jump.
    pub jumps_are_seen: bool,
    /// Where it begins.
    pub scene: Scene,
}

/// Where a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// An empty store, new replicas.
    Empty,
    /// B has committed entry 1, A has it. A's attempt for number 2 is on its way; B has a pending change.
    InFlight,
    /// As `InFlight`, but the create on its way is of a third replica.
    Stranger,
    /// B has committed entry 1, A has it. B is about to create entry 2; A has a pending change.
    Staged,
    /// A has applied entry 1, which it wrote itself. Then the store was rolled back, and is empty; B, new, has a change.
    RolledBackWriter,
    /// As `RolledBackWriter`, but another has written entry 1.
    RolledBackReader,
    /// A has an attempt for number 1 that never arrived. B is a copy of A from before it, with another change.
    Copies,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rules: Rules::ALL,
            budget: Budget::default(),
            clients: 1,
            compactors: 0,
            shared: false,
            ahead: false,
            any_order: false,
            kept_every: 1,
            jumps_are_seen: false,
            scene: Scene::Empty,
        }
    }
}

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    time: u8,
    store: Store,
    /// Creates on their way.
    late: [Option<Entry>; 2],
    /// Snapshots on their way, as a set of bits.
    late_snapshots: u8,
    clients: [Option<Client>; 3],
    compactors: [Compactor; 2],
    left: Budget,
    /// How many changes the app has made.
    made: u8,
    /// Ids given to clients.
    ids: u8,
    /// What each change of the shared document was made on.
    base: [Option<u8>; CHANGES],
    /// Which replica made each.
    author: [u8; CHANGES],
    /// The changes whose push was acknowledged.
    acknowledged: u8,
    /// The changes that may be gone: lost with a replica or a store, or given up by the app.
    excused: u8,
    /// Whether the clock of the server is ahead right now.
    jumped: bool,
    backup: Option<Box<Client>>,
    copy: Option<Box<Store>>,
    broken: Option<Broken>,
}

impl World {
    fn client(&self, who: usize) -> Client {
        self.clients[who].unwrap_or_else(|| Client::new(0))
    }

    /// This world, with one replica changed.
    fn with(&self, who: usize, change: impl FnOnce(&mut Client)) -> Self {
        let mut world = self.clone();
        world.update(who, change);
        world
    }

    fn update(&mut self, who: usize, change: impl FnOnce(&mut Client)) {
        if let Some(client) = &mut self.clients[who] {
            change(client);
        }
    }

    /// This world with one of a budget spent, if any is left.
    fn spend(&self, of: impl Fn(&mut Budget) -> &mut u8) -> Option<Self> {
        let mut world = self.clone();
        let left = of(&mut world.left);
        *left = left.checked_sub(1)?;
        Some(world)
    }

    fn breaks(&mut self, invariant: &'static str, what: &'static str) {
        self.broken.get_or_insert(Broken::new(invariant, what));
    }
}

impl Model for Config {
    type State = World;

    fn start(&self) -> World {
        self.first_world()
    }

    fn steps(&self, world: &World, out: &mut Steps<World>) {
        self.surroundings(world, out);
        for which in 0..self.compactors {
            self.maintain(world, which, out);
        }
        for who in 0..world.clients.len() {
            if world.clients[who].is_some() {
                self.mishaps(world, who, out);
                self.app(world, who, out);
                self.sync(world, who, out);
            }
        }
    }

    fn broken(&self, world: &World) -> Option<Broken> {
        self.verdict(world)
    }
}

/// The name of a replica.
fn name(who: usize) -> char {
    ['A', 'B', 'C'][who]
}

/// The members of a set of bits, in ascending order.
fn bits(set: u8) -> impl Iterator<Item = u8> {
    (0..8).filter(move |bit| set & 1 << bit != 0)
}

/// A set of bits, for people.
fn told(set: u8) -> String {
    let members: Vec<String> = bits(set).map(|bit| bit.to_string()).collect();
    format!("{{{}}}", members.join(" "))
}
