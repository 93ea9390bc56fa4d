//! What a server is asked by who examines or tidies a folder, beside the operations of a storage.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

use std::fs;

use longshore_core::{ErrorKind, Folder};
use longshore_http_script::{Script, response};
use longshore_webdav::WebDav;
use longshore_webdav_double::Double;

async fn software(header: &str) -> Option<String> {
    let server = Script::new([response(200, header, "")]).unwrap();
    let storage = WebDav::builder(format!("http://{}/dav", server.address())).with_anonymous().build().unwrap();
    storage.software().await.unwrap()
}

#[tokio::test]
async fn what_a_server_calls_itself_is_told_and_no_more_than_a_line() {
    assert_eq!(software("Server: Apache/2.4.57 (Debian)\r\n").await.as_deref(), Some("Apache/2.4.57 (Debian)"));
    assert_eq!(software("").await, None);
    let long = format!("Server: a\t{}\r\n", "b".repeat(1000));
    assert_eq!(software(&long).await.unwrap(), format!("a{}", "b".repeat(99)));
}

fn folder(server: &Double, path: &str) -> WebDav {
    WebDav::builder(server.url(path)).with_password(Double::USER, Double::PASSWORD).build().unwrap()
}

#[tokio::test]
async fn only_collections_without_a_file_go() {
    let server = Double::start().unwrap();
    let there = |name: &str| server.folder().join("store").join(name).exists();
    for name in ["doctor-1/a/b", "doctor-2/a/b", "domains/main"] {
        fs::create_dir_all(server.folder().join("store").join(name)).unwrap();
    }
    fs::write(server.folder().join("store/doctor-2/a/file"), "x").unwrap();
    fs::write(server.folder().join("store/doctor-3"), "x").unwrap();
    folder(&server, "store").remove_empty("doctor-").await.unwrap();
    assert!(!there("doctor-1") && there("doctor-2/a/file") && there("doctor-2/a/b"));
    assert!(there("doctor-3") && there("domains/main"));
    let missing = folder(&server, "missing").remove_empty("doctor-").await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Missing);
}

#[tokio::test]
async fn a_folder_is_made_and_one_that_is_there_stays() {
    let server = Double::start().unwrap();
    let deep = Folder::new("a/b").unwrap();
    for _ in 0..2 {
        folder(&server, "store").make_folder(&deep).await.unwrap();
        fs::write(server.folder().join("store/a/b/file"), "x").unwrap();
    }
    assert!(server.folder().join("store/a/b/file").is_file());
    let error = folder(&server, "missing").make_folder(&deep).await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Missing, Some("make_folder")));
    assert!(!server.folder().join("missing").exists());
    server.refuse_writes(403);
    let error = folder(&server, "store").make_folder(&Folder::new("c").unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}
