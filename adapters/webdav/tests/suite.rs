//! A real server passes the suite: the one that `scripts/servers/with-webdav.sh` started.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use longshore_conformance::{Harness, run};
use longshore_core::{Result, Storage};
use longshore_webdav::WebDav;

fn open(url: &str, user: &str, password: &str) -> Result<Arc<dyn Storage>> {
    Ok(Arc::new(WebDav::builder(url).with_password(user, password).build()?))
}

fn main() -> ExitCode {
    let set = |name| std::env::var(name);
    let (Ok(url), Ok(user), Ok(password)) = (set("WEBDAV_URL"), set("WEBDAV_USER"), set("WEBDAV_PASSWORD")) else {
        let how = "no server: scripts/servers/with-webdav.sh apache cargo test -p longshore-webdav --test suite";
        let trial = Trial::test(how, || Ok(())).with_ignored_flag(true);
        return libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code();
    };
    let opener = |url: String, user: &str, password: &str| {
        let (user, password) = (user.to_owned(), password.to_owned());
        move |_| std::future::ready(open(&url, &user, &password))
    };
    let harness = Harness::storage(url.clone(), opener(url.clone(), &user, &password))
        .missing_root(opener(format!("{url}missing"), &user, &password))
        .wrong_credentials(opener(url, &user, "wrong"));
    run(harness)
}
