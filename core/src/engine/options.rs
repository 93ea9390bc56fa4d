//! How a client behaves.

/// When a client takes the lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LockPolicy {
    /// After two lost races, so that a busy store makes progress. The log alone keeps data safe.
    #[default]
    Contended,
    /// Around every sync, as the specification's procedure has it.
    Always,
}

/// Whether a client whose replica knows no store yet may initialise one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenMode {
    /// Initialise the store if nothing is there, else join it.
    #[default]
    CreateOrJoin,
    /// Join a store that is there; `Missing` otherwise.
    Join,
}
