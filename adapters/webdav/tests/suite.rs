//! A real server passes the suite: the one that `scripts/servers/with-webdav.sh` started.
//!
//! It is killed and started again where a case asks for that, and its connections are cut. With `LONGSHORE_WEBDAV_MOVED_FILES` set, names are
//! created by moving files, which is what a store on such a server would choose.

#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use longshore_conformance::{Commands, Harness, run};
use longshore_core::{Result, Storage};
use longshore_webdav::{HttpOptions, WebDav};

/// The longest that the suite bears: on a busy machine a server may need a while for each answer.
const IDLE: Duration = Duration::from_secs(3);

/// How a throw-away server is killed, and started again.
fn killed() -> Option<Commands> {
    let (script, folder) = (std::env::var_os("LONGSHORE_WEBDAV_SCRIPT")?, std::env::var_os("LONGSHORE_WEBDAV_DIR")?);
    let kill = [&*script, OsStr::new("kill"), &*folder, OsStr::new("server")];
    Some(Commands::new(kill, [&*script, OsStr::new("restart"), &*folder]))
}

/// How a client reaches the server.
#[derive(Clone)]
struct Login {
    url: String,
    user: String,
    password: String,
    /// The file with the authority of its certificate, if it speaks TLS.
    authority: Option<String>,
}

impl Login {
    fn of_environment() -> Option<Self> {
        let set = |name| std::env::var(name).ok();
        let (url, user, password) = (set("WEBDAV_URL")?, set("WEBDAV_USER")?, set("WEBDAV_PASSWORD")?);
        Some(Self { url, user, password, authority: set("WEBDAV_CA") })
    }

    fn http(&self) -> HttpOptions {
        let authority = self.authority.as_ref().map(|file| std::fs::read(file).unwrap());
        authority.into_iter().fold(HttpOptions::default(), HttpOptions::with_root_certificate)
    }

    /// Where the server listens, if it is named by its number and does without TLS.
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
        move |_| std::future::ready(login.open(&url, &password, login.http()))
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
    run(match killed() {
        Some(server) => harness.killable(server),
        None => harness,
    })
}
