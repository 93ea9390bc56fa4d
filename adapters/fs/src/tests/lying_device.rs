//! A device that says "written" and has other bytes: what is read back tells, before anybody is told that it is safe.

use std::io;
use std::time::SystemTime;

use longshore_core::{ErrorKind, Outcome};

use super::model::ModelDisk;
use super::scenario::key;
use crate::disk::{Disk, NewFile, OldFile, Seen};
use crate::place::Place;
use crate::store::Store;

/// Flips a bit of every file whose length it keeps.
#[derive(Debug)]
struct Flipping(ModelDisk);

struct FlippedFile(Box<dyn NewFile>);

impl NewFile for FlippedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut other = bytes.to_vec();
        if let Some(last) = other.last_mut() {
            *last ^= 1;
        }
        self.0.write(&other)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }

    fn modified(&self) -> io::Result<SystemTime> {
        self.0.modified()
    }
}

impl Disk for Flipping {
    fn make_folder(&self, folder: &Place) -> io::Result<()> {
        self.0.make_folder(folder)
    }

    fn make_file(&self, file: &Place) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(FlippedFile(self.0.make_file(file)?)))
    }

    fn sync_folder(&self, folder: &Place) -> io::Result<()> {
        self.0.sync_folder(folder)
    }

    fn rename(&self, folder: &Place, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(folder, from, to)
    }

    fn remove_file(&self, file: &Place) -> io::Result<()> {
        self.0.remove_file(file)
    }

    fn remove_folder(&self, folder: &Place) -> io::Result<()> {
        self.0.remove_folder(folder)
    }

    fn names(&self, folder: &Place) -> io::Result<Vec<String>> {
        self.0.names(folder)
    }

    fn open_file(&self, file: &Place) -> io::Result<Box<dyn OldFile>> {
        self.0.open_file(file)
    }

    fn look(&self, place: &Place) -> io::Result<Seen> {
        self.0.look(place)
    }
}

#[test]
fn other_bytes_than_were_written_are_corrupt() {
    let store = Store::new(Flipping(ModelDisk::new()));
    let created = store.create(&key("log/0/1/data"), b"an entry").unwrap_err();
    let upload = store.append(store.begin(&key("segments/0/a")).unwrap(), b"a segment").unwrap();
    let put = store.finish(upload).unwrap_err();
    for error in [created, put] {
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Corrupt, Outcome::Unknown), "{error}");
        assert!(error.to_string().contains("check the device"), "{error}");
    }
}
