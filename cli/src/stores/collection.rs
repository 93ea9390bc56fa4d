//! A folder on a WebDAV server.

use std::net::SocketAddr;
use std::sync::Arc;

use longshore::{
    DomainName, Error, ErrorKind, Folder, Result, Server as _, Storage, TokioRuntime, WebDav, WebDavBuilder,
};
use longshore_conformance::doctor::{Finding, Health};
use tokio::runtime::Handle;

use super::{Kind, plain_http};

/// A store in a collection.
pub(super) struct Collection {
    url: String,
}

impl Collection {
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned() }
    }
}

impl Kind for Collection {
    fn open(&self) -> Result<Arc<dyn Storage>> {
        longshore::open_storage(&self.url)
    }

    /// The same server has no folder of a random name there.
    fn open_missing_root(&self) -> Option<Result<Arc<dyn Storage>>> {
        let missing = || {
            let here = WebDav::open(&self.url)?.address();
            let away = format!("{here}longshore-none-{}/", super::random()?);
            Ok(Arc::new(WebDav::builder_from(&self.url)?.with_address(away).build()?) as Arc<dyn Storage>)
        };
        Some(missing())
    }

    fn open_with_wrong_credentials(&self) -> Option<Result<Arc<dyn Storage>>> {
        let wrong = || {
            let builder = WebDav::builder_from(&self.url)?.with_password("longshore-no-such-user", super::random()?);
            Ok(Arc::new(builder.build()?) as Arc<dyn Storage>)
        };
        // A server that asks nobody who he is lets everybody in.
        std::env::var_os("WEBDAV_USER").map(|_| wrong())
    }

    /// To this machine a password goes out unasked; a proxy here would pass it on to another one.
    fn server(&self) -> std::result::Result<SocketAddr, String> {
        let wrong = |error: Error| error.to_string();
        if WebDav::builder_from(&self.url).map_err(wrong)?.is_open_to_all() {
            return Err("its server is another machine without TLS, where no password may go out unasked".to_owned());
        }
        plain_http::listens(&WebDav::open(&self.url).map_err(wrong)?.address())
    }

    fn open_via(&self, proxy: SocketAddr) -> Result<Arc<dyn Storage>> {
        let address = plain_http::at(&WebDav::open(&self.url)?.address(), proxy);
        let builder = WebDav::builder_from(&self.url)?.with_address(address).with_http(plain_http::options());
        Ok(Arc::new(builder.build()?))
    }

    fn look(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let Ok(builder) = WebDav::builder_from(&self.url) else { return findings };
        if builder.is_open_to_all() {
            let text = "requests go to another machine without TLS: everyone on the way can read the password and \
                        change the documents; use webdavs";
            findings.push(Finding { topic: "address", health: Health::Warning, text: text.to_owned() });
        }
        findings.extend(software(builder.clone()));
        findings.extend(method_of_store(builder));
        findings
    }

    fn creates(&self, by_fallback: bool) -> Option<String> {
        let storage = WebDav::open(&self.url).ok()?;
        let known = !by_fallback || storage.adopt(storage.capabilities().fallback);
        known.then(|| format!("an object that is created once {}", storage.create_method()))
    }

    fn make(&self, name: &str) -> Result<()> {
        let storage = WebDav::open(&self.url)?;
        let no_runtime = |error| Error::new(ErrorKind::Internal, "there is no runtime").with_source(error);
        Handle::try_current().map_err(no_runtime)?.block_on(storage.make_folder(&Folder::new(name)?))
    }

    /// A storage removes objects only: empty collections stay.
    fn sweep(&self, prefix: &str) {
        if let (Ok(storage), Ok(runtime)) = (WebDav::open(&self.url), Handle::try_current()) {
            // What cannot be removed stays, and is told of by later runs.
            drop(runtime.block_on(storage.remove_empty(prefix)));
        }
    }

    fn next_step(&self, error: &Error) -> Option<String> {
        let step = match error.kind() {
            ErrorKind::Denied if std::env::var_os("WEBDAV_USER").is_none() => "set WEBDAV_USER and WEBDAV_PASSWORD",
            ErrorKind::Denied => "check WEBDAV_USER and WEBDAV_PASSWORD, and what they may do in this folder",
            ErrorKind::Unavailable if error.throttled() => "try again later; nothing is lost",
            ErrorKind::Unavailable if !error.message().contains("; ") => {
                "check the network and the address, or try again later; nothing is lost"
            }
            ErrorKind::Invalid | ErrorKind::Missing if !error.message().contains("; ") => {
                "check the address: it has to be that of a folder"
            }
            _ => return None,
        };
        Some(step.to_owned())
    }
}

/// What the server calls itself. One that cannot be asked is no finding: the examination says what is wrong with it.
fn software(builder: WebDavBuilder) -> Option<Finding> {
    let software = Handle::try_current().ok()?.block_on(builder.build().ok()?.software()).ok()?;
    let text = match software {
        Some(software) => format!("it calls itself `{software}`, on which nothing depends"),
        None => "it does not say what software it is, and nothing depends on that".to_owned(),
    };
    Some(Finding { topic: "server", health: Health::Note, text })
}

/// By which method the store that lies there creates, if it is another than the usual one: it keeps that, whatever a new one would take.
fn method_of_store(builder: WebDavBuilder) -> Option<Finding> {
    let store = builder.build().ok()?.server(Arc::new(TokioRuntime), &DomainName::default()).ok()?;
    Handle::try_current().ok()?.block_on(store.store()).ok()?.value?;
    let method = store.capabilities().method?;
    let text = format!("the store that lies there was made by {method}, and all its clients keep to that");
    Some(Finding { topic: "store", health: Health::Note, text })
}
