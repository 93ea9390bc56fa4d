//! Who wins a conflict: the rule of `--conflict`, as the engine's resolver.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use longshore::{Answer, Conflict, Document, DocumentId, Hash, Resolver, Result, Runtime as _, TokioRuntime, Version};

use crate::folder::names;
use crate::folder::place::Presence;
use crate::replica::FolderReplica;

/// What to do about a file that was changed here and elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Rule {
    /// Take theirs, and keep ours as `name (conflict DEVICE DATE).ext`. An edit wins over a deletion.
    #[default]
    KeepBoth,
    /// Ours wins.
    Local,
    /// Theirs wins.
    Remote,
    /// Leave it open.
    Stop,
}

/// The copies that were made: the document, and where this device's version went.
pub(crate) type Copies = Arc<Mutex<Vec<(String, String)>>>;

/// Decides by a rule.
#[derive(Debug)]
pub(crate) struct ByRule {
    pub(crate) rule: Rule,
    pub(crate) device: String,
    pub(crate) replica: Arc<FolderReplica>,
    pub(crate) copies: Copies,
}

#[async_trait]
impl Resolver for ByRule {
    async fn resolve(&self, conflict: &Conflict) -> Result<Answer> {
        Ok(match (self.rule, &conflict.local, &conflict.remote) {
            (Rule::Stop, ..) => Answer::Later,
            (Rule::Local, ..) => Answer::KeepLocal,
            (Rule::Remote, ..) | (_, Version::Deleted, _) => Answer::TakeRemote,
            (_, _, Version::Deleted) => Answer::KeepLocal,
            // A crash between the files and the database left theirs in place already.
            (_, Version::Present(ours), Version::Present(theirs)) if ours.body == theirs.body => Answer::TakeRemote,
            (_, Version::Present(ours), _) => self.keep_both(&conflict.id, ours),
        })
    }
}

impl ByRule {
    /// Finds a free name for the copy. If an interrupted sync made the copy already, it is not made again.
    fn keep_both(&self, id: &DocumentId, ours: &Document) -> Answer {
        let (date, digest) = (names::date(TokioRuntime.wall()), Hash::of(&ours.body));
        for count in 1.. {
            let name = names::conflict_copy(id.as_str(), &self.device, &date, count);
            let Ok(copy) = DocumentId::new(name) else { break };
            if self.replica.folder().refuses(copy.as_str()).is_some() {
                break;
            }
            let known = self.replica.book().0.get(&copy).map(|record| record.digest);
            if known == Some(digest) {
                return Answer::TakeRemote;
            }
            if known.is_none() && self.replica.folder().presence(copy.as_str()) == Presence::Missing {
                self.note(id, &copy);
                return Answer::KeepBoth { copy };
            }
        }
        // There can be no copy (its name would be too long, or is ignored): the conflict waits.
        Answer::Later
    }

    fn note(&self, id: &DocumentId, copy: &DocumentId) {
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.retain(|(of, _)| of != id.as_str());
        copies.push((id.to_string(), copy.to_string()));
    }
}
