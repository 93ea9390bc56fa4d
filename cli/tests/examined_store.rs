//! Somebody wants to trust a store: `doctor` answers in seconds, `conformance` shows it, and neither leaves anything behind.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::fs;

use serde_json::Value;
use support::{Ended, Place, longshore};

fn on_store(place: &Place, command: &str, more: &[&str]) -> Ended {
    fs::create_dir_all(place.path("store")).unwrap();
    longshore().arg(command).arg(place.url()).args(more).output().unwrap().into()
}

#[test]
fn doctor_finds_a_folder_healthy_and_leaves_nothing() {
    let place = Place::new();
    let answer = on_store(&place, "doctor", &["--json"]).ok().json();
    assert_ne!(answer["health"], "bad");
    let topics: Vec<&str> =
        answer["findings"].as_array().unwrap().iter().map(|finding| finding["topic"].as_str().unwrap()).collect();
    for topic in [
        "reachable",
        "creates once, raced",
        "lists what was written",
        "clock",
        "adapter",
        "server time",
        "size limit",
        "requests",
        "limits of this",
    ] {
        assert!(topics.contains(&topic), "{topic} in {topics:?}");
    }
    assert_eq!(fs::read_dir(place.path("store")).unwrap().count(), 0);
}

#[test]
fn doctor_says_that_a_store_is_not_there() {
    let place = Place::new();
    let ended: Ended = longshore().arg("doctor").arg(place.url()).output().unwrap().into();
    assert!(ended.fails(6).contains("is not there"));
}

#[test]
fn doctor_disturbs_no_store() {
    let place = Place::with(&["one"]);
    place.write("one/file", "text");
    place.run("sync", "one", &[]).ok();
    on_store(&place, "doctor", &[]).ok();
    let names: Vec<_> = fs::read_dir(place.path("store")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().starts_with("doctor")), "{names:?}");
    place.run("sync", "one", &[]).ok();
}

#[test]
fn conformance_reports_in_every_form_and_leaves_nothing() {
    let place = Place::new();
    let (json, junit) = (place.path("report.json"), place.path("report.xml"));
    let more = ["--quick", "--only", "storage::create", "--seed", "7", "--json", json.to_str().unwrap(), "--junit"];
    let ended = on_store(&place, "conformance", &[&more[..], &[junit.to_str().unwrap()]].concat()).ok();
    assert!(ended.out.contains("| storage |"), "{}", ended.out);
    let report: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!((&report["failed"], &report["seed"], &report["size"]), (&0.into(), &"7".into(), &"quick".into()));
    assert!(fs::read_to_string(junit).unwrap().contains("failures=\"0\""));
    assert_eq!(fs::read_dir(place.path("store")).unwrap().count(), 0);
}

#[test]
fn conformance_says_what_it_was_not_shown() {
    let place = Place::new();
    let more = ["--quick", "--only", "storage::create", "--require", "network"];
    let ended = on_store(&place, "conformance", &more);
    assert_eq!(ended.code, Some(1));
    assert!(ended.err.contains("nothing was shown of network"), "{}", ended.err);
    // All that was required and not shown is named.
    let ended = on_store(&place, "conformance", &[&more[..], &["--require", "crash", "--require", "storage"]].concat());
    for group in ["network", "crash"] {
        assert!(ended.err.contains(&format!("nothing was shown of {group}: none of its")), "{}", ended.err);
    }
    assert!(!ended.err.contains("nothing was shown of storage"), "{}", ended.err);
    let ended = on_store(&place, "conformance", &["--only", "no such case"]);
    assert!(ended.fails(2).contains("no case has such a name"));
    let ended = on_store(&place, "conformance", &["--require", "nothing"]);
    assert!(ended.fails(2).contains("is no group"));
}

#[test]
fn conformance_ends_with_what_it_did_not_show() {
    let place = Place::new();
    // Nothing of a folder asks for credentials.
    let ended = on_store(&place, "conformance", &["--quick", "--only", "storage::root::wrong_credentials"]).ok();
    let last = ended.err.trim_end().lines().last().unwrap();
    assert!(last.starts_with("nothing was shown of storage: its "), "{}", ended.err);
}

#[test]
fn conformance_prints_json_in_place_of_the_table() {
    let place = Place::new();
    fs::create_dir_all(place.path("store")).unwrap();
    let run = |more: &[&str]| {
        let mut command = longshore();
        command.args(["--json", "conformance", &place.url(), "--quick", "--only", "storage::create"]).args(more);
        Ended::from(command.output().unwrap())
    };
    let report = run(&[]).ok().json();
    assert_eq!((&report["failed"], &report["size"]), (&0.into(), &"quick".into()));
    // A failure is one object as well, with the outcome in it.
    let ended = run(&["--require", "network"]);
    let report = ended.json();
    assert_eq!((ended.code, report["error"]["kind"].as_str()), (Some(1), Some("failure")), "{report}");
    assert!(!report["cases"].as_array().unwrap().is_empty());
}

/// `doctor --json` is a switch; here the file is easily forgotten.
#[test]
fn conformance_says_that_the_file_for_json_is_missing() {
    let place = Place::new();
    fs::create_dir_all(place.path("store")).unwrap();
    let url = place.url();
    for arguments in [
        &["conformance", &url, "--json"][..],
        &["conformance", &url, "--json", "--quick"],
        &["conformance", "--json", &url],
    ] {
        let ended: Ended = longshore().args(arguments).output().unwrap().into();
        assert_eq!((ended.err.lines().count(), ended.out.as_str()), (1, ""), "{arguments:?}");
        let line = ended.fails(2);
        assert!(line.contains("--json: FILE is missing") && line.contains("`--json -` for standard output"), "{line}");
    }
    let ended: Ended = longshore().args(["conformance", &url, "--junit"]).output().unwrap().into();
    assert!(ended.fails(2).contains("--junit: FILE is missing"));
    let only = ["--quick", "--only", "storage::root::", "--json", "-"];
    assert!(on_store(&place, "conformance", &only).ok().json()["cases"].is_array());
    for (command, said) in [("doctor", "is a switch here"), ("conformance", "it takes a FILE")] {
        let help: Ended = longshore().args([command, "--help"]).output().unwrap().into();
        let help = help.ok().out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(said), "{help}");
    }
}

/// Whether the folder is mistyped or was never made, only its user knows.
#[test]
fn a_missing_folder_may_be_created() {
    let place = Place::new();
    let create = format!("or, for a new store, create it: mkdir -p {}", place.path("store").display());
    for command in ["doctor", "conformance"] {
        let ended: Ended = longshore().args([command, &place.url()]).output().unwrap().into();
        let line = ended.fails(6);
        assert!(line.contains("mount or restore it") && line.trim_end().ends_with(&create), "{line}");
    }
    // Of a store that was there, an empty folder in its place is no help.
    let place = Place::with(&["one"]);
    fs::remove_dir_all(place.path("store")).unwrap();
    assert!(!place.run("sync", "one", &[]).err.contains("mkdir"));
}

/// What a killed run leaves is told by the next, however that one ends, and stays: only its user knows that nothing runs there.
#[test]
fn what_a_killed_run_left_is_told_with_the_command_that_removes_it() {
    let place = Place::new();
    let long_ago = ["conformance-00000000001-0123456789abcdef", "doctor-00000000001-0123456789abcdef"];
    let running = longshore_conformance::litter::scratch("doctor").unwrap();
    for name in long_ago.iter().copied().chain([running.as_str(), "doctor-notes"]) {
        place.write(&format!("store/{name}/segments/0/x"), "x");
    }
    let path = |name: &str| place.path("store").join(name).display().to_string();
    let command = format!("rm -r {} {}", path(long_ago[0]), path(long_ago[1]));

    let answer = on_store(&place, "doctor", &["--json"]).ok().json();
    let left: Vec<&Value> =
        answer["findings"].as_array().unwrap().iter().filter(|finding| finding["topic"] == "left behind").collect();
    assert!(matches!(left[..], [note] if note["health"] == "note"), "{answer}");
    let text = left[0]["text"].as_str().unwrap();
    assert!(text.contains("2 scratch places") && text.contains(&command), "{text}");
    assert!(!text.contains(&running) && !text.contains("doctor-notes"), "{text}");

    let suite = on_store(&place, "conformance", &["--quick", "--only", "storage::root::"]).ok();
    assert_eq!(suite.err.lines().filter(|line| line.contains(&command)).count(), 1, "{}", suite.err);
    assert!(place.path("store").join(long_ago[0]).exists());

    fs::remove_dir_all(place.path("store").join(long_ago[0])).unwrap();
    fs::remove_dir_all(place.path("store").join(long_ago[1])).unwrap();
    assert!(!on_store(&place, "doctor", &[]).ok().out.contains("left behind"));
}
