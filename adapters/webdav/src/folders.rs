//! Collections that must be there before something can be put into them.

use std::collections::BTreeSet;
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

    /// This collection is there.
    pub(crate) fn note(&self, place: &Place) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone());
    }

    /// One that was known is not there any more, or none below it is.
    pub(crate) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
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
    pub(crate) async fn make_all(&self, folders: &Folders, place: &Place) -> Result<()> {
        let mut missing = Vec::new();
        let mut next = place.clone();
        // From the deepest up: the rarest case is that more than one is missing.
        loop {
            if folders.knows(&next) {
                break;
            }
            match self.make(&next).await? {
                Made::Yes => {
                    folders.note(&next);
                    break;
                }
                Made::No(answer) => {
                    let there = self.is_there(answer, &next).await?;
                    if there {
                        folders.note(&next);
                        break;
                    }
                    missing.push(next.clone());
                    next = next.parent();
                }
            }
        }
        for place in missing.into_iter().rev() {
            if let Made::No(answer) = self.make(&place).await?
                && !self.is_there_now(answer, &place).await?
            {
                // What it lies in is there, so it is not the path that is wrong.
                self.check_root().await?;
                return Err(root::missing());
            }
            folders.note(&place);
        }
        Ok(())
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
