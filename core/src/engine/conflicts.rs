//! Conflicts: the app decides, and its answer is one local transaction.

use async_trait::async_trait;

use super::report::Phase;
use super::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::model::DocumentId;
use crate::replica::{Answer, Applied, Conflict, Step};

/// How often a conflict is put to the app again because the app wrote its document meanwhile.
const ASK_LIMIT: usize = 100;

/// Whoever decides conflicts for the app. Any `Fn(&Conflict) -> Answer` is one.
///
/// An error ends the sync; the conflict stays recorded, and its document is not pushed until there is an answer.
///
/// ```
/// use longshore_core::{Answer, BaseVersion, Conflict, Resolver, Version};
///
/// fn edits_win(conflict: &Conflict) -> Answer {
///     match (&conflict.local, &conflict.remote) {
///         (Version::Deleted, Version::Present(_)) => Answer::TakeRemote,
///         _ => Answer::KeepLocal,
///     }
/// }
/// let resolver: &dyn Resolver = &edits_win;
/// ```
#[async_trait]
pub trait Resolver: Send + Sync {
    /// Decides one conflict. It is asked outside any transaction, and may take its time.
    async fn resolve(&self, conflict: &Conflict) -> Result<Answer>;
}

#[async_trait]
impl<F: Fn(&Conflict) -> Answer + Send + Sync> Resolver for F {
    async fn resolve(&self, conflict: &Conflict) -> Result<Answer> {
        Ok(self(conflict))
    }
}

impl Session<'_> {
    /// Puts every recorded conflict to the app.
    pub(super) async fn resolve(&mut self) -> Result<()> {
        let Some(resolver) = self.client.resolver.clone() else {
            return Ok(());
        };
        let ids = self.client.replica.conflicts().await?;
        for (done, id) in (1..).zip(&ids) {
            self.resolve_one(&*resolver, id).await?;
            self.progress(Phase::Resolve, done, Some(ids.len() as u64), 0);
        }
        Ok(())
    }

    async fn resolve_one(&mut self, resolver: &dyn Resolver, id: &DocumentId) -> Result<()> {
        for _ in 0..ASK_LIMIT {
            let Some(conflict) = self.client.replica.conflict(id).await? else {
                return Ok(());
            };
            let answer = resolver.resolve(&conflict).await?;
            if answer == Answer::Later {
                return Ok(());
            }
            let step = Step::Answer { id: id.clone(), row: conflict.row, answer };
            if self.apply(None, vec![step]).await? == Applied::Done {
                self.report.resolved += 1;
                self.restage = true;
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "the app writes this document faster than it answers").with_key(id))
    }
}
