//! Broken storages that only show under faults, and the cases that must catch them.

/// The broken storage, by its name in the table, and the case.
pub(crate) const CAUGHT: &[(&str, &str)] = &[
    ("put writes in place", "interruption::storage::a_cut_put_leaves_nothing"),
    ("that nothing was there is remembered", "interruption::storage::a_long_history_of_faults"),
];
