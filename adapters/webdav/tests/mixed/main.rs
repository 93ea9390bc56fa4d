//! A folder that a server serves, and that is mounted at the same time: of the suite's clients, every other one works on the folder
//! itself, and the rest come over WebDAV. They race, sync and clean up at once, and all that the suite asks of one adapter holds.

mod platform;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use libtest_mimic::{Arguments, Trial};
use longshore_conformance::{Harness, run};
use longshore_core::{
    ByteRange, Capabilities, Created, Folder, Listing, Object, ObjectKey, Payload, Reply, Result, ServerTime, Storage,
};
use longshore_fs::Fs;
use longshore_webdav::WebDav;

/// The two ways to one folder.
#[derive(Clone)]
struct Served {
    folder: PathBuf,
    url: String,
    user: String,
    password: String,
}

impl Served {
    fn of_environment() -> Option<Self> {
        let set = |name| std::env::var(name).ok();
        Some(Self {
            folder: PathBuf::from(std::env::var_os("WEBDAV_FILES")?),
            url: set("WEBDAV_URL")?,
            user: set("WEBDAV_USER")?,
            password: set("WEBDAV_PASSWORD")?,
        })
    }

    fn open(&self, on_disk: bool) -> Result<Arc<dyn Storage>> {
        let way: Box<dyn Storage> = if on_disk {
            Box::new(Fs::open(&self.folder)?)
        } else {
            Box::new(WebDav::builder(&self.url).with_password(&self.user, &self.password).build()?)
        };
        Ok(Arc::new(Way(way)))
    }
}

/// One of the two ways. Of the time it tells as little as the other: the folder tells none with reads, the server whole seconds.
/// The suite counts the calls of a client, which must not depend on the way that it takes.
#[derive(Debug)]
struct Way(Box<dyn Storage>);

fn in_seconds<T>(reply: Reply<T>) -> Reply<T> {
    let time = reply.time.map(|time| ServerTime::from_millis(time.as_millis() / 1000 * 1000));
    Reply { time, ..reply }
}

fn timeless<T>(reply: Reply<T>) -> Reply<T> {
    Reply { time: None, ..reply }
}

#[async_trait]
impl Storage for Way {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities().with_read_time(false)
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.0.create(key, bytes).await.map(in_seconds)
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.0.put(key, payload).await.map(in_seconds)
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.0.get(key, range).await.map(timeless)
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.0.list(folder, after).await.map(timeless)
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.0.delete(key).await.map(in_seconds)
    }
}

fn main() -> ExitCode {
    let Some(served) = Served::of_environment() else {
        let how = "no server: scripts/servers/with-webdav.sh apache cargo test -p longshore-webdav --test mixed";
        let trial = Trial::test(how, || Ok(())).with_ignored_flag(true);
        return libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code();
    };
    platform::share_what_is_made();
    // Of the suite's processes, each opens one client: those too take turns.
    let opened = AtomicU32::new(std::process::id());
    run(Harness::storage(format!("{} and {}", served.url, served.folder.display()), move |_| {
        let on_disk = opened.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        std::future::ready(served.open(on_disk))
    }))
}
