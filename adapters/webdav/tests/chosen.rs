//! A real server, the one that `scripts/servers/with-webdav.sh` started: a new store there is made by the way to create that holds, by
//! itself, and all its clients keep to that.
//!
//! `LONGSHORE_WEBDAV_METHOD` says which that is: `webdav-moved-files`, or `usual`.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use longshore_core::{DomainName, ErrorKind, Folder, Server as _, StoreOptions, StoredServer, TokioRuntime};
use longshore_webdav::{WebDav, WebDavBuilder};

const MOVES_FILES: &str = "webdav-moved-files";

/// A folder for one store on the server.
struct Place(String);

impl Place {
    async fn new(url: &str) -> Self {
        let name = format!("chosen-{}", std::process::id());
        WebDav::builder(url).build().unwrap().make_folder(&Folder::new(&name).unwrap()).await.unwrap();
        Self(format!("{url}{name}"))
    }

    fn client(&self, settings: impl Fn(WebDavBuilder) -> WebDavBuilder) -> StoredServer {
        let storage = settings(WebDav::builder(&self.0)).build().unwrap();
        storage.server(Arc::new(TokioRuntime), &DomainName::default()).unwrap()
    }
}

async fn chosen(url: &str, method: &str) {
    let expected = (method != "usual").then_some(method);
    let place = Place::new(url).await;
    let unasked = || place.client(|builder| builder);
    let first = unasked();
    first.initialize(&StoreOptions::default()).await.unwrap();
    assert_eq!(first.capabilities().method, expected);
    let second = unasked();
    assert!(second.store().await.unwrap().value.is_some());
    assert_eq!(second.capabilities().method, expected);
    let told_to = place.client(WebDavBuilder::with_moved_files).store().await;
    match expected {
        Some(_) => assert!(told_to.unwrap().value.is_some()),
        None => assert_eq!(told_to.unwrap_err().kind(), ErrorKind::Unsupported),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let set = |name| std::env::var(name).ok();
    let (Some(url), Some(method)) = (set("WEBDAV_URL"), set("LONGSHORE_WEBDAV_METHOD")) else {
        let how = "no server: LONGSHORE_WEBDAV_METHOD=usual scripts/servers/with-webdav.sh apache cargo test -p longshore-webdav --test chosen";
        let trial = Trial::test(how, || Ok(())).with_ignored_flag(true);
        return libtest_mimic::run(&arguments, vec![trial]).exit_code();
    };
    assert!(method == "usual" || method == MOVES_FILES, "no such method: {method}");
    let trial = Trial::test(format!("a new store on {url} is made by {method}"), move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failed::from)?;
        runtime.block_on(chosen(&url, &method));
        Ok(())
    });
    libtest_mimic::run(&arguments, vec![trial]).exit_code()
}
