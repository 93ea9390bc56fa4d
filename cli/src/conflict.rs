//! Who wins a conflict: the rule of `--conflict`, as the engine's resolver.

use std::collections::BTreeMap;
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

/// What was decided about a document, to tell the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Theirs has the name; ours is this document now.
    Copied(String),
    /// Ours was kept. Theirs stays in the log.
    Ours,
    /// Theirs was taken.
    Theirs,
}

/// What was decided, by document.
pub(crate) type Decisions = Arc<Mutex<BTreeMap<String, Decision>>>;

/// Decides by a rule.
#[derive(Debug)]
pub(crate) struct ByRule {
    pub(crate) rule: Rule,
    pub(crate) device: String,
    pub(crate) replica: Arc<FolderReplica>,
    pub(crate) decisions: Decisions,
}

#[async_trait]
impl Resolver for ByRule {
    async fn resolve(&self, conflict: &Conflict) -> Result<Answer> {
        let answer = match (self.rule, &conflict.local, &conflict.remote) {
            (Rule::Stop, ..) => Answer::Later,
            (Rule::Local, ..) => Answer::KeepLocal,
            (Rule::Remote, ..) | (_, Version::Deleted, _) => Answer::TakeRemote,
            (_, _, Version::Deleted) => Answer::KeepLocal,
            // A crash between the files and the database left theirs in place already.
            (_, Version::Present(ours), Version::Present(theirs)) if ours.body == theirs.body => Answer::TakeRemote,
            (_, Version::Present(ours), _) => self.keep_both(&conflict.id, ours),
        };
        self.note(&conflict.id, &answer);
        Ok(answer)
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
                return Answer::KeepBoth { copy };
            }
        }
        // There can be no copy (its name would be too long, or is ignored): the conflict waits.
        Answer::Later
    }

    /// The last answer counts: a conflict is asked again if its file changed meanwhile.
    fn note(&self, id: &DocumentId, answer: &Answer) {
        let decision = match answer {
            Answer::KeepBoth { copy } => Decision::Copied(copy.to_string()),
            Answer::KeepLocal => Decision::Ours,
            Answer::TakeRemote => Decision::Theirs,
            _ => return,
        };
        self.decisions.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_string(), decision);
    }
}
