//! Leftovers: temporaries of writers that were killed.

use std::time::Duration;

use longshore_core::{Result, ServerTime};
use tracing::debug;

use crate::client::{Ask, Client};
use crate::list::age_of_temporary;
use crate::multistatus::Member;
use crate::place::Place;
use crate::storage::Inner;

/// A younger one may be in use. By the server's clock, against the server's clock.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);
/// How many are removed at one look.
const AT_ONCE: usize = 16;

impl Inner {
    /// Removes old temporaries among the members of a collection. What cannot be removed now stays for later.
    pub(crate) async fn sweep(&self, folder: &Place, members: &[Member], now: Option<ServerTime>) {
        let old = |member: &&Member| age_of_temporary(member, now).is_some_and(|age| age > OLD);
        for member in members.iter().filter(old).take(AT_ONCE) {
            let place = folder.join(member.name());
            if member.collection {
                // Its writer may still be about to move it: taken away first, it is met whole or not at all.
                if let Err(error) = self.take_away(&place).await {
                    debug!(%place, %error, "a leftover stays for now");
                }
            } else {
                self.discard_file(&place).await;
            }
        }
    }

    /// Removes the collections in the root whose names begin so, and in which no file lies, however deep.
    pub(crate) async fn remove_empty(&self, prefix: &str) -> Result<()> {
        let root = Place::root();
        for member in self.members(&root).await?.value {
            let place = root.join(member.name());
            if member.collection && member.name().starts_with(prefix) && self.is_empty(&place).await? {
                self.remove_if_empty(&place).await?;
            }
        }
        Ok(())
    }

    /// Renames it away before it looks again: removed where it is, it could take along what somebody writes there meanwhile.
    async fn remove_if_empty(&self, collection: &Place) -> Result<()> {
        let away = collection.parent().temporary()?;
        if !self.rename(collection, &away).await? {
            return Ok(());
        }
        if self.is_empty(&away).await? {
            self.discard(&away).await;
        } else if !self.rename(&away, collection).await? {
            debug!(%away, "a folder that was written to meanwhile stays under this name");
        }
        Ok(())
    }

    /// Whether the server says that it is done, or may have done it at a try whose answer was lost.
    async fn rename(&self, from: &Place, to: &Place) -> Result<bool> {
        let ask = Ask::new("MOVE", self.client.collection(from))
            .with("destination", self.client.collection(to))
            .with("overwrite", "F");
        let answer = self.client.send(ask).await?;
        let done = answer.is_done() || answer.repeated;
        answer.finish().await;
        Ok(done)
    }

    async fn is_empty(&self, collection: &Place) -> Result<bool> {
        let mut unseen = vec![collection.clone()];
        while let Some(place) = unseen.pop() {
            for member in self.members(&place).await?.value {
                if !member.collection {
                    return Ok(false);
                }
                unseen.push(place.join(member.name()));
            }
        }
        Ok(true)
    }

    /// Removes a collection of ours that nobody will move any more.
    pub(crate) async fn discard(&self, collection: &Place) {
        self.client.remove(self.client.collection(collection)).await;
    }

    pub(crate) async fn discard_file(&self, file: &Place) {
        self.client.remove(self.client.file(file)).await;
    }
}

impl Client {
    /// Removes what is in nobody's way.
    pub(crate) async fn remove(&self, address: String) {
        match self.send(Ask::new("DELETE", address)).await {
            Ok(answer) => answer.finish().await,
            Err(error) => debug!(%error, "a temporary stays until it is old"),
        }
    }
}
