//! Which way to create a new store takes, on servers that move collections as real ones do: the one that holds there, or none.

#![allow(clippy::unwrap_used, reason = "also in the helpers of tests")]

use std::sync::Arc;

use longshore_core::{DomainName, ErrorKind, Server as _, StoreOptions, StoredServer, TokioRuntime};
use longshore_webdav::WebDav;
use longshore_webdav_double::{Double, Moves};

const MOVES_FILES: &str = "webdav-moved-files";

fn server_that(moves: Moves) -> Double {
    let server = Double::start().unwrap();
    server.move_so(moves);
    server
}

fn client(server: &Double) -> StoredServer {
    let storage = WebDav::builder(server.url("store")).with_password(Double::USER, Double::PASSWORD).build().unwrap();
    storage.server(Arc::new(TokioRuntime), &DomainName::default()).unwrap()
}

/// The way that a new store takes, which another client then takes too.
async fn taken(moves: Moves) -> Option<&'static str> {
    let server = server_that(moves);
    let first = client(&server);
    first.initialize(&StoreOptions::default()).await.unwrap();
    let second = client(&server);
    assert!(second.store().await.unwrap().value.is_some());
    assert_eq!(second.capabilities().method, first.capabilities().method);
    first.capabilities().method
}

#[tokio::test]
async fn collections_are_moved_where_that_holds() {
    assert_eq!(taken(Moves::Sound).await, None);
}

#[tokio::test]
async fn files_are_moved_where_moved_collections_lose_what_is_in_them() {
    assert_eq!(taken(Moves::LosesMembers).await, Some(MOVES_FILES));
}

#[tokio::test]
async fn files_are_moved_where_collections_are_copied() {
    assert_eq!(taken(Moves::CopiesCollections).await, Some(MOVES_FILES));
}

/// As where collections are only the beginnings of keys: no way excludes anybody, and data would be lost.
#[tokio::test]
async fn where_all_is_copied_no_store_is_made() {
    let server = server_that(Moves::CopiesAll);
    let error = client(&server).initialize(&StoreOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("more than one is told that it won"), "{error}");
    assert!(!server.folder().join("store/format").exists());
    assert!(client(&server).store().await.unwrap().value.is_none());
}
