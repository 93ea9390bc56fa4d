//! All cases, by group. A file of cases has one topic, and lists its cases at its top.

mod crash;
mod dropping;
mod interruption;
mod merging;
mod network;
mod oracle;
mod server;
mod storage;
mod sync;

use crate::case::Case;

/// All cases, in the order in which they run.
pub(crate) fn all() -> Vec<Case> {
    [storage::cases(), server::cases(), sync::cases(), interruption::cases(), crash::cases(), network::cases()].concat()
}
