//! How a server moves what it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, Uri};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long one who copies waits for another, at the most: where nobody comes, nothing is lost but the time.
const PATIENCE: Duration = Duration::from_millis(100);

/// How `MOVE` works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moves {
    /// As the crate has it: by a rename.
    #[default]
    Sound,
    /// A file is moved at once; of a collection, what lay in it is not shown any more. So does rclone that caches.
    LosesMembers,
    /// A file is moved at once; a collection is copied after a look whether there is one. So does Tomcat.
    CopiesCollections,
    /// All is copied after a look whether something is there, as where names are only the beginnings of keys.
    CopiesAll,
}

/// What goes on, and what is not shown.
#[derive(Debug, Default)]
pub(crate) struct Moving {
    hidden: BTreeSet<PathBuf>,
    /// Of each place that something is copied to, how many have looked, and whether somebody has read since the last copy.
    copies: BTreeMap<PathBuf, watch::Sender<Copying>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Copying {
    looked: usize,
    copied: usize,
    read: usize,
}

/// The moves of one server.
pub(crate) struct Mover {
    folder: PathBuf,
    moving: Mutex<Moving>,
}

impl Mover {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), moving: Mutex::default() }
    }

    fn moving(&self) -> MutexGuard<'_, Moving> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what lies there is not shown.
    pub(crate) fn hides(&self, uri: &Uri) -> bool {
        self.place(uri).is_some_and(|place| self.moving().hidden.contains(&place))
    }

    /// Something was read there.
    pub(crate) fn was_read(&self, uri: &Uri) {
        let Some(place) = self.place(uri) else { return };
        for at in [Some(&*place), place.parent()].into_iter().flatten() {
            if let Some(copies) = self.moving().copies.get(at) {
                copies.send_modify(|copying| copying.read = copying.copied);
            }
        }
    }

    /// Where an address leads in the folder; none if out of it.
    fn place(&self, uri: &Uri) -> Option<PathBuf> {
        let path = Path::new(uri.path().trim_matches('/'));
        let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
        inside.then(|| self.folder.join(path))
    }

    /// The status of a `MOVE`, which never overwrites.
    pub(crate) async fn carry_out(&self, moves: Moves, request: &Request<Incoming>) -> u16 {
        let to = request.headers().get("destination").and_then(|to| to.to_str().ok()?.parse().ok());
        let (Some(from), Some(to)) = (self.place(request.uri()), to.and_then(|to| self.place(&to))) else { return 400 };
        if !from.exists() {
            return 404;
        }
        let copies = moves == Moves::CopiesAll || (moves == Moves::CopiesCollections && from.is_dir());
        let done = if copies { self.copy(&from, &to).await } else { self.rename(moves, &from, &to) };
        match done {
            Ok(()) => 201,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => 412,
            Err(_) => 409,
        }
    }

    /// Nothing comes between the look and the rename: this server has one thread.
    fn rename(&self, moves: Moves, from: &Path, to: &Path) -> io::Result<()> {
        if to.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let members = fs::read_dir(from).into_iter().flatten().flatten();
        let members: Vec<_> = members.filter(|_| moves == Moves::LosesMembers).map(|entry| entry.file_name()).collect();
        fs::rename(from, to)?;
        let mut moving = self.moving();
        moving.hidden.remove(to);
        moving.hidden.extend(members.into_iter().map(|name| to.join(name)));
        Ok(())
    }

    /// As slowly as can be: of two at once both have looked before the first copies, and the second copies when the first was read.
    async fn copy(&self, from: &Path, to: &Path) -> io::Result<()> {
        let copies = self.moving().copies.entry(to.to_owned()).or_default().clone();
        let mut state = copies.subscribe();
        if to.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        copies.send_modify(|copying| copying.looked += 1);
        if copies.borrow().looked == 1 {
            let _ = timeout(PATIENCE, state.wait_for(|copying| copying.looked > 1)).await;
        } else {
            let _ =
                timeout(PATIENCE, state.wait_for(|copying| copying.copied > 0 && copying.read == copying.copied)).await;
        }
        copy(from, to)?;
        copies.send_modify(|copying| copying.copied += 1);
        if from.is_dir() { fs::remove_dir_all(from) } else { fs::remove_file(from) }
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
