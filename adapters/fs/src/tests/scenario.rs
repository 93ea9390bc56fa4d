//! A writer's day, and what may be read after it was cut short.

use std::collections::{BTreeMap, BTreeSet};

use longshore_core::{ByteRange, Created, ErrorKind, ObjectKey, Outcome, Result};

use super::model::{Fate, ModelDisk};
use crate::place::is_temporary;
use crate::store::Store;

/// One operation, on the object of this name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Create(&'static str),
    Put(&'static str),
    Delete(&'static str),
}

/// All kinds of writes: into new folders and known ones, repeated, lost to another, deleted.
pub(crate) const DAY: &[Step] = &[
    Step::Create("format/data"),
    Step::Create("log/0/1/data"),
    Step::Create("log/0/2/data"),
    Step::Create("log/0/2/data"),
    Step::Put("segments/0/a"),
    Step::Put("segments/0/a"),
    Step::Create("log/1/3/data"),
    Step::Put("segments/1/b"),
    Step::Delete("log/0/1/data"),
    Step::Delete("segments/0/a"),
    Step::Delete("log/0/1/data"),
    Step::Delete("log/7/9/data"),
];

/// The bytes of an object: always the same under the same name.
pub(crate) fn bytes_of(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(100 + name.len()).collect()
}

pub(crate) fn key(name: &str) -> ObjectKey {
    ObjectKey::new(name).unwrap()
}

/// What may be read under each name: the object, nothing, or either.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promises(BTreeMap<&'static str, BTreeSet<bool>>);

impl Promises {
    pub(crate) fn allowed(&self, name: &str) -> BTreeSet<bool> {
        self.0.get(name).cloned().unwrap_or_else(|| BTreeSet::from([false]))
    }

    /// Notes an answer. One that leaves the question open adds to what was possible before.
    fn note<T>(&mut self, name: &'static str, there: bool, answer: &Result<T>) {
        let mut allowed = self.allowed(name);
        match answer {
            Ok(_) => allowed = BTreeSet::from([there]),
            Err(error) if error.outcome() == Outcome::Unknown => drop(allowed.insert(there)),
            Err(_) => {}
        }
        self.0.insert(name, allowed);
    }

    /// A process that died says nothing; whatever it was doing may be done.
    fn leave_open(&mut self, name: &'static str, there: bool) {
        self.0.entry(name).or_insert_with(|| BTreeSet::from([false])).insert(there);
    }
}

/// Runs the steps until one fails, and keeps what the answers promise.
pub(crate) fn run(store: &Store, steps: &[Step], promises: &mut Promises) -> Result<()> {
    steps.iter().try_for_each(|step| one(store, *step, promises))
}

pub(crate) fn one(store: &Store, step: Step, promises: &mut Promises) -> Result<()> {
    match step {
        Step::Create(name) => create(store, name, promises),
        Step::Put(name) => {
            let answer = put(store, name);
            promises.note(name, true, &answer);
            answer
        }
        Step::Delete(name) => {
            let answer = store.delete(&key(name)).map(drop);
            promises.note(name, false, &answer);
            answer
        }
    }
}

fn create(store: &Store, name: &'static str, promises: &mut Promises) -> Result<()> {
    let answer = store.create(&key(name), &bytes_of(name)).map(|reply| reply.value);
    match answer {
        Ok(Created::Exists) => assert!(promises.allowed(name).contains(&true), "{name} cannot exist"),
        _ => promises.note(name, true, &answer),
    }
    answer.map(drop)
}

fn put(store: &Store, name: &str) -> Result<()> {
    let bytes = bytes_of(name);
    let (first, second) = bytes.split_at(50);
    let upload = store.append(store.begin(&key(name))?, first)?;
    store.finish(store.append(upload, second)?).map(drop)
}

/// As [`run`], for a process that dies on the way: what it was at when it died is open.
pub(crate) fn run_and_die(store: &Store, steps: &[Step]) -> Promises {
    let mut promises = Promises::default();
    for step in steps {
        if one(store, *step, &mut promises).is_err() {
            match *step {
                Step::Create(name) | Step::Put(name) => promises.leave_open(name, true),
                Step::Delete(name) => promises.leave_open(name, false),
            }
            break;
        }
    }
    promises
}

/// The object's bytes, read as `get` reads them.
pub(crate) fn read(store: &Store, name: &str) -> Result<Option<Vec<u8>>> {
    let Some((mut download, first)) = store.get(&key(name), ByteRange::ALL)? else { return Ok(None) };
    let mut bytes = first.to_vec();
    while download.left() > 0 {
        bytes.extend_from_slice(&download.piece()?);
    }
    Ok(Some(bytes))
}

/// What is wrong with the disk, given what was promised.
pub(crate) fn breach(disk: &ModelDisk, promises: &Promises) -> Option<String> {
    torn_object(disk).or_else(|| broken_promise(disk, promises))
}

fn broken_promise(disk: &ModelDisk, promises: &Promises) -> Option<String> {
    let store = Store::new(disk.after_death());
    promises.0.iter().find_map(|(name, allowed)| match read(&store, name) {
        Ok(found) if !allowed.contains(&found.is_some()) => {
            Some(format!("{name}: there {}, allowed {allowed:?}", found.is_some()))
        }
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    })
}

/// Looks at the files themselves: nothing under a final name but whole objects, and no entry's folder without one.
fn torn_object(disk: &ModelDisk) -> Option<String> {
    let visible = |path: &String| !path.split('/').any(is_temporary) && !path.ends_with(".deleted");
    disk.tree().into_iter().filter(|(path, _)| visible(path)).find_map(|(path, bytes)| match bytes {
        Some(bytes) if bytes == bytes_of(&path[1..]) => None,
        Some(_) => Some(format!("{path} is torn")),
        None => is_entry_folder(&path).then(|| format!("{path} is empty")),
    })
}

fn is_entry_folder(path: &str) -> bool {
    DAY.iter().any(
        |step| matches!(step, Step::Create(name) if name.strip_suffix("/data") == Some(path.trim_start_matches('/'))),
    )
}

/// All that a power cut may leave of a disk, as far as we explore it.
pub(crate) fn fates() -> impl Iterator<Item = Fate> {
    [Fate::Lost, Fate::Kept].into_iter().chain((0..48).map(Fate::Random))
}

/// After whatever happened, another process can go on where this one stopped.
pub(crate) fn assert_usable(disk: &ModelDisk) {
    let store = Store::new(disk.after_death());
    for step in DAY {
        if let Step::Create(name) | Step::Put(name) = *step {
            let again = one_again(&store, *step);
            assert!(again.is_ok(), "{name}: {again:?}");
            assert_eq!(read(&store, name).unwrap(), Some(bytes_of(name)));
        }
    }
}

fn one_again(store: &Store, step: Step) -> Result<(), ErrorKind> {
    let done = match step {
        Step::Create(name) => store.create(&key(name), &bytes_of(name)).map(drop),
        Step::Put(name) => put(store, name),
        Step::Delete(_) => Ok(()),
    };
    done.map_err(|error| error.kind())
}
