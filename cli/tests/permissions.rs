//! Files, folders and stores that a user may not read or write: each is named, and what cannot be read is deleted nowhere.
//!
//! Where permissions cannot be taken away, these show as ignored, with the reason.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::process::Command;

use libtest_mimic::{Arguments, Completion, Trial};
use support::{Ended, Place, as_nobody, longshore, platform};

/// What is shown with such a user.
type Case = fn(Nobody);

const CASES: [(&str, Case); 4] = [
    ("an_unreadable_file_is_named_and_the_rest_goes_on", an_unreadable_file_is_named_and_the_rest_goes_on),
    ("an_unreadable_root_is_an_error", an_unreadable_root_is_an_error),
    ("a_store_that_cannot_be_read_is_remembered", a_store_that_cannot_be_read_is_remembered),
    ("doctor_finds_a_store_that_cannot_be_written", doctor_finds_a_store_that_cannot_be_written),
];

fn main() {
    let trials = CASES.map(|(name, case)| Trial::ignorable_test(name, move || Ok(run(case))));
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit();
}

/// Two devices in step, and the command as a user for whom permissions count.
struct Nobody {
    place: Place,
    command: Command,
}

impl Nobody {
    fn run(&mut self, arguments: &[&str]) -> Ended {
        self.command.args(arguments).output().unwrap().into()
    }
}

fn run(case: Case) -> Completion {
    let place = Place::with(&["one", "two"]);
    place.write("one/kept.txt", "kept");
    place.write("one/folder/kept too.txt", "kept too");
    place.settle(&["one", "two"]);
    place.write("one/fine.txt", "fine");
    place.write("one/secret.txt", "secret");
    match as_nobody(&place) {
        Ok(command) => {
            case(Nobody { place, command });
            Completion::Completed
        }
        Err(why) => Completion::ignored_with(why),
    }
}

fn an_unreadable_file_is_named_and_the_rest_goes_on(mut nobody: Nobody) {
    let one = nobody.place.path("one");
    platform::set_mode(&one.join("secret.txt"), 0o000);
    platform::set_mode(&one.join("folder"), 0o000);
    let ended = nobody.run(&["sync", one.to_str().unwrap()]);
    assert_eq!(ended.code, Some(7), "{}", ended.err);
    assert!(ended.err.contains("secret.txt: cannot be read") && ended.err.contains("folder/: cannot be read"));
    platform::set_mode(&one.join("folder"), 0o755);
    nobody.place.settle(&["two"]);
    let names: Vec<_> = nobody.place.files("two").into_keys().collect();
    assert_eq!(names, ["fine.txt", "folder/kept too.txt", "kept.txt"], "what cannot be read is not deleted elsewhere");
}

fn an_unreadable_root_is_an_error(mut nobody: Nobody) {
    let one = nobody.place.path("one");
    // Its state can be reached, but it cannot be listed.
    platform::set_mode(&one, 0o300);
    assert!(nobody.run(&["sync", one.to_str().unwrap()]).fails(1).contains("cannot read"));
    platform::set_mode(&one, 0o700);
    nobody.place.settle(&["two"]);
    assert_eq!(nobody.place.files("two").len(), 2);
}

fn a_store_that_cannot_be_read_is_remembered(mut nobody: Nobody) {
    let store = nobody.place.path("store");
    platform::set_mode(&store, 0o000);
    let line = nobody.run(&["--json", "sync", nobody.place.path("one").to_str().unwrap()]).fails(1);
    assert!(line.contains(&nobody.place.url()), "{line}");
    platform::set_mode(&store, 0o755);
    let status = || nobody.place.run("status", "one", &[]).ok().json();
    assert_eq!(status()["status"]["last_error"], line.trim_end()["longshore: ".len()..]);
    nobody.place.settle(&["one"]);
    assert!(status()["status"]["last_error"].is_null());
}

fn doctor_finds_a_store_that_cannot_be_written(mut nobody: Nobody) {
    let healthy: Ended = longshore().args(["doctor", "--json", &nobody.place.url()]).output().unwrap().into();
    let health = healthy.ok().json()["health"].clone();
    assert_ne!(health, "note", "notes take nothing away");
    platform::set_mode(&nobody.place.path("store"), 0o555);
    let ended = nobody.run(&["doctor", "--json", &nobody.place.url()]);
    assert_eq!(ended.code, Some(1), "{}", ended.out);
    let said = ended.json();
    let finding = said["findings"].as_array().unwrap().iter().find(|finding| finding["topic"] == "writable").unwrap();
    let text = finding["text"].as_str().unwrap();
    assert_eq!((&said["health"], &finding["health"]), (&"bad".into(), &"bad".into()));
    assert!(text.contains(&nobody.place.url()) && text.contains("give this user the rights"), "{text}");
    assert!(!text.contains("must not") && !text.contains("Applied"), "{text}");
}
