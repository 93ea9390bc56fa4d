//! Which cases must notice which mistake.

use longshore_core::sabotage::Mistake;

/// The cases that must notice this mistake.
pub(crate) fn named(mistake: Mistake) -> &'static [&'static str] {
    match mistake {
        Mistake::CheckpointFirst => &["sync::damage::removed_segments_are_corrupt"],
        Mistake::SegmentSkipped => &[
            "sync::damage::removed_segments_are_corrupt",
            "interruption::server::a_read_is_stale",
            "interruption::storage::a_read_is_stale",
        ],
        Mistake::CheckpointApart | Mistake::FailureKeepsCheckpoint => &["sync::meanwhile::the_disk_fills"],
        Mistake::ChainUnchecked => &["sync::replaced::entries_of_two_histories_are_refused"],
        Mistake::HeadTimeIgnored => &["sync::unseen::a_trimmed_log_is_not_begun_anew"],
        Mistake::FirstChangeCounts => &["sync::fleet::one_that_was_away_catches_up"],
        Mistake::OwnByClientId => &["sync::meanwhile::a_clone_commits"],
        Mistake::OwnEntryApplied | Mistake::AttemptUnjournalled => &["sync::unseen::a_lost_reply_is_asked_for"],
        Mistake::AttemptForgotten => &[
            "sync::unseen::a_lost_reply_is_asked_for",
            "interruption::server::two_faults_in_one_push_and_pull",
            "interruption::server::a_process_dies_after_a_call",
            "interruption::server::a_process_dies_during_a_call",
            "interruption::storage::a_process_dies_after_a_call",
            "interruption::storage::a_process_dies_during_a_call",
            "interruption::server::a_long_history_of_faults",
            "interruption::server::a_future_is_dropped",
            "interruption::storage::a_future_is_dropped",
            "interruption::server::a_future_of_an_open_client_is_dropped",
            "interruption::storage::a_future_of_an_open_client_is_dropped",
        ],
        Mistake::NextNumberOnDoubt => &[
            "sync::unseen::a_lost_reply_is_asked_for",
            "interruption::storage::two_faults_in_one_push_and_pull",
            "interruption::storage::two_faults_in_clients_that_stay_open",
            "interruption::server::a_reply_is_lost",
            "interruption::storage::a_reply_is_lost",
        ],
        Mistake::CopyUnnoticed => &["sync::copies::a_clone_takes_a_new_name"],
        Mistake::RemoteWins
        | Mistake::LocalWins
        | Mistake::BaseDecides
        | Mistake::RevisionDecides
        | Mistake::ConflictPushed => &["sync::conflicts::told_once_with_all_three_sides"],
        Mistake::EqualEditsConflict => &["sync::conflicts::equal_changes_are_none"],
        Mistake::StagedKept | Mistake::RowsDroppedFirst => &["sync::meanwhile::another_commits"],
        Mistake::LateAnswerApplied => &["sync::meanwhile::the_app_writes_while_it_is_asked"],
        Mistake::MergeKeepsBase => &["sync::unseen::a_merge_is_based_on_the_remote_version"],
        Mistake::StoreIdUnchecked => &["sync::unseen::another_store_without_entries_is_refused"],
        Mistake::StoreGoneIgnored => &["sync::replaced::an_emptied_store_is_refused"],
        Mistake::CheckpointHashUnchecked => &["sync::replaced::a_fork_is_refused"],
        Mistake::MissingEntryIgnored => &["sync::replaced::an_older_copy_is_refused"],
        Mistake::OldLookTrusted => &["sync::meanwhile::the_store_is_emptied"],
        Mistake::LaterRowsDropped => &["sync::interrupted::a_dropped_push_loses_nothing"],
        Mistake::ExistsIsForeign => &["server::log::the_same_bytes_again_are_the_same_commit"],
        Mistake::ExistsIsOurs => &["server::log::other_bytes_find_the_number_taken"],
        Mistake::StaleBatchApplied => &["sync::meanwhile::the_app_writes"],
        Mistake::CancelKeepsClaim => &["sync::interrupted::a_dropped_first_sync_loses_nothing"],
        Mistake::LeaseTakenAtOnce => &["server::lease::taken_over_after_its_whole_time_only"],
        Mistake::FirstLookForgotten => &[
            "server::lease::a_watcher_that_restarts_waits_no_longer",
            "interruption::server::a_holder_sleeps_through_its_time",
        ],
        Mistake::RenewedAtAnyNumber => &["server::lease::by_force_the_holder_is_fenced"],
        Mistake::ExpiredLeaseRenewed => &["server::lease::a_holder_that_slept_is_fenced"],
        Mistake::TokenReused => &["server::lease::tokens_grow_over_fifty_grants"],
        Mistake::ExpectedVersionIgnored => {
            &["server::metadata::a_wrong_expectation_is_a_conflict", "interruption::server::writing_metadata"]
        }
        Mistake::DoubtIsDone => &[
            "interruption::server::a_call_is_never_sent",
            "interruption::server::a_write_lands_late",
            "interruption::server::an_answer_is_overdue",
            "interruption::server::under_a_lease",
            "interruption::storage::a_call_is_never_sent",
            "interruption::storage::a_write_lands_late",
            "interruption::storage::an_answer_is_overdue",
            "interruption::storage::under_a_lease",
            "interruption::storage::renewing_the_lease",
            "interruption::storage::taking_the_lease",
            "interruption::storage::writing_metadata",
        ],
        Mistake::RefusalIsDone => {
            &["interruption::server::a_call_is_refused", "interruption::storage::a_call_is_refused"]
        }
        Mistake::RetryAfterIgnored => &["interruption::storage::a_call_is_refused"],
        Mistake::ExistsIsFailure => {
            &["interruption::server::a_write_is_delivered_twice", "interruption::storage::a_write_is_delivered_twice"]
        }
        Mistake::LateAnswerDismissed => {
            &["interruption::server::a_machine_sleeps", "interruption::storage::a_machine_sleeps"]
        }
        Mistake::BrokenOffIsDamage => &["interruption::storage::a_body_is_cut"],
        Mistake::HalfIsWhole => &["interruption::server::a_body_is_cut"],
        Mistake::AttemptAssumed => &[
            "interruption::server::a_process_dies_before_a_call",
            "interruption::storage::a_process_dies_before_a_call",
        ],
        Mistake::DoubtfulReleaseDeletes => &["interruption::storage::giving_the_lease_back"],
        Mistake::SegmentHashUnchecked => &["server::segments::one_that_is_not_as_named_is_corrupt"],
        Mistake::ChecksumUnchecked => &["sync::unseen::a_changed_byte_is_noticed"],
        _ => of_uploads(mistake),
    }
}

/// Those of pushes that are more than an entry holds.
fn of_uploads(mistake: Mistake) -> &'static [&'static str] {
    match mistake {
        Mistake::UploadNotAwaited => {
            &["sync::uploads::one_that_fails_is_not_named", "sync::bodies::together_larger_than_a_segment"]
        }
        Mistake::FailedUploadNamed => &["sync::uploads::one_that_fails_is_not_named"],
        Mistake::OversizeSent | Mistake::TooLargeStopsAll | Mistake::TooLargeDropped => {
            &["sync::uploads::what_no_object_can_hold_waits_alone"]
        }
        _ => of_open_clients(mistake),
    }
}

/// Those of pushes without a poll.
fn of_open_clients(mistake: Mistake) -> &'static [&'static str] {
    match mistake {
        Mistake::AheadEndsOvertaken => &[
            "sync::open_clients::one_that_was_overtaken_pulls",
            "sync::open_clients::one_that_was_overtaken_sees_the_conflict",
        ],
        Mistake::AheadAbandonsOnDoubt => &[
            "interruption::server::in_clients_that_stay_open",
            "interruption::storage::in_clients_that_stay_open",
            "interruption::server::two_faults_in_clients_that_stay_open",
        ],
        // One that is new here has no case yet: that fails.
        _ => &[],
    }
}
