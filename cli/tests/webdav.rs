//! A store in a folder on a WebDAV server: the whole command works, and whatever can be wrong with the folder, its address or its
//! server gives one clear line and the right exit code, with no secret in it, and nothing is lost.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use longshore_webdav_double::{Double, Moves};
use serde_json::Value;
use support::remote::{Remote, without};
use support::{Ended, Place};

/// What must never be printed: the password, one that is wrong, and what goes over the wire for the first.
const SECRETS: [&str; 3] = [Double::PASSWORD, "open-sesame", "ZGF2OmRhdi1wYXNzLTE"];

/// A server, and devices that sync through a folder of it.
struct Shore {
    place: Place,
    server: Double,
    scheme: &'static str,
}

impl Shore {
    fn new() -> Self {
        Self { place: Place::new(), server: Double::start().unwrap(), scheme: "webdav" }
    }

    fn with_tls() -> Self {
        Self { place: Place::new(), server: Double::start_with_tls().unwrap(), scheme: "webdavs" }
    }

    /// Two devices in step, with three files.
    fn settled() -> Self {
        let shore = Self::new();
        shore.begin();
        shore
    }

    /// The address of a folder on the server.
    fn url(&self, path: &str) -> String {
        format!("{}://{}/{path}", self.scheme, self.server.address())
    }

    /// That folder on the server's disk.
    fn folder(&self, name: &str) -> PathBuf {
        self.server.folder().join(name)
    }

    fn command() -> Command {
        let mut command = without("WEBDAV_");
        command.env("WEBDAV_USER", Double::USER).env("WEBDAV_PASSWORD", Double::PASSWORD);
        command
    }

    fn doctor(url: &str) -> Command {
        let mut command = Self::command();
        command.args(["--json", "doctor", url]);
        command
    }
}

impl Remote for Shore {
    const SECRETS: &'static [&'static str] = &SECRETS;

    fn place(&self) -> &Place {
        &self.place
    }

    fn store(&self) -> String {
        self.url("store")
    }

    fn longshore(&self) -> Command {
        Self::command()
    }
}

fn ended(command: &mut Command) -> Ended {
    Shore::ended(command)
}

#[test]
fn two_devices_stay_in_step_through_a_folder() {
    let shore = Shore::settled();
    shore.place.write("two/d.txt", "d");
    shore.place.remove("one/a.txt");
    shore.settle();
    assert_eq!(shore.place.files("one").len(), 3);
    let status = shore.run("status", "one").ok().json();
    assert_eq!(status["url"], shore.url("store"));
    let log = ended(Shore::command().args(["--json", "log", "--folder"]).arg(shore.place.path("two"))).ok().json();
    assert!(log["entries"].as_array().unwrap().len() >= 3, "{log}");
    shore.run("detach", "two").ok();
    // A command that ends makes no temporary ahead for a push that never comes, with or without a push of its own.
    let names = walked(&shore.folder("store"));
    assert!(names.iter().any(|name| name == "data") && !names.iter().any(|name| name.starts_with("tmp.")), "{names:?}");
}

/// The names of all that lies below.
fn walked(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        names.push(entry.file_name().into_string().unwrap());
        if entry.path().is_dir() {
            names.extend(walked(&entry.path()));
        }
    }
    names
}

#[test]
fn one_folder_is_used_over_webdav_and_on_disk() {
    let shore = Shore::settled();
    let mounted = longshore::file_url(&shore.folder("store"));
    ended(&mut shore.init_at(&mounted, "three", &["--join"])).ok();
    for number in 0..5 {
        shore.place.write(&format!("three/of-three-{number}.txt"), "on disk");
        shore.place.write(&format!("one/of-one-{number}.txt"), "over webdav");
        for device in ["three", "one"] {
            shore.sync(device).ok();
        }
    }
    for device in ["three", "two"] {
        shore.sync(device).ok();
    }
    assert_eq!(shore.place.files("three").len(), 13);
    for device in ["two", "three"] {
        shore.place.equal("one", device);
    }
}

#[test]
fn a_conflict_stays_open_until_a_rule_decides_it() {
    let shore = Shore::settled();
    for (device, text) in [("one", "first"), ("two", "a second edit")] {
        shore.place.write(&format!("{device}/a.txt"), text);
    }
    shore.sync("one").ok();
    let two = shore.place.path("two");
    let sync = |rule: &str| ended(Shore::command().args(["--json", "sync", "--conflict", rule]).arg(&two));
    assert_eq!(sync("stop").code, Some(3));
    let listed = shore.run("conflicts", "two");
    assert_eq!((listed.code, listed.json()["conflicts"][0]["id"].as_str()), (Some(3), Some("a.txt")));
    assert_eq!(shore.place.read("two/a.txt").unwrap(), "a second edit");
    sync("local").ok();
    assert_eq!(shore.run("conflicts", "two").ok().json()["conflicts"].as_array().unwrap().len(), 0);
    shore.settle();
    assert_eq!(shore.place.read("one/a.txt").unwrap(), "a second edit");
}

#[test]
fn the_demo_runs_in_a_folder_and_leaves_nothing() {
    let shore = Shore::new();
    for number in 0..5 {
        shore.place.write(&format!("mine/{number}.txt"), format!("file {number}"));
    }
    fs::write(shore.folder("store/mine"), "another program's").unwrap();
    let demo = |url: &str, more: &[&str]| {
        let mut command = Shore::command();
        // What is kept, is kept in a place that goes with this test.
        command.env("TMPDIR", shore.place.path("")).args(["demo", "--from"]).arg(shore.place.path("mine"));
        ended(command.args(["--url", url]).args(more))
    };
    let names = || {
        let there = fs::read_dir(shore.folder("store")).unwrap();
        let mut names: Vec<_> = there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let text = demo(&shore.store(), &[]).ok().out;
    let at = format!("{}/demo-", shore.store());
    assert!(text.contains(", 0 differ.") && text.contains(&at), "{text}");
    assert_eq!(names(), ["mine"]);
    let text = demo(&shore.store(), &["--keep"]).ok().out;
    let kept = names();
    assert!(text.contains(&format!("The store is {at}")), "{text}");
    assert!(kept.len() == 2 && kept[0].starts_with("demo-") && kept[1] == "mine", "{kept:?}");
    assert!(shore.folder("store").join(&kept[0]).join("format/data").is_file());
    // Nothing is made in a place that is not there.
    let line = demo(&shore.url("missing"), &[]).fails(6);
    assert!(line.contains("the folder is not there; make it on the server"), "{line}");
    assert!(!shore.folder("missing").exists());
    shore.server.refuse_writes(403);
    let line = demo(&shore.store(), &[]).fails(1);
    assert!(line.contains(&at) && line.contains("it forbids this"), "{line}");
    assert_eq!(names(), kept);
}

/// What the doctor says on a topic.
fn told(doctor: &Value, topic: &str) -> String {
    let findings = doctor["findings"].as_array().unwrap().iter();
    let texts = findings.filter(|finding| finding["topic"] == topic);
    texts.map(|finding| finding["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_folder_is_examined() {
    let shore = Shore::new();
    let doctor = ended(&mut Shore::doctor(&shore.url("store"))).ok().json();
    assert_eq!(doctor["health"], "good", "{doctor}");
    assert!(told(&doctor, "server").contains("calls itself `webdav-double/1.0 (any)`"), "{doctor}");
    assert!(told(&doctor, "create").contains("publishes a collection and reads it back"), "{doctor}");
    assert_eq!(fs::read_dir(shore.folder("store")).unwrap().count(), 0, "the doctor left something");
    let only = ["--quick", "--only", "storage::root::", "--only", "storage::names::"];
    let suite = ended(Shore::command().args(["conformance", &shore.url("store")]).args(only)).ok();
    let ran = |name: &str| suite.err.lines().any(|line| line.contains(name) && line.contains("... passed"));
    assert!(ran("missing") && ran("credentials"), "{}", suite.err);
    assert_eq!(fs::read_dir(shore.folder("store")).unwrap().count(), 0, "the suite left something");
}

/// The way that a store takes where moved collections are shown empty, as rclone's cache has them, is chosen, told and kept.
#[test]
fn a_server_that_loses_what_lies_in_moved_collections_is_examined_and_used() {
    let shore = Shore::new();
    shore.server.move_so(Moves::LosesMembers);
    let doctor = ended(&mut Shore::doctor(&shore.url("store"))).ok().json();
    assert_eq!(doctor["health"], "good", "{doctor}");
    assert!(told(&doctor, "method").contains("usual method to create does not hold here"), "{doctor}");
    assert!(told(&doctor, "method").contains("is made by webdav-moved-files"), "{doctor}");
    assert!(told(&doctor, "create").contains("is put beside its collection, moved into it, and read back"), "{doctor}");
    assert_eq!(told(&doctor, "store"), "", "{doctor}");
    shore.begin();
    // It stays so where the other way holds.
    shore.server.move_so(Moves::CopiesCollections);
    let doctor = ended(&mut Shore::doctor(&shore.url("store"))).ok().json();
    assert!(told(&doctor, "store").contains("was made by webdav-moved-files"), "{doctor}");
    shore.place.write("two/d.txt", "d");
    shore.settle();
}

/// Where names are only the beginnings of keys, two devices would overwrite each other.
#[test]
fn a_server_that_copies_what_it_moves_is_refused() {
    let shore = Shore::new();
    shore.server.move_so(Moves::CopiesAll);
    let doctor = ended(&mut Shore::doctor(&shore.url("store")));
    assert_eq!(doctor.code, Some(9), "{} {}", doctor.out, doctor.err);
    assert_eq!(told(&doctor.json(), "create"), "", "nothing is chosen: {}", doctor.out);
    let line = shore.init("one", &[]).fails(9);
    assert!(line.contains(&shore.url("store")) && line.contains("more than one is told that it won"), "{line}");
    assert!(!shore.folder("store/format").exists());
}

/// A proxy before the server cuts them, also where the store lies in a folder of it.
#[test]
fn a_servers_connections_are_cut() {
    let shore = Shore::new();
    fs::create_dir_all(shore.folder("my store")).unwrap();
    let only = ["--quick", "--only", "network::commit_after_errors", "--require", "network"];
    let suite = ended(Shore::command().args(["conformance", &shore.url("my%20store")]).args(only)).ok();
    assert!(suite.err.contains("network::commit_after_errors ... passed"), "{}", suite.err);
}

#[test]
fn addresses_with_and_without_a_slash_with_spaces_and_other_letters() {
    let shore = Shore::new();
    fs::create_dir_all(shore.folder("my notes/Grüße ☂")).unwrap();
    let path = "my%20notes/Gr%C3%BC%C3%9Fe%20%E2%98%82";
    let devices =
        [("one", shore.url(path)), ("two", shore.url(&format!("{path}/"))), ("three", shore.url("my notes/Grüße ☂"))];
    for (device, url) in &devices {
        shore.place.write(&format!("{device}/{device}.txt"), device);
        ended(&mut shore.init_at(url, device, &[])).ok();
        shore.sync(device).ok();
    }
    for (device, url) in &devices {
        shore.sync(device).ok();
        assert_eq!(shore.place.files(device).len(), 3, "{url}");
    }
    assert!(shore.folder("my notes/Grüße ☂/format/data").is_file());
}

#[test]
fn a_wrong_address_is_refused_and_no_secret_repeated() {
    let shore = Shore::new();
    for (address, said) in [
        ("webdavs://", "webdavs://host/path"),
        ("webdavs:///path", "names no host"),
        ("webdavs://host/x?secret=open-sesame", "a parameter that is not known"),
        ("webdavs://dav:open-sesame@host/x", "set WEBDAV_USER and WEBDAV_PASSWORD"),
        ("webdavs://dav:a/open-sesame@host/x", "set WEBDAV_USER and WEBDAV_PASSWORD"),
        ("webdavs://dav:/open-sesame@host/x", "set WEBDAV_USER and WEBDAV_PASSWORD"),
        ("webdavs://host/a//b", "empty part"),
        ("https://dav:open-sesame@host/x", "take it out"),
    ] {
        for mut command in [shore.init_at(address, "one", &[]), Shore::doctor(address)] {
            let line = ended(&mut command).fails(2);
            assert!(line.contains(said), "{address}: {line}");
        }
    }
    assert!(!shore.place.path("one/.longshore").exists());
}

/// Another machine is reached through a proxy on this one, so that nothing leaves it.
#[test]
fn a_password_without_tls_to_another_machine_is_warned_of_once() {
    let shore = Shore::new();
    let warnings = |url: &str| {
        if shore.place.path("one").exists() {
            fs::remove_dir_all(shore.place.path("one")).unwrap();
        }
        let mut all = Vec::new();
        for mut command in [shore.init_at(url, "one", &[]), {
            let mut sync = Shore::command();
            sync.args(["--json", "sync"]).arg(shore.place.path("one"));
            sync
        }] {
            command.env("http_proxy", shore.server.url("").trim_end_matches('/')).env("no_proxy", "127.0.0.1");
            shore.place.write("one/a.txt", "a");
            all.push(ended(&mut command).ok().err);
        }
        all
    };
    let line = "longshore: warning: the password or token goes over the network without TLS, for everyone on the way to read; \
                use webdavs:// address=http://nas.example/store/\n";
    assert_eq!(warnings("webdav://nas.example/store"), [line, line]);
    assert_eq!(warnings(&shore.store()), ["", ""]);
}

/// Whatever is attached is refused with this line, and so is whatever is to be attached.
#[track_caller]
fn refused(shore: &Shore, alter: impl Fn(&mut Command), code: i32, said: &str) {
    shore.place.write("one/new.txt", "new");
    let mut sync = Shore::command();
    sync.args(["--json", "sync"]).arg(shore.place.path("one"));
    let init = shore.init_at(&shore.url("store"), "three", &[]);
    for mut command in [sync, init] {
        alter(&mut command);
        let line = ended(&mut command).fails(code);
        assert!(line.contains(said) && line.contains(&shore.url("store")), "{line}");
    }
    let mut doctor = Shore::doctor(&shore.url("store"));
    alter(&mut doctor);
    let doctor = ended(&mut doctor);
    assert_eq!(doctor.code, Some(code), "{} {}", doctor.out, doctor.err);
    let health = |finding: &&Value| finding["health"] == "bad" || finding["health"] == "unknown";
    let worst = doctor.json()["findings"].as_array().unwrap().iter().find(health).unwrap()["text"].to_string();
    assert!(worst.contains(said) && worst.contains(&shore.url("store")), "{worst}");
    assert!(!shore.place.path("three/.longshore").exists());
    assert_eq!(shore.place.files("one").len(), 4);
}

#[test]
fn a_wrong_password_is_an_error() {
    let shore = Shore::settled();
    let wrong = |command: &mut Command| {
        command.env("WEBDAV_PASSWORD", "open-sesame");
    };
    refused(&shore, wrong, 1, "check WEBDAV_USER and WEBDAV_PASSWORD");
    shore.settle();
    // Each command shows it a few times at the most: servers lock accounts.
    let shown = |command: &mut Command| {
        let before = shore.server.wrong_logins();
        wrong(command);
        ended(command).fails(1);
        shore.server.wrong_logins() - before
    };
    let mut sync = Shore::command();
    assert!(shown(sync.args(["--json", "sync"]).arg(shore.place.path("one"))) <= 3);
    assert!(shown(&mut shore.init_at(&shore.url("store"), "three", &[])) <= 3);
}

#[test]
fn no_password_is_an_error() {
    let shore = Shore::settled();
    let none = |command: &mut Command| {
        command.env_remove("WEBDAV_USER").env_remove("WEBDAV_PASSWORD");
    };
    refused(&shore, none, 1, "set WEBDAV_USER and WEBDAV_PASSWORD");
    shore.settle();
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_no_empty_store() {
    let shore = Shore::settled();
    fs::rename(shore.folder("store"), shore.folder("away")).unwrap();
    refused(&shore, |_| (), 6, "the folder is not there; make it on the server, or check the address");
    assert!(!shore.folder("store").exists(), "nothing is made in its place");
    fs::rename(shore.folder("away"), shore.folder("store")).unwrap();
    shore.settle();
}

#[test]
fn a_login_page_in_the_server_s_place_is_an_error() {
    let shore = Shore::settled();
    for status in [200, 203] {
        shore.server.show_page(status, "<html><body>Welcome to the hotel</body></html>");
        refused(&shore, |_| (), 6, "a web page answered");
    }
    shore.server.recover();
    shore.settle();
}

/// Every write is answered with this status until the server recovers: each device is told so, by the sync and by the doctor, who
/// only reads goes on, and nothing is lost, here or there.
#[track_caller]
fn unwritable(status: u16, code: i32, said: &str) {
    let shore = Shore::settled();
    shore.server.refuse_writes(status);
    shore.place.write("one/new.txt", "new");
    let line = shore.sync("one").fails(code);
    assert!(line.contains(&shore.url("store")) && line.contains(said), "{line}");
    let doctor = ended(&mut Shore::doctor(&shore.url("store")));
    assert_eq!(doctor.code, Some(1), "{} {}", doctor.out, doctor.err);
    assert!(told(&doctor.json(), "writable").contains(said), "{}", doctor.out);
    assert_eq!((shore.place.files("one").len(), shore.place.files("two").len()), (4, 3));
    shore.sync("two").ok();
    shore.server.recover();
    shore.settle();
    assert_eq!(shore.place.read("two/new.txt").unwrap(), "new");
}

#[test]
fn a_server_that_lets_nobody_write_is_an_error() {
    unwritable(403, 1, "it forbids this; reading, writing, moving and deleting are needed");
}

#[test]
fn a_full_server_is_an_error_until_there_is_room_again() {
    unwritable(507, 1, "it has no room left; make some there");
}

#[test]
fn a_server_that_takes_nothing_so_large_is_an_error() {
    unwritable(413, 2, "it takes no object this large; raise its limit for uploads");
}

#[test]
fn tls_to_a_port_for_plain_text_is_an_error() {
    let shore = Shore::new();
    let url = shore.url("store").replace("webdav:", "webdavs:");
    let line = ended(&mut shore.init_at(&url, "one", &[])).fails(6);
    assert!(line.contains("no TLS connection; is this an http address, or a port for plain text?"), "{line}");
    assert_eq!(ended(&mut Shore::doctor(&url)).code, Some(6));
}

#[test]
fn a_place_where_nobody_listens_is_an_error() {
    let shore = Shore::new();
    let line = ended(&mut shore.init_at("webdav://127.0.0.1:1/store", "one", &[])).fails(6);
    assert!(line.contains("cannot be reached"), "{line}");
}

#[test]
fn a_certificate_of_our_own_is_an_error_until_its_authority_is_given() {
    let shore = Shore::with_tls();
    let line = shore.init("one", &[]).fails(6);
    assert!(line.contains(&shore.url("store")) && line.contains("the server's certificate is not trusted"), "{line}");
    // What the line says helps.
    shore.place.write("authority.pem", Double::AUTHORITY);
    let address = format!("{}?ca={}", shore.url("store"), shore.place.path("authority.pem").display());
    ended(&mut shore.init_at(&address, "one", &[])).ok();
    shore.place.write("one/a.txt", "a");
    shore.sync("one").ok();
    assert!(shore.folder("store/domains").is_dir());
}
