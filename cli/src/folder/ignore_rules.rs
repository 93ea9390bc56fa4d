//! Ignore rules: what lies in the folder and is outside the sync, in both directions.
//!
//! `.longshoreignore` in any folder, in the syntax of `.gitignore`; deeper files win. An ignored file is not pushed and not
//! deleted elsewhere, and what others sync under such a name is not written here. The rules are read once in a sync.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The name of the file with the rules.
pub(crate) const FILE: &str = ".longshoreignore";

/// The rules of all folders, read when they are first asked for.
#[derive(Debug)]
pub(crate) struct Rules {
    root: PathBuf,
    read: Mutex<BTreeMap<PathBuf, Arc<Gitignore>>>,
}

/// The rules that hold in one folder: its own, and those above.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    own: Option<Arc<Gitignore>>,
    above: Option<Arc<Chain>>,
}

impl Rules {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, read: Mutex::default() }
    }

    /// The rules that hold in `folder`, which lies in the folder whose chain is `above`.
    pub(crate) fn enter(&self, folder: &Path, above: Option<&Arc<Chain>>, has_file: bool) -> Arc<Chain> {
        let own = if has_file { Some(self.of(folder)) } else { None };
        match (own, above) {
            (None, Some(above)) => Arc::clone(above),
            (own, above) => Arc::new(Chain { own, above: above.cloned() }),
        }
    }

    /// Whether a document of this id is outside the sync.
    pub(crate) fn ignores(&self, id: &str) -> bool {
        let (mut folder, mut chain) = (self.root.clone(), self.enter(&self.root, None, true));
        let mut parts = id.split('/').peekable();
        while let Some(part) = parts.next() {
            let path = folder.join(part);
            let is_folder = parts.peek().is_some();
            if chain.ignores(&path, is_folder) {
                return true;
            }
            chain = self.enter(&path, Some(&chain), is_folder);
            folder = path;
        }
        false
    }

    fn of(&self, folder: &Path) -> Arc<Gitignore> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rules) = read.get(folder) {
            return Arc::clone(rules);
        }
        let rules = Arc::new(load(folder));
        read.insert(folder.to_owned(), Arc::clone(&rules));
        rules
    }
}

/// A rule that cannot be understood counts as none, as in git.
fn load(folder: &Path) -> Gitignore {
    let mut builder = GitignoreBuilder::new(folder);
    drop(builder.add(folder.join(FILE)));
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

impl Chain {
    /// Whether no rule holds here.
    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_none() && self.above.is_none()
    }

    /// Whether this file or folder, which lies directly in the chain's folder, is ignored.
    pub(crate) fn ignores(&self, path: &Path, is_folder: bool) -> bool {
        let mut chain = Some(self);
        while let Some(Chain { own, above }) = chain {
            match own.as_ref().map_or(Match::None, |rules| rules.matched(path, is_folder)) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => chain = above.as_deref(),
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn deeper_rules_win() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("keep")).unwrap();
        fs::write(folder.path().join(FILE), "*.log\n/build/\n").unwrap();
        fs::write(folder.path().join("keep").join(FILE), "!*.log\n").unwrap();
        let rules = Rules::new(folder.path().to_owned());
        for id in ["a.log", "x/a.log", "build/x/y"] {
            assert!(rules.ignores(id), "{id}");
        }
        for id in ["a.txt", "keep/a.log", "x/build/y", "build"] {
            assert!(!rules.ignores(id), "{id}");
        }
    }
}
