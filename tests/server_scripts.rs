//! A failure on a real server prints a line that repeats it. Without the server, and as it was set, that line would run nothing; so the
//! scripts that start one tell the tests how they were called.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A server that is no process: what starts one prints settings, and can be stopped.
const SERVER: &str = r#"#!/usr/bin/env bash
case "$1" in start) echo "AWS_ENDPOINT=http://127.0.0.1:$3 BUCKET=${BUCKET:-b}" ;; esac
: "${OSDS:-1}"
"#;

/// The scripts, with that server beside them; none on a machine without bash.
fn scripts() -> Option<TempDir> {
    Command::new("bash").arg("--version").output().ok()?;
    let copy = tempfile::tempdir().expect("a folder");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/servers");
    for name in ["with-s3.sh", "with.sh", "lib.sh"] {
        fs::copy(from.join(name), copy.path().join(name)).expect("a script");
    }
    // A copy of a script that may be run may be run, too.
    fs::copy(from.join("with-s3.sh"), copy.path().join("none.sh")).expect("a script");
    fs::write(copy.path().join("none.sh"), SERVER).expect("a script");
    Some(copy)
}

fn told(scripts: &Path, settings: &[(&str, &str)]) -> String {
    let mut command = Command::new("bash");
    for name in std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("LONGSHORE_")) {
        command.env_remove(name);
    }
    command.current_dir(scripts).envs(settings.iter().copied());
    command.args(["./with-s3.sh", "none", "bash", "-c", r#"printf %s "$LONGSHORE_REPLAY_PREFIX""#]);
    let Output { status, stdout, stderr } = command.output().expect("bash");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text")
}

#[test]
fn a_test_is_told_how_its_server_was_started() {
    let Some(scripts) = scripts() else { return };
    let scripts = scripts.path();
    assert_eq!(told(scripts, &[]), "./with-s3.sh none");
    // The server's settings and the tests' own; not what the line says itself, nor what nobody here reads.
    let settings = [
        ("OSDS", "3"),
        ("LONGSHORE_S3_KILL", "rgw osd"),
        ("LONGSHORE_SIZE", "quick"),
        ("LONGSHORE_REQUIRE", "crash"),
        ("COLOUR", "blue"),
    ];
    let told = told(scripts, &settings);
    assert_eq!(told, r"OSDS=3 LONGSHORE_S3_KILL=rgw\ osd ./with-s3.sh none");
}
