//! What differs between operating systems.

/// Whether paths begin with a drive's letter.
pub(crate) const DRIVES: bool = cfg!(windows);
