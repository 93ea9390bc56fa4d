//! Collections that must be there before something can be put into them.

use std::collections::BTreeSet;
use std::iter::successors;
use std::sync::{Mutex, PoisonError};

use longshore_core::Result;

use crate::client::{Answer, Ask, Client};
use crate::place::Place;
use crate::root;

/// The collections that are known to be there.
#[derive(Debug, Default)]
pub(crate) struct Folders(Mutex<BTreeSet<Place>>);

impl Folders {
    /// Whether this collection was made or met before.
    pub(crate) fn knows(&self, place: &Place) -> bool {
        place.is_root() || self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(place)
    }

    /// This collection is there, and so is all above it.
    pub(crate) fn note(&self, place: &Place) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = place.clone();
        while !next.is_root() && known.insert(next.clone()) {
            next = next.parent();
        }
    }

    /// This one is not there any more; whether one above it is, shows when it is made.
    pub(crate) fn forget(&self, place: &Place) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(place);
    }

    fn forget_all(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The collections on the way to this one, itself included, that are not known to be there; the highest first.
    fn unknown(&self, place: &Place) -> Vec<Place> {
        let mut way: Vec<Place> = successors(Some(place.clone()), |place| Some(place.parent()))
            .take_while(|place| !self.knows(place))
            .collect();
        way.reverse();
        way
    }
}

/// What a request to make a collection came to.
pub(crate) enum Made {
    /// It was made.
    Yes,
    /// Whatever the server said, it was not.
    No(Answer),
}

impl Client {
    pub(crate) async fn make(&self, place: &Place) -> Result<Made> {
        let answer = self.send(Ask::new("MKCOL", self.collection(place))).await?;
        // Sent twice, it met itself.
        let met_itself = answer.repeated && answer.status == 405;
        if !answer.is_done() && !met_itself {
            return Ok(Made::No(answer));
        }
        self.root.seen();
        answer.finish().await;
        Ok(Made::Yes)
    }

    /// Makes a collection and all above it that are missing. Others may be making them at the same time.
    ///
    /// From what is known to be there downwards: where nothing is, nothing is asked for in vain, and where something was read, little
    /// is missing.
    pub(crate) async fn make_all(&self, folders: &Folders, place: &Place) -> Result<()> {
        if self.make_way(folders, place, false).await? {
            return Ok(());
        }
        // One that was known has gone meanwhile; or a server says so to one of two who make the same.
        folders.forget_all();
        if self.make_way(folders, place, true).await? {
            return Ok(());
        }
        // What it lies in was made, so it is not the path that is wrong.
        self.check_root().await?;
        Err(root::missing())
    }

    /// Makes those of them that are not known to be there; false if what one lies in is missing. `doubtful`: whatever a refusal
    /// says, it is looked whether the collection is there.
    async fn make_way(&self, folders: &Folders, place: &Place, doubtful: bool) -> Result<bool> {
        for place in folders.unknown(place) {
            if let Made::No(answer) = self.make(&place).await? {
                let there = if doubtful {
                    self.is_there_now(answer, &place).await?
                } else {
                    self.is_there(answer, &place).await?
                };
                if !there {
                    return Ok(false);
                }
            }
            folders.note(&place);
        }
        Ok(true)
    }

    /// Whether a collection that could not be made is there. 405 says so on most servers, and each other status on one of them.
    async fn is_there(&self, answer: Answer, place: &Place) -> Result<bool> {
        match answer.status {
            // Missing parents.
            404 | 409 => {
                answer.finish().await;
                Ok(false)
            }
            // Or nobody may: then the write that follows says so.
            405 => {
                answer.finish().await;
                Ok(true)
            }
            401 | 413 | 429 | 503 | 507 => Err(answer.error()),
            _ => self.is_there_now(answer, place).await,
        }
    }

    /// Asks. The error is that of the refusal.
    async fn is_there_now(&self, refusal: Answer, place: &Place) -> Result<bool> {
        let ask = Ask::new("PROPFIND", self.collection(place)).with("depth", "0");
        let answer = self.send(ask).await?;
        let status = answer.status;
        answer.finish().await;
        match status {
            207 => {
                refusal.finish().await;
                Ok(true)
            }
            404 | 409 | 410 if matches!(refusal.status, 404 | 409 | 500) => {
                refusal.finish().await;
                Ok(false)
            }
            _ => {
                let error = refusal.error();
                refusal.finish().await;
                Err(error)
            }
        }
    }
}
