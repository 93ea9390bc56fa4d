//! What must hold at every moment.

use super::client::Client;
use super::store::{Entry, Kind};
use super::{Config, Scene, World, bits};
use crate::checker::Broken;

impl Config {
    pub(super) fn verdict(&self, world: &World) -> Option<Broken> {
        world.broken.or_else(|| committed(world)).or_else(|| self.replicas(world))
    }

    fn replicas(&self, world: &World) -> Option<Broken> {
        let stores_change = self.stores_change();
        for client in world.clients.iter().flatten() {
            let on_track = self.is_on_track(world, client);
            if on_track && client.applied != world.store.rows(client.checkpoint) {
                return Some(Broken::new("I5", "a replica's documents are not those of the log up to its checkpoint"));
            }
            if !on_track && !stores_change {
                return Some(Broken::new("I6", "a replica applied an entry that is not in the one order of commits"));
            }
        }
        None
    }

    fn stores_change(&self) -> bool {
        let rolled_back = matches!(self.scene, Scene::RolledBackWriter | Scene::RolledBackReader);
        self.budget.rollbacks + self.budget.replacements > 0 || rolled_back
    }

    /// Whether what this replica has applied is the beginning of this store's history.
    #[allow(clippy::unused_self, reason = "reads beside the other checks")]
    pub(super) fn is_on_track(&self, world: &World, client: &Client) -> bool {
        let store = &world.store;
        client.store.is_none_or(|known| known == store.id)
            && client.checkpoint <= store.length
            && (client.store.is_none() || store.hash(client.checkpoint) == client.hash)
    }

    pub(super) fn must_be_on_track(&self, world: &mut World, client: &Client, what: &'static str) {
        if self.stores_change() && !self.is_on_track(world, client) {
            world.breaks("I10", what);
        }
    }

    /// An entry comes into being.
    pub(super) fn land(&self, world: &mut World, entry: Entry, staged: u8) {
        if entry.number > world.store.length + 1 {
            world.breaks("I6", "an entry lies above a hole in the log");
        }
        if self.shared && entry.kind == Kind::Changes && entry.number > world.store.length {
            let mut below = world.store.last_row(world.store.length);
            for row in bits(entry.rows) {
                if world.base[usize::from(row)] != below {
                    world.breaks("I4", "a change was committed over one that its app had not seen");
                }
                below = Some(row);
            }
        }
        world.store.put(entry, staged);
    }
}

fn committed(world: &World) -> Option<Broken> {
    let mut rows = 0;
    for entry in world.store.up_to(world.store.length) {
        if rows & entry.rows != 0 {
            return Some(Broken::new("I3", "a change was committed twice"));
        }
        rows |= entry.rows;
    }
    if world.acknowledged & !rows != 0 {
        return Some(Broken::new("I2", "a change whose push was acknowledged is in no entry"));
    }
    let pending = world.clients.iter().flatten().fold(0, |all, client| all | client.outbox);
    if bits(!(rows | pending | world.excused)).any(|row| row < world.made) {
        return Some(Broken::new("I4", "a change is gone, and no app was told"));
    }
    (!world.store.is_whole()).then(|| Broken::new("I8", "an entry above the newest snapshot is gone"))
}
