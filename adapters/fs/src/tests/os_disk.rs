//! Both implementations of the file operations, this platform's and the portable one, keep the same contract.

use std::io;

use longshore_core::ErrorKind;

use super::scenario::{DAY, Promises, bytes_of, key, read, run};
use crate::disk::Disk;
use crate::errors::not_applied;
use crate::place::Place;
use crate::platform::{OsDisk, PortableDisk};
use crate::store::Store;

fn on_both(test: impl Fn(&dyn Fn() -> Box<dyn Disk>, &std::path::Path)) {
    let root = tempfile::tempdir().unwrap();
    test(&|| Box::new(OsDisk::open(root.path()).unwrap()), root.path());
    let root = tempfile::tempdir().unwrap();
    test(&|| Box::new(PortableDisk::open(root.path()).unwrap()), root.path());
}

#[test]
fn a_whole_day_on_real_files() {
    on_both(|open, _| {
        let store = Store::new(open());
        run(&store, DAY, &mut Promises::default()).unwrap();
        assert_eq!(read(&store, "log/0/2/data").unwrap(), Some(bytes_of("log/0/2/data")));
        assert_eq!(read(&store, "log/0/1/data").unwrap(), None);
        assert_eq!(read(&store, "segments/0/a").unwrap(), None);
    });
}

#[test]
fn the_kernel_refuses_to_rename_over_an_entry() {
    on_both(|open, root| {
        let disk = open();
        std::fs::create_dir_all(root.join("taken")).unwrap();
        std::fs::write(root.join("taken/data"), "theirs").unwrap();
        std::fs::create_dir(root.join("mine")).unwrap();
        let error = disk.rename(&Place::default(), "mine", "taken").unwrap_err();
        assert!(matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists), "{error:?}");
        assert_eq!(std::fs::read(root.join("taken/data")).unwrap(), b"theirs");
    });
}

#[test]
fn the_root_is_told_from_what_is_inside() {
    on_both(|open, root| {
        let disk = open();
        let inside = disk.names(&Place::default().join("nothing")).unwrap_err();
        assert_eq!(inside.kind(), io::ErrorKind::NotFound);
        std::fs::remove_dir(root).unwrap();
        assert_eq!(not_applied(disk.names(&Place::default()).unwrap_err()).kind(), ErrorKind::Missing);
        std::fs::write(root, "a file").unwrap();
        assert_eq!(not_applied(disk.names(&Place::default()).unwrap_err()).kind(), ErrorKind::Missing);
        std::fs::remove_file(root).unwrap();
        std::fs::create_dir(root).unwrap();
    });
}

#[test]
fn things_that_are_no_files_are_refused() {
    on_both(|open, root| {
        let store = Store::new(open());
        std::fs::create_dir_all(root.join("format/data")).unwrap();
        assert_eq!(read(&store, "format/data").unwrap_err().kind(), ErrorKind::Corrupt);
        std::fs::write(root.join("log"), "a file").unwrap();
        assert_eq!(read(&store, "log/1/data").unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(store.create(&key("log/1/data"), b"x").unwrap_err().kind(), ErrorKind::Corrupt);
    });
}
