//! Who wins a conflict: the rule of `--conflict`, as the engine's resolver.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use longshore::{
    Answer, Conflict, Document, DocumentId, Hash, Resolver, Result, Runtime as _, Sequence, TokioRuntime, Version,
};

use crate::book::Book;
use crate::folder::place::Presence;
use crate::folder::{Folder, names};
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

impl Rule {
    /// As it is written after `--conflict`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::KeepBoth => "keep-both",
            Self::Local => "local",
            Self::Remote => "remote",
            Self::Stop => "stop",
        }
    }
}

/// What was decided about a document, to tell the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Theirs has the name; ours is this document now.
    Copied(String),
    /// Ours was kept. Theirs stays in the log, in this commit; none if it was deleted.
    Ours(Option<Sequence>),
    /// Theirs was taken; true if it was deleted.
    Theirs(bool),
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
        self.note(conflict, &answer);
        Ok(answer)
    }
}

/// What the copy of a conflict can be called.
pub(crate) enum CopyName {
    /// This name is free.
    Free(DocumentId),
    /// An interrupted sync made the copy already.
    Made,
    /// There can be no copy: its name would be too long, or is ignored. The conflict waits.
    Impossible,
}

/// Finds a free name for the copy of what has this hash.
pub(crate) fn copy_name(folder: &Folder, book: &Book, device: &str, id: &DocumentId, ours: Hash) -> CopyName {
    let date = names::date(TokioRuntime.wall());
    for count in 1.. {
        let name = names::conflict_copy(id.as_str(), device, &date, count);
        let Ok(copy) = DocumentId::new(name) else { break };
        if folder.refuses(copy.as_str()).is_some() {
            break;
        }
        let known = book.0.get(&copy).map(|record| record.digest);
        if known == Some(ours) {
            return CopyName::Made;
        }
        if known.is_none() && folder.presence(copy.as_str()) == Presence::Missing {
            return CopyName::Free(copy);
        }
    }
    CopyName::Impossible
}

impl ByRule {
    fn keep_both(&self, id: &DocumentId, ours: &Document) -> Answer {
        let book = self.replica.book();
        match copy_name(self.replica.folder(), &book, &self.device, id, Hash::of(&ours.body)) {
            CopyName::Free(copy) => Answer::KeepBoth { copy },
            CopyName::Made => Answer::TakeRemote,
            CopyName::Impossible => Answer::Later,
        }
    }

    /// The last answer counts: a conflict is asked again if its file changed meanwhile.
    fn note(&self, conflict: &Conflict, answer: &Answer) {
        let deleted = matches!(conflict.remote, Version::Deleted);
        let decision = match answer {
            Answer::KeepBoth { copy } => Decision::Copied(copy.to_string()),
            Answer::KeepLocal => Decision::Ours((!deleted).then_some(conflict.sequence)),
            Answer::TakeRemote => Decision::Theirs(deleted),
            _ => return,
        };
        self.decisions.lock().unwrap_or_else(PoisonError::into_inner).insert(conflict.id.to_string(), decision);
    }
}
