//! A real server passes the suite: the one that `scripts/servers/with-webdav.sh` started.
//!
//! It is killed and started again where a case asks for that, and its connections are cut. With `LONGSHORE_WEBDAV_MOVED_FILES` set, names are
//! created by moving files, which is what a store on such a server would choose.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::{Arguments, Trial};
use longshore_conformance::{Harness, Killable, run};
use longshore_core::{Error, ErrorKind, Result, Storage};
use longshore_webdav::{HttpOptions, WebDav};

/// The longest that the suite bears: on a busy machine a server may need a while for each answer.
const IDLE: Duration = Duration::from_secs(3);

/// A throw-away server.
struct Server {
    script: PathBuf,
    folder: PathBuf,
}

impl Server {
    fn named() -> Option<Self> {
        let path = |name| std::env::var_os(name).map(PathBuf::from);
        Some(Self { script: path("LONGSHORE_WEBDAV_SCRIPT")?, folder: path("LONGSHORE_WEBDAV_DIR")? })
    }

    /// The server's script does this to the server.
    async fn script(&self, what: &'static str, daemons: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.script);
        command.arg(what).arg(&self.folder).args(daemons).stdout(Stdio::null());
        let status = tokio::task::spawn_blocking(move || command.status())
            .await
            .map_err(|error| Error::new(ErrorKind::Internal, "a thread ended early").with_source(error))?
            .map_err(|error| Error::new(ErrorKind::Internal, "the server's script cannot be run").with_source(error))?;
        let failed = || Error::new(ErrorKind::Internal, format!("the server's script failed: {what}"));
        if status.success() { Ok(()) } else { Err(failed()) }
    }
}

#[async_trait]
impl Killable for Server {
    async fn kill(&self) -> Result<()> {
        self.script("kill", &["server"]).await
    }

    async fn start(&self) -> Result<()> {
        self.script("restart", &[]).await
    }
}

/// How a client reaches the server.
#[derive(Clone)]
struct Login {
    url: String,
    user: String,
    password: String,
}

impl Login {
    fn of_environment() -> Option<Self> {
        let set = |name| std::env::var(name).ok();
        Some(Self { url: set("WEBDAV_URL")?, user: set("WEBDAV_USER")?, password: set("WEBDAV_PASSWORD")? })
    }

    /// Where the server listens, if it is named by its number.
    fn address(&self) -> Option<SocketAddr> {
        self.url.strip_prefix("http://")?.split('/').next()?.parse().ok()
    }

    fn open(&self, url: &str, password: &str, http: HttpOptions) -> Result<Arc<dyn Storage>> {
        let builder = WebDav::builder(url).with_password(&self.user, password).with_http(http);
        let moved = std::env::var_os("LONGSHORE_WEBDAV_MOVED_FILES").is_some();
        Ok(Arc::new(if moved { builder.with_moved_files() } else { builder }.build()?))
    }
}

fn main() -> ExitCode {
    let Some(login) = Login::of_environment() else {
        let how = "no server: scripts/servers/with-webdav.sh apache cargo test -p longshore-webdav --test suite";
        let trial = Trial::test(how, || Ok(())).with_ignored_flag(true);
        return libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code();
    };
    let opener = |url: String, password: &str| {
        let (login, password) = (login.clone(), password.to_owned());
        move |_| std::future::ready(login.open(&url, &password, HttpOptions::default()))
    };
    let mut harness = Harness::storage(login.url.clone(), opener(login.url.clone(), &login.password))
        .missing_root(opener(format!("{}missing/", login.url), &login.password))
        .wrong_credentials(opener(login.url.clone(), "wrong"));
    if let Some(address) = login.address() {
        let login = login.clone();
        harness = harness.over_network(address, move |_, proxy| {
            let url = format!("http://{proxy}/");
            std::future::ready(login.open(&url, &login.password, HttpOptions::default().with_idle_timeout(IDLE)))
        });
    }
    run(match Server::named() {
        Some(server) => harness.killable(server),
        None => harness,
    })
}
