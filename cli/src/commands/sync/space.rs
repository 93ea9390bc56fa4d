//! Giving disk space back: bodies lie in the database only while they are pending, but SQLite keeps their room for later ones.
//! After a large push that would be as much as the files themselves.

use longshore::Replica as _;

use crate::attached::Attached;

/// Less unused room than this is kept.
const WORTH_IT: u64 = 32 << 20;

/// Shrinks the database if much of it is unused. If that fails, nothing is lost but room.
pub(super) async fn give_back(at: &Attached) {
    // While much is pending, the room is in use, or will be soon.
    if matches!(at.replica.pending_count().await, Ok(0)) {
        at.replica.reclaim(WORTH_IT).await.ok();
    }
}
