//! A file system in memory that forgets what was not synced, and that can be cut or made to fail at any step.
//!
//! What a power cut leaves: of each folder, the names synced, and any of the later changes of names, each kept or lost by
//! itself (a rename as a whole); of each file not synced, nothing, a part, zeros, or all.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::disk::{Disk, NewFile, OldFile, Refused, Seen};
use crate::place::Place;

const ROOT: u64 = 0;

#[derive(Clone, Debug)]
pub(crate) struct ModelDisk(Arc<Mutex<State>>);

#[derive(Clone, Debug)]
struct State {
    nodes: BTreeMap<u64, Node>,
    clock: Duration,
    steps: usize,
    syncs: usize,
    fault: Option<Fault>,
    ignored_sync: Option<usize>,
    moves_folders: bool,
    syncs_folders: bool,
    late: Option<Late>,
}

/// A rename that a server does after the client gave it up.
#[derive(Clone, Debug)]
struct Late {
    at: usize,
    folder: Place,
    from: String,
    to: String,
}

#[derive(Clone, Debug)]
struct Node {
    modified: Duration,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    File { bytes: Vec<u8>, synced: Option<Vec<u8>> },
    Folder { names: BTreeMap<String, u64>, synced: BTreeMap<String, u64>, since: Vec<Change> },
}

#[derive(Clone, Debug)]
enum Change {
    Add(String, u64),
    Remove(String),
    Rename(String, String, u64),
}

/// What goes wrong, and after how many steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) after: usize,
    pub(crate) how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// The process dies: this step and all later ones are not done.
    Die,
    /// This step fails and is not done.
    Fail(io::ErrorKind),
    /// This step is done, yet it says that it failed.
    FailAfter(io::ErrorKind),
    /// Every step from here on fails.
    FailOn(io::ErrorKind),
    /// This step fails, but if it is a rename, then it is done so many steps later.
    Late(usize),
}

/// What a power cut keeps of the things not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    Lost,
    Kept,
    Random(u64),
}

impl Fate {
    /// A number below `choices`; 0 is lost, the last is kept.
    fn choose(&mut self, choices: u64) -> u64 {
        match self {
            Self::Lost => 0,
            Self::Kept => choices - 1,
            Self::Random(state) => {
                *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (*state >> 33) % choices
            }
        }
    }
}

impl ModelDisk {
    pub(crate) fn new() -> Self {
        let state = State {
            nodes: BTreeMap::from([(ROOT, folder(Duration::ZERO))]),
            clock: Duration::from_secs(1_000_000),
            steps: 0,
            syncs: 0,
            fault: None,
            ignored_sync: None,
            moves_folders: true,
            syncs_folders: true,
            late: None,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn with_fault(self, fault: Fault) -> Self {
        self.0.lock().unwrap().fault = Some(fault);
        self
    }

    /// The disk reports the sync of this number as done and does not do it.
    pub(crate) fn with_ignored_sync(self, number: usize) -> Self {
        self.0.lock().unwrap().ignored_sync = Some(number);
        self
    }

    /// Like overlayfs over a lower layer: a published folder cannot be renamed.
    pub(crate) fn without_moves(self) -> Self {
        self.0.lock().unwrap().moves_folders = false;
        self
    }

    /// Like a share that refuses to sync folders.
    pub(crate) fn without_folder_syncs(self) -> Self {
        self.0.lock().unwrap().syncs_folders = false;
        self
    }

    pub(crate) fn steps(&self) -> usize {
        self.0.lock().unwrap().steps
    }

    pub(crate) fn syncs(&self) -> usize {
        self.0.lock().unwrap().syncs
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.0.lock().unwrap().clock += time;
    }

    /// The same disk under another process: what was done stays, and nothing goes wrong any more.
    pub(crate) fn after_death(&self) -> Self {
        let mut state = self.0.lock().unwrap().clone();
        state.land();
        state.fault = None;
        Self(Arc::new(Mutex::new(state)))
    }

    /// The disk after a power cut.
    pub(crate) fn after_power_loss(&self, mut fate: Fate) -> Self {
        let after = self.after_death();
        for node in after.0.lock().unwrap().nodes.values_mut() {
            node.what.lose(&mut fate);
        }
        after
    }

    /// Every file with its bytes and every empty folder, by path.
    pub(crate) fn tree(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        let state = self.0.lock().unwrap();
        let mut tree = BTreeMap::new();
        state.collect(ROOT, "", &mut tree);
        tree
    }

    fn act<T>(&self, work: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.0.lock().unwrap();
        state.steps += 1;
        state.clock += Duration::from_millis(1);
        if state.late.as_ref().is_some_and(|late| late.at <= state.steps) {
            state.land();
        }
        let Some(Fault { after, how }) = state.fault else { return work(&mut state) };
        match (how, state.steps - 1) {
            (How::Die, step) if step >= after => Err(io::Error::other("the process is dead")),
            (How::FailOn(kind), step) if step >= after => Err(kind.into()),
            (How::Fail(kind), step) if step == after => Err(kind.into()),
            (How::Late(_), step) if step == after => Err(io::ErrorKind::TimedOut.into()),
            (How::FailAfter(kind), step) if step == after => work(&mut state).and(Err(kind.into())),
            _ => work(&mut state),
        }
    }
}

impl What {
    fn lose(&mut self, fate: &mut Fate) {
        match self {
            Self::File { bytes, synced } => {
                *bytes = synced.take().unwrap_or_else(|| torn(bytes, fate));
                *synced = Some(bytes.clone());
            }
            Self::Folder { names, synced, since } => {
                for change in since.drain(..) {
                    if fate.choose(2) == 1 {
                        change.apply(synced);
                    }
                }
                names.clone_from(synced);
            }
        }
    }
}

fn torn(bytes: &[u8], fate: &mut Fate) -> Vec<u8> {
    match fate.choose(4) {
        0 => Vec::new(),
        1 => bytes[..bytes.len() / 2].to_vec(),
        2 => vec![0; bytes.len()],
        _ => bytes.to_vec(),
    }
}

impl Change {
    fn apply(self, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Add(name, node) => drop(names.insert(name, node)),
            Self::Remove(name) => drop(names.remove(&name)),
            Self::Rename(from, to, node) => {
                names.remove(&from);
                names.insert(to, node);
            }
        }
    }
}

fn folder(modified: Duration) -> Node {
    let what = What::Folder { names: BTreeMap::new(), synced: BTreeMap::new(), since: Vec::new() };
    Node { modified, what }
}

fn missing<T>() -> io::Result<T> {
    Err(io::ErrorKind::NotFound.into())
}

impl State {
    fn find(&self, place: &Place) -> io::Result<u64> {
        place.parts().try_fold(ROOT, |node, part| self.names(node)?.get(part).copied().map_or_else(missing, Ok))
    }

    fn names(&self, node: u64) -> io::Result<&BTreeMap<String, u64>> {
        match &self.nodes[&node].what {
            What::Folder { names, .. } => Ok(names),
            What::File { .. } => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn is_folder(&self, node: u64) -> bool {
        self.names(node).is_ok()
    }

    fn change(&mut self, parent: u64, change: Change) {
        let clock = self.clock;
        let node = self.nodes.get_mut(&parent).unwrap();
        node.modified = clock;
        let What::Folder { names, since, .. } = &mut node.what else { panic!("a file holds no names") };
        change.clone().apply(names);
        since.push(change);
    }

    fn add(&mut self, place: &Place, node: Node) -> io::Result<u64> {
        let parent = self.find(&place.parent())?;
        if self.names(parent)?.contains_key(place.name()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let number = self.nodes.len() as u64;
        self.nodes.insert(number, node);
        self.change(parent, Change::Add(place.name().to_owned(), number));
        Ok(number)
    }

    fn remove(&mut self, place: &Place) -> io::Result<()> {
        let parent = self.find(&place.parent())?;
        self.change(parent, Change::Remove(place.name().to_owned()));
        Ok(())
    }

    fn rename(&mut self, folder: &Place, from: &str, to: &str) -> io::Result<()> {
        let parent = self.find(folder)?;
        let node = self.find(&folder.join(from))?;
        if self.is_folder(node) && !self.moves_folders && !from.starts_with('.') {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        if let Some(&there) = self.names(parent)?.get(to) {
            self.may_replace(node, there)?;
        }
        self.change(parent, Change::Rename(from.to_owned(), to.to_owned(), node));
        Ok(())
    }

    /// Does what a server was late with; whether that succeeds nobody learns.
    fn land(&mut self) {
        if let Some(Late { folder, from, to, .. }) = self.late.take() {
            let _ = self.rename(&folder, &from, &to);
        }
    }

    /// Keeps a rename for later, if this is the step that is late.
    fn delay(&mut self, folder: &Place, from: &str, to: &str) {
        if let Some(Fault { after, how: How::Late(steps) }) = self.fault
            && after == self.steps
        {
            let (folder, from, to) = (folder.clone(), from.to_owned(), to.to_owned());
            self.late = Some(Late { at: self.steps + 1 + steps, folder, from, to });
        }
    }

    fn may_replace(&self, node: u64, there: u64) -> io::Result<()> {
        match (self.is_folder(node), self.is_folder(there)) {
            (true, true) if !self.names(there)?.is_empty() => Err(io::ErrorKind::DirectoryNotEmpty.into()),
            (true, false) => Err(io::ErrorKind::NotADirectory.into()),
            (false, true) => Err(io::ErrorKind::IsADirectory.into()),
            _ => Ok(()),
        }
    }

    /// Whether this sync is to be done.
    fn syncs(&mut self) -> bool {
        self.syncs += 1;
        self.ignored_sync != Some(self.syncs - 1)
    }

    fn collect(&self, node: u64, path: &str, tree: &mut BTreeMap<String, Option<Vec<u8>>>) {
        match &self.nodes[&node].what {
            What::File { bytes, .. } => drop(tree.insert(path.to_owned(), Some(bytes.clone()))),
            What::Folder { names, .. } if names.is_empty() => drop(tree.insert(path.to_owned(), None)),
            What::Folder { names, .. } => {
                for (name, node) in names {
                    self.collect(*node, &format!("{path}/{name}"), tree);
                }
            }
        }
    }
}

impl Disk for ModelDisk {
    fn make_folder(&self, place: &Place) -> io::Result<()> {
        self.act(|state| state.add(place, folder(state.clock)).map(drop))
    }

    fn make_file(&self, place: &Place) -> io::Result<Box<dyn NewFile>> {
        let what = What::File { bytes: Vec::new(), synced: None };
        let node = self.act(|state| state.add(place, Node { modified: state.clock, what }))?;
        Ok(Box::new(ModelFile { disk: self.clone(), node }))
    }

    fn sync_folder(&self, place: &Place) -> io::Result<()> {
        self.act(|state| {
            let node = state.find(place)?;
            if !state.syncs_folders {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let wanted = state.syncs();
            match &mut state.nodes.get_mut(&node).unwrap().what {
                What::Folder { names, synced, since } if wanted => {
                    synced.clone_from(names);
                    since.clear();
                    Ok(())
                }
                What::Folder { .. } => Ok(()),
                What::File { .. } => Err(io::ErrorKind::NotADirectory.into()),
            }
        })
    }

    fn rename(&self, place: &Place, from: &str, to: &str) -> io::Result<()> {
        self.0.lock().unwrap().delay(place, from, to);
        self.act(|state| state.rename(place, from, to))
    }

    fn remove_file(&self, file: &Place) -> io::Result<()> {
        self.act(|state| {
            let node = state.find(file)?;
            if state.is_folder(node) { Err(io::ErrorKind::IsADirectory.into()) } else { state.remove(file) }
        })
    }

    fn remove_folder(&self, place: &Place) -> io::Result<()> {
        self.act(|state| {
            let empty = state.names(state.find(place)?)?.is_empty();
            if empty { state.remove(place) } else { Err(io::ErrorKind::DirectoryNotEmpty.into()) }
        })
    }

    fn names(&self, place: &Place) -> io::Result<Vec<String>> {
        self.act(|state| Ok(state.names(state.find(place)?)?.keys().cloned().collect()))
    }

    fn open_file(&self, file: &Place) -> io::Result<Box<dyn OldFile>> {
        self.act(|state| {
            let node = state.find(file)?;
            match &state.nodes[&node].what {
                What::File { bytes, .. } => Ok(Box::new(Snapshot(bytes.clone())) as Box<dyn OldFile>),
                What::Folder { .. } => Err(Refused::NoFile.into()),
            }
        })
    }

    fn look(&self, place: &Place) -> io::Result<Seen> {
        self.act(|state| {
            let node = &state.nodes[&state.find(place)?];
            let folder = matches!(node.what, What::Folder { .. });
            Ok(Seen { folder, modified: UNIX_EPOCH + node.modified })
        })
    }
}

struct ModelFile {
    disk: ModelDisk,
    node: u64,
}

impl ModelFile {
    fn act<T>(&self, work: impl FnOnce(&mut State, &mut Node) -> T) -> io::Result<T> {
        self.disk.act(|state| {
            let mut node = state.nodes.remove(&self.node).unwrap();
            let result = work(state, &mut node);
            state.nodes.insert(self.node, node);
            Ok(result)
        })
    }
}

impl NewFile for ModelFile {
    fn write(&mut self, more: &[u8]) -> io::Result<()> {
        self.act(|state, node| {
            node.modified = state.clock;
            if let What::File { bytes, .. } = &mut node.what {
                bytes.extend_from_slice(more);
            }
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.act(|state, node| {
            let wanted = state.syncs();
            if let (What::File { bytes, synced }, true) = (&mut node.what, wanted) {
                *synced = Some(bytes.clone());
            }
        })
    }

    fn modified(&self) -> io::Result<SystemTime> {
        self.act(|_, node| UNIX_EPOCH + node.modified)
    }
}

struct Snapshot(Vec<u8>);

impl OldFile for Snapshot {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let found = self.0.get(start..start + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(found);
        Ok(())
    }
}
