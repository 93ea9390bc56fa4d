//! Two devices edit one file. No edit may be lost: each rule of `--conflict` decides as it says, and the default keeps both.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::{Ended, Place, longshore};

/// Both devices have `a.txt`, and both changed it; `one` committed first.
fn met() -> Place {
    let place = Place::with(&["one", "two"]);
    place.write("one/a.txt", "base");
    place.settle(&["one", "two"]);
    place.write("one/a.txt", "first edit");
    place.write("two/a.txt", "second, longer edit");
    place.settle(&["one"]);
    place
}

fn copy_of(place: &Place, folder: &str) -> Option<String> {
    place.files(folder).into_keys().find(|name| name.starts_with("a (conflict two ") && name.ends_with(").txt"))
}

#[test]
fn by_default_both_edits_are_kept() {
    let place = met();
    let ended = place.sync("two", &[]).ok().json();
    assert_eq!(ended["report"]["resolved"], 1);
    place.settle(&["one"]);
    place.equal("one", "two");
    assert_eq!(place.read("one/a.txt").unwrap(), "first edit");
    let copy = copy_of(&place, "one").unwrap();
    assert_eq!(place.read(&format!("one/{copy}")).unwrap(), "second, longer edit");
    assert_eq!(place.files("one").len(), 2);
}

#[test]
fn local_wins_if_asked_for() {
    let place = met();
    place.sync("two", &["--conflict", "local"]).ok();
    place.settle(&["one"]);
    place.equal("one", "two");
    assert_eq!(place.read("one/a.txt").unwrap(), "second, longer edit");
}

#[test]
fn remote_wins_if_asked_for() {
    let place = met();
    place.sync("two", &["--conflict", "remote"]).ok();
    place.settle(&["one"]);
    place.equal("one", "two");
    assert_eq!(place.read("two/a.txt").unwrap(), "first edit");
    assert_eq!(place.files("two").len(), 1);
}

#[test]
fn stop_leaves_it_open_and_says_so() {
    let place = met();
    assert_eq!(place.sync("two", &["--conflict", "stop"]).code, Some(3));
    assert_eq!(place.read("two/a.txt").unwrap(), "second, longer edit");
    let listed = place.run("conflicts", "two", &[]);
    assert_eq!((listed.code, listed.json()["conflicts"][0]["id"].as_str()), (Some(3), Some("a.txt")));
    assert_eq!(place.run("status", "two", &[]).ok().json()["status"]["conflicts"], 1);
    place.run("detach", "two", &[]).fails(1);
    // The rest goes on meanwhile.
    place.write("two/b.txt", "b");
    assert_eq!(place.sync("two", &["--conflict", "stop"]).code, Some(3));
    place.settle(&["one", "two", "one"]);
    place.equal("one", "two");
    assert_eq!(place.run("conflicts", "two", &[]).ok().json()["conflicts"].as_array().unwrap().len(), 0);
}

#[test]
fn an_edit_wins_over_a_deletion_on_either_side() {
    let place = Place::with(&["one", "two"]);
    place.write("one/a.txt", "a");
    place.write("one/b.txt", "b");
    place.settle(&["one", "two"]);
    place.remove("one/a.txt");
    place.write("two/a.txt", "edited a");
    place.write("one/b.txt", "edited b");
    place.remove("two/b.txt");
    place.settle(&["one", "two", "one"]);
    place.equal("one", "two");
    assert_eq!(place.read("one/a.txt").unwrap(), "edited a");
    assert_eq!(place.read("one/b.txt").unwrap(), "edited b");
}

#[test]
fn the_same_edit_on_both_sides_is_no_conflict() {
    let place = Place::with(&["one", "two"]);
    place.write("one/a.txt", "same");
    place.write("two/a.txt", "same");
    place.settle(&["one", "two"]);
    let report = place.sync("two", &[]).ok().json()["report"].clone();
    assert_eq!((report["conflicts"].as_u64(), report["pushed"].as_u64()), (Some(0), Some(0)));
    assert_eq!(place.files("two").len(), 1);
}

#[test]
fn a_copy_that_exists_is_not_overwritten() {
    let place = met();
    place.sync("two", &[]).ok();
    let copy = copy_of(&place, "two").unwrap();
    place.write(&format!("two/{copy}"), "mine");
    place.settle(&["one"]);
    place.write("one/a.txt", "third edit");
    place.write("two/a.txt", "a fourth edit");
    place.settle(&["one", "two", "one"]);
    place.equal("one", "two");
    let contents: Vec<_> = place.files("two").into_values().collect();
    for text in ["third edit", "a fourth edit", "mine"] {
        assert!(contents.contains(&text.as_bytes().to_vec()), "{text} is lost");
    }
}

/// What each rule would do to a file that was edited on two sides, and to one that was deleted on one.
#[test]
fn a_dry_run_tells_what_the_rule_would_do() {
    let place = Place::with(&["one", "two"]);
    for name in ["a.txt", "sub/c.md", "d.txt", "same.txt", "gone.txt"] {
        place.write(&format!("one/{name}"), name);
    }
    place.settle(&["one", "two"]);
    for device in ["one", "two"] {
        place.write(&format!("{device}/a.txt"), format!("edited on {device}"));
        place.write(&format!("{device}/same.txt"), "the same edit");
        place.remove(&format!("{device}/gone.txt"));
    }
    place.remove("one/sub/c.md");
    place.write("two/sub/c.md", "edited, not deleted");
    place.write("one/d.txt", "edited, not deleted");
    place.remove("two/d.txt");
    place.settle(&["one"]);
    let decisions = |rule: &str, code: i32| {
        let ended = place.sync("two", &["--dry-run", "--conflict", rule]);
        assert_eq!(ended.code, Some(code), "{}", ended.err);
        let plan = ended.json();
        assert_eq!(plan["push"].as_array().unwrap().len(), 0, "{plan}");
        let told = plan["conflicts"].as_array().unwrap().iter();
        told.map(|told| format!("{} {}", told["document"].as_str().unwrap(), told["decision"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(decisions("keep-both", 0), ["a.txt copied", "d.txt theirs", "sub/c.md ours"]);
    assert_eq!(decisions("local", 0), ["a.txt ours", "d.txt ours", "sub/c.md ours"]);
    assert_eq!(decisions("remote", 0), ["a.txt theirs", "d.txt theirs", "sub/c.md theirs"]);
    assert_eq!(decisions("stop", 3), ["a.txt open", "d.txt open", "sub/c.md open"]);
    let text = longshore().args(["sync", "--dry-run", "--conflict", "remote"]).arg(place.path("two")).output().unwrap();
    let text = Ended::from(text).ok().out;
    let line = "conflict: sub/c.md: deleted elsewhere, changed here; with remote it would be removed here\n";
    assert!(text.contains(line), "{text}");
    // It is told of an open conflict as well.
    assert_eq!(place.sync("two", &["--conflict", "stop"]).code, Some(3));
    assert_eq!(decisions("remote", 0), ["a.txt theirs", "d.txt theirs", "sub/c.md theirs"]);
    place.sync("two", &["--conflict", "remote"]).ok();
    assert!(!place.path("two/sub/c.md").exists());
}

#[test]
fn what_was_given_up_can_be_had_from_the_log() {
    let place = met();
    place.write("one/b.txt", "b");
    place.settle(&["one"]);
    let text = longshore().args(["sync", "--conflict", "local"]).arg(place.path("two")).output().unwrap();
    let text = Ended::from(text).ok().out;
    let folder = std::fs::canonicalize(place.path("two")).unwrap();
    assert!(text.contains(&format!("`longshore log get --folder {} 2 a.txt --to FILE`", folder.display())), "{text}");
    let get = |more: &[&str]| {
        let mut command = longshore();
        command.args(["log", "get"]).args(more).current_dir(place.path("two"));
        Ended::from(command.output().unwrap())
    };
    assert_eq!(get(&["2", "a.txt"]).ok().out, "first edit");
    let to = place.path("saved.txt").display().to_string();
    get(&["2", "a.txt", "--to", &to]).ok();
    assert_eq!(place.read("saved.txt").unwrap(), "first edit");
    assert!(get(&["1", "a.txt", "--to", &to]).fails(1).contains("not overwritten"));
    assert_eq!(place.read("saved.txt").unwrap(), "first edit");
    assert!(get(&["2", "x.txt"]).fails(1).contains("did not change `x.txt`"));
    assert!(get(&["0", "a.txt"]).fails(2).contains("the first is 1"));
    assert!(get(&["42", "a.txt"]).fails(1).contains("lists the newest"));
    assert!(get(&["2", "a.txt", "--json"]).fails(2).contains("--to"));
    place.remove("two/a.txt");
    place.settle(&["two"]);
    let newest = place.run("status", "two", &[]).ok().json()["status"]["checkpoint"].to_string();
    assert!(get(&[&newest, "a.txt"]).fails(1).contains("deleted `a.txt`"));
}

#[test]
fn a_deletion_elsewhere_is_called_one() {
    let place = Place::with(&["one", "two"]);
    place.write("one/a.txt", "a");
    place.settle(&["one", "two"]);
    place.remove("one/a.txt");
    place.write("two/a.txt", "edited");
    place.settle(&["one"]);
    let text = longshore().arg("sync").arg(place.path("two")).output().unwrap();
    assert!(Ended::from(text).ok().out.contains("a.txt was deleted elsewhere; your version is kept"));
}
