//! The ways in which a server here is wrong, and the cases that must catch each.

/// In which one way a server is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// Not at all.
    Nothing,
    /// `store` never knows the store.
    StoreIsNeverThere,
    /// `initialize` gives a new identity each time.
    NewIdentityEachTime,
    /// Looking for a store initialises one.
    LookingInitializes,
    /// The store's identity changes with every look.
    IdentityChanges,
    /// All domains share the log of the first.
    OneLogForAllDomains,
    /// A taken number is answered with `Committed`.
    TakenIsCommitted,
    /// A free number is answered with `Taken`, though the entry is in.
    OwnEntryIsTaken,
    /// The same bytes at the same number, sent again, are `Taken`.
    RepeatIsTaken,
    /// Acknowledged and thrown away.
    CommitIsForgotten,
    /// Reading leaves out every fourth entry.
    ReadSkips,
    /// Reading repeats the entry before in the place of every fourth.
    ReadRepeats,
    /// Reading does not see the newest entry.
    ReadHidesNewest,
    /// Reading past the head gives the newest entry again.
    ReadPastHeadGivesNewest,
    /// One reply fewer than numbers were asked for.
    ReadIsShort,
    /// A reader sees the first half of a large entry's changes.
    ReadTearsEntries,
    /// Of deletions in an entry nothing is seen.
    ReadDropsDeletions,
    /// Ids come back in lower case.
    IdsAreFolded,
    /// Ids come back normalised to NFC: a letter and its accent as one character.
    IdsAreComposed,
    /// Ids come back without the dots at their end, as Windows takes file names.
    TrailingDotsAreDropped,
    /// Numbers are sorted as text: 10 stands before 2.
    NumbersAreText,
    /// Bodies of no bytes are dropped.
    EmptyBodiesAreDropped,
    /// A segment is another one.
    SegmentSwapped,
    /// The bytes of a segment are not checked against the hash that its entry names.
    SegmentUnchecked,
    /// Large bodies are cut at 512 KiB.
    LargeBodiesAreCut,
    /// `get` of a deleted document answers the old one.
    GetFindsDeleted,
    /// `get` answers the first version.
    GetFindsFirst,
    /// `get` finds what is staged only.
    StagedIsSeen,
    /// A lease that is held is granted once more.
    GrantedTwice,
    /// Grants count from 1 again after a release.
    TokenReused,
    /// A renewal keeps the old token.
    RenewalKeepsToken,
    /// A lease that ran out is renewed.
    ExpiredIsRenewed,
    /// A lost lease is given back without a word, and the next holder's with it.
    LateUnlockFreesNext,
    /// A lease runs out for watchers at half its time.
    StaleTooSoon,
    /// A lease never runs out for watchers.
    NeverStale,
    /// A first look counts for whatever record comes next.
    SightingOfAnything,
    /// Force is not heard.
    ForceIsIgnored,
    /// Whoever asks for the same purpose resumes the lease.
    PurposeResumes,
    /// A release does nothing.
    UnlockDoesNothing,
    /// A renewal is delivered once more, and lands after the release.
    RenewalLandsLate,
    /// Times and purposes are not checked.
    RequestsUnchecked,
    /// Leases last by the wall clock.
    WallClock,
    /// The lease of all domains is one.
    CommitNeedsLease,
    /// A renewal that is sent again counts its time anew.
    RenewalCountsAnew,
    /// Metadata is written whatever version is expected.
    ExpectationIgnored,
    /// A conflict does not say the newest version.
    ConflictSaysNothing,
    /// Metadata of one first letter is one piece.
    MetadataNamesCollide,
    /// Metadata has no limit.
    MetadataUnlimited,
    /// Metadata keeps its first value.
    MetadataIsStale,
    /// Counters start anew with each call.
    TrafficShrinks,
    /// A dropped commit takes effect twice: behind itself.
    CommitDoubles,
    /// Entries come with another writer's name.
    WriterIsForgotten,
}

use Wrong as W;

/// Who must be caught, and by which cases among others.
pub const CAUGHT: &[(Wrong, &[&str])] = &[
    (W::StoreIsNeverThere, &["server::store::initialized_twice_it_is_one"]),
    (
        W::NewIdentityEachTime,
        &["server::store::initialized_twice_it_is_one", "server::store::all_that_initialize_at_once_agree"],
    ),
    (
        W::LookingInitializes,
        &["server::store::initialized_twice_it_is_one", "sync::replaced::an_empty_place_is_not_joined"],
    ),
    (
        W::IdentityChanges,
        &["server::store::initialized_twice_it_is_one", "sync::conflicts::told_once_with_all_three_sides"],
    ),
    (W::OneLogForAllDomains, &["server::store::another_domain_is_its_own", "sync::domains::two_beside_each_other"]),
    (
        W::TakenIsCommitted,
        &[
            "server::log::other_bytes_find_the_number_taken",
            "server::log::of_many_appenders_each_gets_in_once",
            "server::log::a_commit_in_one_call",
            "sync::fleet::syncing_at_once_they_converge",
        ],
    ),
    (W::OwnEntryIsTaken, &["server::log::entries_come_as_written"]),
    (W::RepeatIsTaken, &["server::log::the_same_bytes_again_are_the_same_commit"]),
    (W::CommitIsForgotten, &["server::log::entries_come_as_written", "sync::ids::of_all_shapes_arrive"]),
    (W::ReadSkips, &["server::log::twelve_hundred_entries"]),
    (W::ReadRepeats, &["server::log::twelve_hundred_entries", "sync::fleet::one_that_was_away_catches_up"]),
    (W::ReadHidesNewest, &["server::log::entries_come_as_written", "sync::commits::nothing_new_is_nothing_done"]),
    (W::ReadPastHeadGivesNewest, &["server::log::nothing_lies_past_the_head"]),
    (W::ReadIsShort, &["server::log::nothing_lies_past_the_head"]),
    (
        W::ReadTearsEntries,
        &["server::log::a_commit_is_seen_whole", "sync::commits::a_reader_sees_all_of_a_bulk_or_nothing"],
    ),
    (
        W::ReadDropsDeletions,
        &[
            "server::log::entries_come_as_written",
            "sync::pairs::on_the_same_document",
            "sync::pairs::on_different_documents",
            "sync::conflicts::told_once_with_all_three_sides",
            "sync::conflicts::equal_changes_are_none",
        ],
    ),
    (W::IdsAreFolded, &["sync::ids::of_all_shapes_arrive", "server::documents::ids_of_all_shapes"]),
    (W::IdsAreComposed, &["sync::ids::of_all_shapes_arrive", "server::documents::ids_of_all_shapes"]),
    (W::TrailingDotsAreDropped, &["sync::ids::of_all_shapes_arrive", "server::documents::ids_of_all_shapes"]),
    (W::NumbersAreText, &["server::log::twelve_hundred_entries", "sync::fleet::one_that_was_away_catches_up"]),
    (W::EmptyBodiesAreDropped, &["sync::bodies::of_every_size_arrive"]),
    (W::SegmentSwapped, &["server::segments::around_512_kib", "sync::bodies::of_every_size_arrive"]),
    (W::SegmentUnchecked, &["server::segments::one_that_is_not_as_named_is_corrupt"]),
    (
        W::LargeBodiesAreCut,
        &[
            "server::segments::around_512_kib",
            "server::segments::a_large_commit_reads_back",
            "sync::bodies::of_every_size_arrive",
            "sync::bodies::together_larger_than_a_segment",
        ],
    ),
    (W::GetFindsDeleted, &["server::documents::get_of_a_deleted_one_is_none"]),
    (W::GetFindsFirst, &["server::documents::get_finds_the_newest"]),
    (W::StagedIsSeen, &["server::segments::what_is_staged_is_not_seen"]),
    (
        W::GrantedTwice,
        &["server::lease::granted_renewed_and_released", "server::lease::of_sixteen_contenders_one_has_it"],
    ),
    (W::TokenReused, &["server::lease::tokens_grow_over_fifty_grants"]),
    (
        W::RenewalKeepsToken,
        &["server::lease::granted_renewed_and_released", "server::lease::a_renewal_starts_the_wait_anew"],
    ),
    (W::ExpiredIsRenewed, &["server::lease::a_holder_that_slept_is_fenced"]),
    (
        W::LateUnlockFreesNext,
        &["server::lease::a_holder_that_slept_is_fenced", "server::lease::by_force_the_holder_is_fenced"],
    ),
    (
        W::StaleTooSoon,
        &[
            "server::lease::taken_over_after_its_whole_time_only",
            "interruption::server::renewing_the_lease",
            "interruption::server::taking_the_lease",
        ],
    ),
    (
        W::NeverStale,
        &[
            "server::lease::taken_over_after_its_whole_time_only",
            "server::lease::a_dead_holder_blocks_for_one_time_to_live",
            "server::lease::a_watcher_that_restarts_waits_no_longer",
            "sync::locking::a_dead_holder_delays_by_its_time_to_live",
            "interruption::server::giving_the_lease_back",
            "interruption::server::taking_the_lease",
        ],
    ),
    (W::SightingOfAnything, &["server::lease::a_sighting_of_something_else_steals_nothing"]),
    (W::ForceIsIgnored, &["server::lease::by_force_the_holder_is_fenced"]),
    (W::PurposeResumes, &["server::lease::a_restarted_holder_resumes_nothing"]),
    (
        W::UnlockDoesNothing,
        &[
            "server::lease::granted_renewed_and_released",
            "sync::locking::always_leaves_no_lease_held",
            "sync::locking::a_failed_sync_leaves_no_lease_held",
        ],
    ),
    (W::RenewalLandsLate, &["server::lease::granted_renewed_and_released"]),
    (W::RequestsUnchecked, &["server::lease::wrong_calls_are_refused"]),
    (W::WallClock, &["server::lease::wrong_wall_clocks_change_nothing"]),
    (W::CommitNeedsLease, &["server::lease::it_holds_no_commit_back"]),
    (W::RenewalCountsAnew, &["server::lease::a_renewal_sent_again_lasts_no_longer"]),
    (
        W::ExpectationIgnored,
        &["server::metadata::a_wrong_expectation_is_a_conflict", "server::metadata::a_counter_adds_up"],
    ),
    (W::ConflictSaysNothing, &["server::metadata::a_wrong_expectation_is_a_conflict"]),
    (W::MetadataNamesCollide, &["server::metadata::names_of_all_shapes"]),
    (W::MetadataUnlimited, &["server::metadata::up_to_512_kib"]),
    (W::MetadataIsStale, &["server::metadata::versions_follow_each_other"]),
    (W::TrafficShrinks, &["server::traffic::counters_only_grow"]),
    (
        W::CommitDoubles,
        &[
            "sync::fleet::writing_in_turns_they_converge",
            "sync::interrupted::a_dropped_push_loses_nothing",
            "sync::interrupted::a_dropped_first_sync_loses_nothing",
            "sync::conflicts::every_answer_does_what_it_says",
            "sync::conflicts::an_open_one_holds_nothing_else_back",
            "sync::copies::a_pending_change_that_was_cloned_is_committed_once",
            "sync::copies::an_open_attempt_that_was_cloned_is_committed_once",
            "sync::copies::a_restored_backup_catches_up",
            "sync::locking::always_at_once_they_converge",
        ],
    ),
    (W::WriterIsForgotten, &["sync::copies::a_clone_takes_a_new_name"]),
];
