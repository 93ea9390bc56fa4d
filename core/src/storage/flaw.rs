//! Why a storage is refused, in the same words wherever it is found.

use std::fmt;

use super::Created;
use crate::error::{Error, ErrorKind, Outcome, Result};

/// A broken rule that makes a storage unsafe to hold a store.
///
/// The core's probe finds it at the first use of a store, an examination on demand. `Display` is the reason: what the storage
/// does, as one lower-case clause. As an [`Error`] it is `Unsupported`.
///
/// ```
/// use longshore_core::{Error, ErrorKind, Flaw};
///
/// let error = Error::from(Flaw::TakenIsCreated);
/// assert_eq!(error.kind(), ErrorKind::Unsupported);
/// assert!(error.message().contains(&Flaw::TakenIsCreated.to_string()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Flaw {
    /// Its capabilities say that `create` is not atomic.
    Admitted,
    /// `create` of a name that was never used says `Exists`.
    NewIsTaken,
    /// A read after an acknowledged write shows nothing, or other bytes.
    Unread,
    /// `create` of a taken name says `Created`.
    TakenIsCreated,
    /// `create` of a taken name says `Exists`, and its bytes are there all the same.
    Replaced,
    /// Of several creators at once none is told `Created`.
    NoWinner,
    /// Of several creators at once more than one is told `Created`.
    SeveralWinners,
    /// Of several creators at once one is told `Created`, and another's bytes are there.
    OthersBytes,
    /// A listing after an acknowledged write does not show it.
    Unlisted,
    /// A listing does not end: it says that more follows and does not move on, or always has another name.
    EndlessListing,
    /// A read after an acknowledged delete shows the object.
    Undeleted,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Admitted,
        Self::NewIsTaken,
        Self::Unread,
        Self::TakenIsCreated,
        Self::Replaced,
        Self::NoWinner,
        Self::SeveralWinners,
        Self::OthersBytes,
        Self::Unlisted,
        Self::EndlessListing,
        Self::Undeleted,
    ];

    /// What follows for a store's data: a clause that goes on after the reason.
    pub const fn consequence(self) -> &'static str {
        match self {
            Self::Admitted | Self::TakenIsCreated | Self::Replaced | Self::SeveralWinners | Self::OthersBytes => {
                "two devices would overwrite each other's commits"
            }
            Self::NewIsTaken | Self::NoWinner => "no device could commit",
            Self::Unread => "a device could not tell whether its commit is there",
            Self::Unlisted => "a device would miss the newest snapshot and the holder of the lease",
            Self::EndlessListing => "a device would ask for ever",
            Self::Undeleted => "what is no longer needed would stay, and be taken for new",
        }
    }
}

impl Flaw {
    /// What several `create`s of one name at once say of a storage: who was told what, and whose bytes are there afterwards, by their
    /// places in `told`; none if nothing is there.
    ///
    /// A racer whose outcome is `Unknown` may have won or not: some servers answer losers so, and a reply can be lost. `Ok(None)`
    /// is a race as it must be. An error is the first call that failed without a doubt, or the doubt itself where nobody won.
    ///
    /// ```
    /// use longshore_core::{Created, Error, ErrorKind, Flaw};
    ///
    /// let lost = || Err(Error::new(ErrorKind::Unavailable, "the server answered 500"));
    /// assert_eq!(Flaw::of_race(vec![Ok(Created::Created), Ok(Created::Exists), lost()], Some(0))?, None);
    /// assert_eq!(Flaw::of_race(vec![Ok(Created::Exists), lost()], Some(1))?, None);
    /// assert_eq!(Flaw::of_race(vec![Ok(Created::Created), lost()], Some(1))?, Some(Flaw::OthersBytes));
    /// assert_eq!(Flaw::of_race(vec![Ok(Created::Exists), Ok(Created::Exists)], None)?, Some(Flaw::NoWinner));
    /// assert!(Flaw::of_race(vec![Ok(Created::Exists), lost()], None).is_err());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn of_race(told: Vec<Result<Created>>, there: Option<usize>) -> Result<Option<Self>> {
        let (mut winners, mut doubtful) = (Vec::new(), Vec::new());
        for (racer, told) in told.into_iter().enumerate() {
            match told {
                Ok(Created::Created) => winners.push(racer),
                Ok(Created::Exists) => {}
                Err(error) if error.outcome() == Outcome::Unknown => doubtful.push((racer, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(match (winners.as_slice(), there) {
            ([winner], Some(there)) if there == *winner => None,
            ([_], _) => Some(Self::OthersBytes),
            ([_, _, ..], _) => Some(Self::SeveralWinners),
            ([], Some(there)) if doubtful.iter().any(|(racer, _)| *racer == there) => None,
            ([], Some(_)) if !doubtful.is_empty() => Some(Self::OthersBytes),
            ([], _) => match doubtful.into_iter().next() {
                Some((_, error)) => return Err(error),
                None => Some(Self::NoWinner),
            },
        })
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admitted => "it says itself that it cannot create a name exactly once",
            Self::NewIsTaken => "it says of a new name that it is taken",
            Self::Unread => "what was just written cannot be read",
            Self::TakenIsCreated => "it creates a name that is taken",
            Self::Replaced => "a second create of a name replaced the first",
            Self::NoWinner => "of several that create a name at once, none is told that it won",
            Self::SeveralWinners => "of several that create a name at once, more than one is told that it won",
            Self::OthersBytes => {
                "of several that create a name at once, one is told that it won and another's bytes are there"
            }
            Self::Unlisted => "what was just written is not listed",
            Self::EndlessListing => "its listings do not end",
            Self::Undeleted => "what was deleted can still be read",
        })
    }
}

impl From<Flaw> for Error {
    fn from(flaw: Flaw) -> Self {
        let message = format!("this storage cannot hold a store safely: {flaw}; choose another");
        Self::new(ErrorKind::Unsupported, message)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_has_a_reason_of_its_own() {
        let reasons: BTreeSet<String> = Flaw::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(reasons.len(), Flaw::ALL.len());
    }
}
