//! A store in a bucket: the whole command works, and whatever can be wrong with a bucket, its address or its server gives one clear
//! line and the right exit code, with no secret in it, and nothing is lost.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;
use std::process::Command;

use longshore_s3_double::{Double, Kind};
use support::remote::{Remote, without};
use support::{Ended, Place};

/// What must never be printed.
const SECRET: &str = "open-sesame";

/// A server, and devices that sync through a bucket of it.
struct Shore {
    place: Place,
    server: Double,
}

impl Shore {
    fn new() -> Self {
        Self::of(Kind::Sound)
    }

    fn of(kind: Kind) -> Self {
        Self::at(Double::start(kind).unwrap())
    }

    fn at(server: Double) -> Self {
        Self { place: Place::new(), server }
    }

    /// Two devices in step, with three files.
    fn settled() -> Self {
        let shore = Self::new();
        shore.begin();
        shore
    }
}

impl Remote for Shore {
    const SECRETS: &'static [&'static str] = &[SECRET];

    fn place(&self) -> &Place {
        &self.place
    }

    fn store(&self) -> String {
        url("notes")
    }

    fn longshore(&self) -> Command {
        let mut command = without("AWS_");
        command.env("AWS_ENDPOINT", self.server.endpoint()).env("AWS_ALLOW_HTTP", "true");
        command.env("AWS_ACCESS_KEY_ID", Double::ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET);
        command
    }
}

/// The address of a prefix in the bucket.
fn url(prefix: &str) -> String {
    format!("s3://{}/{prefix}", Double::BUCKET)
}

fn ended(command: &mut Command) -> Ended {
    Shore::ended(command)
}

#[test]
fn two_devices_stay_in_step_through_a_bucket() {
    let shore = Shore::settled();
    shore.place.write("two/d.txt", "d");
    shore.place.remove("one/a.txt");
    shore.settle();
    assert_eq!(shore.place.files("one").len(), 3);
    assert!(shore.server.keys().iter().all(|key| key.starts_with("notes/")), "{:?}", shore.server.keys());
    let status = shore.run("status", "one").ok().json();
    assert_eq!(status["url"], "s3://test/notes");
    let log = ended(shore.longshore().args(["--json", "log", "--folder"]).arg(shore.place.path("two"))).ok().json();
    assert!(log["entries"].as_array().unwrap().len() >= 3, "{log}");
    shore.run("detach", "two").ok();
}

#[test]
fn a_bucket_is_examined() {
    let shore = Shore::new();
    let doctor = ended(shore.longshore().args(["--json", "doctor", &url("x")])).ok().json();
    assert_eq!(doctor["health"], "good", "{doctor}");
    assert_eq!(shore.server.keys(), [""; 0], "the doctor left something");
    let only = ["--quick", "--only", "storage::root::", "--only", "storage::names::"];
    let suite = ended(shore.longshore().args(["conformance", &url("x")]).args(only)).ok();
    let ran = |name: &str| suite.err.lines().any(|line| line.contains(name) && line.contains("... passed"));
    assert!(ran("missing") && ran("credentials"), "{}", suite.err);
    assert_eq!(shore.server.keys(), [""; 0], "the suite left something");
}

/// A proxy before the server cuts them. Within TLS it could not, and says so.
#[test]
fn a_servers_connections_are_cut() {
    let case = "network::commit_after_errors";
    let only = ["--quick", "--only", case, "--require", "network"];
    let shore = Shore::new();
    let suite = ended(shore.longshore().args(["conformance", &url("x")]).args(only)).ok();
    assert!(suite.err.contains(&format!("{case} ... passed")), "{}", suite.err);
    assert_eq!(shore.server.keys(), [""; 0], "the suite left something");

    let shore = Shore::at(Double::start_with_tls(Kind::Sound).unwrap());
    shore.place.write("authority.pem", Double::AUTHORITY);
    let address = format!("{}?ca={}", url("x"), shore.place.path("authority.pem").display());
    let suite = ended(shore.longshore().args(["conformance", &address]).args(only));
    assert_eq!(suite.code, Some(1), "{} {}", suite.out, suite.err);
    assert!(suite.out.contains("its connections are within TLS"), "{}", suite.out);
}

#[test]
fn a_server_that_ignores_conditions_is_refused() {
    let shore = Shore::of(Kind::IgnoresConditions);
    let line = shore.init("one", &[]).fails(9);
    assert!(line.contains("s3://test/notes"), "{line}");
    assert_eq!(ended(shore.longshore().args(["doctor", &url("x")])).code, Some(9));
}

#[test]
fn the_demo_runs_in_a_bucket_and_leaves_nothing() {
    let shore = Shore::new();
    for number in 0..5 {
        shore.place.write(&format!("mine/{number}.txt"), format!("file {number}"));
    }
    shore.server.put("notes/mine", "another program's");
    let demo = |more: &[&str]| {
        let mut command = shore.longshore();
        // What is kept, is kept in a place that goes with this test.
        command.env("TMPDIR", shore.place.path("")).args(["demo", "--from"]).arg(shore.place.path("mine"));
        ended(command.args(["--url", &url("notes")]).args(more)).ok().out
    };
    let text = demo(&[]);
    assert!(text.contains(", 0 differ.") && text.contains("s3://test/notes/demo-"), "{text}");
    assert_eq!(shore.server.keys(), ["notes/mine"]);
    let text = demo(&["--keep"]);
    let kept = shore.server.keys();
    assert!(text.contains("The store is s3://test/notes/demo-") && kept.len() > 5, "{text} {kept:?}");
    assert!(kept.iter().all(|key| key == "notes/mine" || key.starts_with("notes/demo-")), "{kept:?}");
}

#[test]
fn a_demo_below_a_folder_leaves_nothing_either() {
    let shore = Shore::new();
    for number in 0..3 {
        shore.place.write(&format!("mine/{number}.txt"), "file");
    }
    shore.place.write("share/mine.txt", "mine");
    let mounted = longshore::file_url(&shore.place.path("share"));
    let demo = ended(shore.longshore().args(["demo", "--url", &mounted, "--from"]).arg(shore.place.path("mine"))).ok();
    assert!(demo.out.contains("/share/demo-"), "{}", demo.out);
    let left: Vec<_> =
        fs::read_dir(shore.place.path("share")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["mine.txt"]);
}

#[test]
fn a_store_among_other_objects_is_not_created_but_joined() {
    let shore = Shore::new();
    shore.server.put("notes/photos/1", "another program's");
    let line = shore.init("one", &[]).fails(2);
    assert!(line.contains("s3://test/notes: ") && line.contains("`photos`"), "{line}");
    assert!(line.contains("such as s3://test/notes/longshore"), "{line}");
    assert_eq!(shore.server.keys(), ["notes/photos/1"]);
    assert!(!shore.place.path("one/.longshore").exists());
    // A prefix that only begins like it is another place.
    shore.server.put("deep/notes-2/x", "another program's");
    ended(&mut shore.init_at(&url("deep/notes"), "one", &[])).ok();
    // Whoever put something beside a store that is there does not lock its devices out.
    shore.server.put("deep/notes/photos", "another program's");
    ended(&mut shore.init_at(&url("deep/notes"), "two", &[])).ok();
}

#[test]
fn a_wrong_address_is_refused_and_no_secret_repeated() {
    let shore = Shore::new();
    for (address, said) in [
        ("s3://", "names no bucket"),
        ("s3:bucket", "s3://bucket/prefix"),
        ("s3:///prefix", "names no bucket"),
        ("s3://bucket:9000/x", "names a bucket, not a host"),
        ("s3://bucket/?secret=open-sesame", "a parameter that is not known"),
        ("s3://key:open-sesame@bucket/", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("s3://key:a/open-sesame@bucket/", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("s3://bucket/?endpoint=https://key:open-sesame@host", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("s3://bucket/?endpoint=http://host&allow_http=false", "allow_http=true"),
        ("s3://bucket/a//b", "empty part"),
        ("gs://bucket/x?token=open-sesame", "s3://bucket/prefix"),
        ("az://key:open-sesame@host/x", "take it out"),
    ] {
        let line = ended(&mut shore.init_at(address, "one", &[])).fails(2);
        assert!(line.contains(said), "{address}: {line}");
        for command in ["doctor", "conformance"] {
            let line = ended(shore.longshore().args([command, address])).fails(2);
            assert!(line.contains(said), "{address}: {line}");
        }
        let line = ended(shore.longshore().args(["demo", "--url", address])).fails(2);
        assert!(line.contains(said), "{address}: {line}");
    }
    assert!(!shore.place.path("one/.longshore").exists());
}

/// Whatever is attached is refused with this line, and so is whatever is to be attached.
#[track_caller]
fn refused(shore: &Shore, alter: impl Fn(&mut Command), code: i32, said: &[&str]) {
    shore.place.write("one/new.txt", "new");
    let mut sync = shore.longshore();
    sync.args(["--json", "sync"]).arg(shore.place.path("one"));
    let init = shore.init_at(&url("notes"), "three", &[]);
    let mut conformance = shore.longshore();
    conformance.args(["conformance", "--quick", &url("notes")]);
    for mut command in [sync, init, conformance] {
        alter(&mut command);
        let line = ended(&mut command).fails(code);
        assert!(said.iter().all(|said| line.contains(said)), "{line}");
        assert!(line.contains("s3://"), "{line}");
    }
    let mut doctor = shore.longshore();
    alter(doctor.args(["doctor", &url("notes")]));
    let doctor = ended(&mut doctor);
    assert_eq!(doctor.code, Some(code), "{} {}", doctor.out, doctor.err);
    assert!(!shore.place.path("three/.longshore").exists());
    assert_eq!(shore.place.files("one").len(), 4);
}

#[test]
fn a_bucket_that_does_not_exist_is_an_error() {
    let shore = Shore::settled();
    shore.server.drop_bucket_after(0);
    let said = ["s3://test/notes", "the bucket does not exist; create it, or mend the address"];
    refused(&shore, |_| (), 6, &said);
}

#[test]
fn wrong_credentials_are_an_error() {
    let shore = Shore::settled();
    let wrong = |command: &mut Command| {
        command.env("AWS_ACCESS_KEY_ID", "wrong");
    };
    let said = ["s3://test/notes", "does not know the access key; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"];
    refused(&shore, wrong, 1, &said);
    shore.settle();
}

#[test]
fn no_credentials_are_an_error() {
    let shore = Shore::settled();
    let none = |command: &mut Command| {
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        // Nobody answers where a machine in a cloud would give some.
        command.env("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1");
    };
    refused(&shore, none, 1, &["s3://test/notes", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"]);
    shore.settle();
}

#[test]
fn an_endpoint_where_nobody_listens_is_an_error() {
    let shore = Shore::settled();
    let nobody = |command: &mut Command| {
        command.env("AWS_ENDPOINT", "http://127.0.0.1:1");
    };
    let said = ["s3://test/notes", "cannot be reached", "check the network and the endpoint http://127.0.0.1:1"];
    refused(&shore, nobody, 6, &said);
    shore.settle();
}

/// Every request is refused so, until it is not.
fn refused_by_the_server(status: u16, code: &str, ends: i32, said: &[&str]) {
    let shore = Shore::settled();
    shore.server.fail_all(status, code);
    refused(&shore, |_| (), ends, said);
    shore.server.fail_none();
    shore.settle();
    assert_eq!(shore.place.read("two/new.txt").unwrap(), "new");
}

#[test]
fn an_expired_session_token_is_an_error() {
    let said = ["s3://test/notes", "the session token has expired; get new credentials"];
    refused_by_the_server(400, "ExpiredToken", 1, &said);
}

#[test]
fn a_clock_that_is_far_off_is_an_error() {
    let said = ["s3://test/notes", "this machine's clock is too far from the server's", "set the clock right"];
    refused_by_the_server(403, "RequestTimeTooSkewed", 1, &said);
}

#[test]
fn a_bucket_in_another_region_is_an_error_that_names_it() {
    let said = ["s3://test/notes", "the bucket lies in another region; set the region to eu-west-3"];
    refused_by_the_server(301, "PermanentRedirect", 2, &said);
}

#[test]
fn a_key_that_may_do_nothing_is_an_error() {
    let said =
        ["s3://test/notes", "the credentials do not allow it; reading, writing, listing and deleting are needed"];
    refused_by_the_server(403, "AccessDenied", 1, &said);
}

#[test]
fn a_key_that_may_only_read_is_an_error_where_something_is_written() {
    let shore = Shore::settled();
    shore.server.fail_writes(403, "AccessDenied");
    shore.place.write("one/new.txt", "new");
    let allowed = "the credentials do not allow it; reading, writing, listing and deleting are needed";
    for (refused, at) in [
        (shore.sync("one"), "s3://test/notes/domains/main/"),
        (ended(&mut shore.init_at(&url("new"), "three", &[])), "s3://test/new/"),
    ] {
        let line = refused.fails(1);
        assert!(line.contains(at) && line.contains(allowed), "{line}");
    }
    let doctor = ended(shore.longshore().args(["doctor", &url("notes")]));
    assert_eq!(doctor.code, Some(1), "{} {}", doctor.out, doctor.err);
    assert!(doctor.out.contains("nothing can be written here"), "{}", doctor.out);
    // Who only reads goes on.
    shore.sync("two").ok();
    ended(&mut shore.init_at(&url("notes"), "reader", &["--join"])).ok();
    shore.sync("reader").ok();
    shore.place.equal("two", "reader");
    shore.server.take_writes();
    shore.settle();
    assert_eq!(shore.place.read("two/new.txt").unwrap(), "new");
}

#[test]
fn a_certificate_of_our_own_is_an_error_until_its_authority_is_given() {
    let shore = Shore::at(Double::start_with_tls(Kind::Sound).unwrap());
    let line = shore.init("one", &[]).fails(6);
    assert!(line.contains("s3://test/notes/") && line.contains("the server's certificate is not trusted"), "{line}");
    assert!(line.contains("give its CA certificate, in an address as ca=FILE"), "{line}");
    assert_eq!(ended(shore.longshore().args(["doctor", &url("notes")])).code, Some(6));
    assert_eq!(shore.server.keys(), [""; 0]);
    // What the line says helps.
    shore.place.write("authority.pem", Double::AUTHORITY);
    let address = format!("{}?ca={}", url("notes"), shore.place.path("authority.pem").display());
    ended(&mut shore.init_at(&address, "one", &[])).ok();
    shore.place.write("one/a.txt", "a");
    shore.sync("one").ok();
    assert!(!shore.server.keys().is_empty());
}

#[test]
fn https_to_a_port_for_plain_text_is_an_error() {
    let shore = Shore::settled();
    let encrypted = |command: &mut Command| {
        command.env("AWS_ENDPOINT", shore.server.endpoint().replace("http:", "https:"));
    };
    let said = ["s3://test/notes", "no TLS connection; is this an http address, or a port for plain text?"];
    refused(&shore, encrypted, 6, &said);
    shore.settle();
}

#[test]
fn an_endpoint_without_tls_has_to_be_asked_for() {
    let shore = Shore::settled();
    let not_asked = |command: &mut Command| {
        command.env_remove("AWS_ALLOW_HTTP");
    };
    refused(
        &shore,
        not_asked,
        2,
        &["s3://test/notes", "the endpoint has no TLS", "allow_http=true or AWS_ALLOW_HTTP=true"],
    );
    shore.settle();
}

#[test]
fn a_full_server_is_an_error_until_there_is_room_again() {
    let shore = Shore::settled();
    for (status, code) in [(507, ""), (507, "InsufficientStorage"), (403, "QuotaExceeded")] {
        shore.server.fail_writes(status, code);
        shore.place.write("one/new.txt", format!("{status} {code}"));
        let line = shore.sync("one").fails(1);
        assert!(line.contains("s3://test/notes/domains/main/") && line.contains("no room left"), "{line}");
        assert!(line.contains("; make room there, then try again; nothing is lost"), "{line}");
        let failed = shore.run("status", "one").ok().json();
        assert!(failed["status"]["last_error"].as_str().unwrap().contains("no room left"), "{failed}");
        shore.server.take_writes();
        shore.settle();
        assert_eq!(shore.place.read("two/new.txt").unwrap(), format!("{status} {code}"));
    }
}

#[test]
fn a_bucket_deleted_in_the_middle_of_a_sync_is_an_error_and_loses_no_file() {
    let mut cut = 0;
    for requests in 0..100 {
        let shore = Shore::settled();
        shore.place.write("one/d.txt", "d");
        shore.server.drop_bucket_after(requests);
        let cut_off = shore.sync("one");
        if cut_off.code == Some(0) {
            break;
        }
        cut += 1;
        let line = cut_off.fails(6);
        assert!(line.contains("s3://test/notes") && line.contains("the bucket does not exist; create it"), "{line}");
        assert_eq!((shore.place.files("one").len(), shore.place.files("two").len()), (4, 3));
        // Made again, it is empty: that is no state to sync with.
        shore.server.make_bucket();
        for device in ["one", "two"] {
            let line = shore.sync(device).fails(5);
            assert!(line.contains("`longshore detach"), "{line}");
        }
        assert_eq!((shore.place.files("one").len(), shore.place.files("two").len()), (4, 3));
        // What the line says helps.
        for device in ["one", "two"] {
            ended(shore.longshore().args(["detach", "--force"]).arg(shore.place.path(device))).ok();
            shore.init(device, &[]).ok();
        }
        shore.settle();
        assert_eq!(shore.place.files("two").len(), 4);
    }
    assert!(cut >= 3, "only {cut} requests");
}

/// What this machine's metadata service answers to every request: a status, and nothing more.
fn metadata_service(status: &'static str) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    };
    std::thread::Builder::new().spawn(serve).unwrap();
    address
}

/// Nobody set a key, and the metadata service that is asked then knows nothing of any: its words would mislead.
#[test]
fn without_any_credentials_the_variables_are_named() {
    let shore = Shore::settled();
    // Nothing listens there any more.
    let gone = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let places = [
        (metadata_service("403 Forbidden"), "answered 403"),
        (metadata_service("404 Not Found"), "answered 404"),
        (metadata_service("200 OK"), "answered 200"),
        (format!("http://{gone}"), "no metadata service answers here"),
    ];
    for (place, why) in &places {
        let alter = |command: &mut Command| {
            command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
            command.env("AWS_METADATA_ENDPOINT", place);
        };
        let said = ["no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "instance role", why];
        refused(&shore, alter, 1, &said);
    }
}
