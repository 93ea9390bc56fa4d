//! Mistakes that the engine, the server on a storage and the replica in memory make on purpose, one in a process, so that tests
//! can prove that they would notice them.
//!
//! Only with the feature `sabotage`, which is for this project's own tests, and only where the environment variable
//! `LONGSHORE_SABOTAGE` names a mistake. Without the feature `on` is `false` when the program is compiled, and nothing of this
//! is left in it.
//!
//! A mistake is made at the place of the decision that it gets wrong, in a line or two, and is one that an engineer would make.

use crate::error::{Error, Outcome};

/// Lists the mistakes: a doc, a variant and a name each.
macro_rules! mistakes {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal,)+) => {
        /// A mistake to make on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "sabotage", non_exhaustive)]
        #[cfg_attr(not(feature = "sabotage"), expect(unreachable_pub, reason = "public to tests only"))]
        pub enum Mistake {
            $($(#[$doc])+ $variant,)+
        }

        #[cfg(feature = "sabotage")]
        impl Mistake {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name that switches it on.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The mistake of this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|mistake| mistake.name() == name)
            }
        }
    };
}

mistakes! {
    // Pulling.
    /// The checkpoint is moved and saved before the changes below it are applied.
    CheckpointFirst = "checkpoint-first",
    /// The checkpoint is saved in a transaction of its own, just before the one with the documents.
    CheckpointApart = "checkpoint-apart",
    /// A failed sync saves the checkpoint that it had moved in memory, over entries that were never applied.
    FailureKeepsCheckpoint = "failure-keeps-checkpoint",
    /// An entry is applied although it does not name the hash of the one before.
    ChainUnchecked = "chain-unchecked",
    /// Nothing at the next number always means the head of the log, however long the replica was away.
    HeadTimeIgnored = "head-time-ignored",
    /// Of several changes of a document the first counts.
    FirstChangeCounts = "first-change-counts",
    /// A segment that cannot be read is passed over.
    SegmentSkipped = "segment-skipped",
    /// An entry at the open attempt's number is ours if it has our client id and attempt number, whatever its hash.
    OwnByClientId = "own-by-client-id",
    /// The open attempt's entry is not recognised, and applied like another's.
    OwnEntryApplied = "own-entry-applied",
    /// An entry of our client id that we never wrote is no reason to take a new one.
    CopyUnnoticed = "copy-unnoticed",

    // Conflicts.
    /// A remote change to a document with a pending one is passed over.
    LocalWins = "local-wins",
    /// A remote change to a document with a pending one is stored over it.
    RemoteWins = "remote-wins",
    /// There is no conflict where both edits started from the same base.
    BaseDecides = "base-decides",
    /// There is no conflict where both edits have the same revision text.
    RevisionDecides = "revision-decides",
    /// Equal edits are a conflict.
    EqualEditsConflict = "equal-edits-conflict",
    /// What was staged before a lost race is pushed as it is, conflicts included.
    StagedKept = "staged-kept",
    /// A document in conflict is pushed before the app has answered.
    ConflictPushed = "conflict-pushed",
    /// An answer counts although the app wrote the document after it was asked.
    LateAnswerApplied = "late-answer-applied",
    /// A merged answer keeps the base that the conflict started from.
    MergeKeepsBase = "merge-keeps-base",

    // Opening.
    /// The store's id is not compared.
    StoreIdUnchecked = "store-id-unchecked",
    /// A store that is not there any more is taken for an empty one.
    StoreGoneIgnored = "store-gone-ignored",
    /// The hash of the entry at the checkpoint is not compared.
    CheckpointHashUnchecked = "checkpoint-hash-unchecked",
    /// That the entry at the checkpoint is missing is taken for an empty log.
    MissingEntryIgnored = "missing-entry-ignored",
    /// A client that was open for long pushes without looking at its checkpoint again.
    OldLookTrusted = "old-look-trusted",

    // Pushing.
    /// The outbox rows are dropped before the commit is proved.
    RowsDroppedFirst = "rows-dropped-first",
    /// Rows that were written after staging are dropped with the commit.
    LaterRowsDropped = "later-rows-dropped",
    /// The attempt is journalled only once it is in the log.
    AttemptUnjournalled = "attempt-unjournalled",
    /// A new process does not ask for the open attempt of the one before.
    AttemptForgotten = "attempt-forgotten",
    /// After a lost reply nothing is read back: the same changes go to the next number.
    NextNumberOnDoubt = "next-number-on-doubt",
    /// Uploads that are still under way when the last begins are not waited for: the entry names those that are done.
    UploadNotAwaited = "upload-not-awaited",
    /// A segment whose upload failed is named all the same.
    FailedUploadNamed = "failed-upload-named",
    /// A segment is sent although the storage takes none of its size.
    OversizeSent = "oversize-sent",
    /// A document that no object can hold keeps all others of its push back.
    TooLargeStopsAll = "too-large-stops-all",
    /// The row of a document that no object can hold is dropped with those that were committed.
    TooLargeDropped = "too-large-dropped",
    /// Under a taken name lies another's record: it is not read back.
    ExistsIsForeign = "exists-is-foreign",
    /// Under a taken name lies our own record: it is not read back.
    ExistsIsOurs = "exists-is-ours",

    /// A client that pushed without a poll, and was overtaken, ends its sync there: it has seen that the store is reachable.
    AheadEndsOvertaken = "ahead-ends-overtaken",
    /// A push without a poll is given up although it may have arrived.
    AheadAbandonsOnDoubt = "ahead-abandons-on-doubt",

    // Calls that fail.
    /// A write that got no answer counts as done.
    DoubtIsDone = "doubt-is-done",
    /// A write that the server was too busy for counts as done.
    RefusalIsDone = "refusal-is-done",
    /// A server that says when to try again is asked as soon as any other.
    RetryAfterIgnored = "retry-after-ignored",
    /// That a name is taken is a failure of the server.
    ExistsIsFailure = "exists-is-failure",
    /// An answer that came after 30 seconds is dismissed, and the same changes go to the next number.
    LateAnswerDismissed = "late-answer-dismissed",
    /// A body that breaks off on its way down is damage.
    BrokenOffIsDamage = "broken-off-is-damage",
    /// What came before the changes to push broke off counts as all of them.
    HalfIsWhole = "half-is-whole",
    /// A sync takes the open attempt of the one before for committed.
    AttemptAssumed = "attempt-assumed",
    /// A release without an answer deletes the record, to be sure.
    DoubtfulReleaseDeletes = "doubtful-release-deletes",

    // The replica.
    /// A batch is applied although the app wrote its documents meanwhile.
    StaleBatchApplied = "stale-batch-applied",
    /// A sync that is dropped leaves the replica claimed.
    CancelKeepsClaim = "cancel-keeps-claim",

    // The lease.
    /// Somebody else's lease is taken at once.
    LeaseTakenAtOnce = "lease-taken-at-once",
    /// The first look that a caller kept is not asked for.
    FirstLookForgotten = "first-look-forgotten",
    /// A renewal is created at whatever number is free.
    RenewedAtAnyNumber = "renewed-at-any-number",
    /// A lease that has run out is renewed.
    ExpiredLeaseRenewed = "expired-lease-renewed",
    /// A release deletes the record, and its token is given again.
    TokenReused = "token-reused",

    // What lies on the server.
    /// A piece of metadata is written whatever version was expected.
    ExpectedVersionIgnored = "expected-version-ignored",
    /// A segment is read although its hash is not the one that the entry names.
    SegmentHashUnchecked = "segment-hash-unchecked",
    /// The checksum of an object is not compared.
    ChecksumUnchecked = "checksum-unchecked",
}

/// Whether this mistake is to be made.
#[cfg(not(feature = "sabotage"))]
#[inline]
pub(crate) const fn on(_: Mistake) -> bool {
    false
}

/// Whether this mistake is to be made.
#[cfg(feature = "sabotage")]
pub(crate) fn on(mistake: Mistake) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<Mistake>> = std::sync::OnceLock::new();
    *CHOSEN.get_or_init(chosen) == Some(mistake)
}

/// Whether a write that failed so is taken for done, by mistake.
pub(crate) fn taken_for_done(error: &Error) -> bool {
    let doubt = on(Mistake::DoubtIsDone) && error.outcome() == Outcome::Unknown;
    doubt || (on(Mistake::RefusalIsDone) && error.throttled())
}

/// The mistake that the environment names. A name that is none must not pass for an engine without mistakes.
#[cfg(feature = "sabotage")]
fn chosen() -> Option<Mistake> {
    let name = std::env::var("LONGSHORE_SABOTAGE").ok().filter(|name| !name.is_empty())?;
    let mistake = Mistake::named(&name);
    assert!(mistake.is_some(), "LONGSHORE_SABOTAGE: there is no mistake {name}");
    mistake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(not(feature = "sabotage"))]
    #[test]
    fn without_the_feature_it_is_off_when_compiled() {
        const { assert!(!on(Mistake::CheckpointFirst)) };
    }

    #[cfg(feature = "sabotage")]
    #[test]
    fn only_the_chosen_one_is_on() {
        let chosen = std::env::var("LONGSHORE_SABOTAGE").unwrap_or_default();
        for mistake in Mistake::ALL {
            assert_eq!(on(*mistake), mistake.name() == chosen, "{mistake:?}");
            assert_eq!(Mistake::named(mistake.name()), Some(*mistake));
        }
    }
}
