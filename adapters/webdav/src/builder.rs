//! All settings.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longshore_core::{Capabilities, Error, Result};
use longshore_http::HttpOptions;
use tracing::warn;
use url::Url;

use crate::auth::{Auth, Credentials};
use crate::client::Client;
use crate::folders::Folders;
use crate::place::{Base, decoded, invalid};
use crate::root::Root;
use crate::spares::Spares;
use crate::storage::{Inner, WebDav};
use crate::throttle::Throttle;

/// How to reach a folder on a WebDAV server.
///
/// ```
/// use longshore_webdav::WebDav;
/// use std::time::Duration;
///
/// let builder = WebDav::builder("https://cloud.example.org/dav/notes").with_password("me", "sesame");
/// assert!(!format!("{builder:?}").contains("sesame"));
/// let storage = builder.with_rate(600, Duration::from_secs(30 * 60)).build()?;
/// assert_eq!(storage.address(), "https://cloud.example.org/dav/notes/");
/// # Ok::<(), longshore_core::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct WebDavBuilder {
    address: String,
    /// What errors show for `http` or `https`, where the address was typed so.
    scheme: Option<&'static str>,
    credentials: Option<Credentials>,
    http: HttpOptions,
    rate: Option<(u32, Duration)>,
    parallelism: usize,
    moves_files: bool,
}

impl WebDavBuilder {
    pub(crate) fn new(address: String) -> Self {
        Self {
            address,
            scheme: None,
            credentials: None,
            http: HttpOptions::default(),
            rate: None,
            parallelism: 8,
            moves_files: false,
        }
    }

    /// Another folder, with all other settings as they are.
    pub fn with_address(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self.scheme = None;
        self
    }

    pub(crate) fn typed_as(mut self, scheme: &'static str) -> Self {
        self.scheme = Some(scheme);
        self
    }

    /// A user and a password, for Basic (RFC 7617) or Digest (RFC 7616), as the server asks. Over TLS, and on this machine, they
    /// go out with the first request; elsewhere the server is asked first, so that one that wants Digest never sees the password.
    ///
    /// By default those of the address, else `WEBDAV_USER` and `WEBDAV_PASSWORD`; with a user in the address and no password, that
    /// of the environment, unless it is of another user.
    pub fn with_password(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some(Credentials::Password(user.into(), password.into()));
        self
    }

    /// Bearer tokens (RFC 6750) from a function, which is asked for the first one, and for a newer one whenever the server takes
    /// the last one no more.
    ///
    /// ```
    /// # use longshore_webdav::WebDav;
    /// let builder = WebDav::builder("https://cloud.example.org/dav").with_tokens(|| async { Ok("eyJhbGciOi".to_owned()) });
    /// assert!(builder.build().is_ok());
    /// ```
    pub fn with_tokens<F, R>(mut self, tokens: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<String>> + Send + 'static,
    {
        self.credentials = Some(Credentials::Tokens(Arc::new(move || Box::pin(tokens()))));
        self
    }

    /// Sends no credentials, whatever the address and the environment say.
    pub fn with_anonymous(mut self) -> Self {
        self.credentials = Some(Credentials::None);
        self
    }

    /// Certificates, proxy, timeouts, user agent. HTTP/2 is spoken with servers that offer it, unless these
    /// [say otherwise](HttpOptions::with_http2).
    pub fn with_http(mut self, options: HttpOptions) -> Self {
        self.http = options;
        self
    }

    /// Sends no more than that many requests in that time; no limit by default. Some hosts lock out who sends more, such as 600 in
    /// 30 minutes. A request that would have to wait for longer than 20 s fails as
    /// [throttled](longshore_core::Error::throttled), with the time until its turn.
    pub fn with_rate(mut self, requests: u32, per: Duration) -> Self {
        self.rate = Some((requests, per));
        self
    }

    /// How many requests may be under way at once; 8 by default.
    pub fn with_parallelism(mut self, requests: usize) -> Self {
        self.parallelism = requests.max(1);
        self
    }

    /// Creates names by moving files, where the usual method moves collections. A few servers show moved collections late or empty, such as
    /// rclone with its cache on; some let several clients win with files.
    ///
    /// It need not be called: a store on a server where only this method passes the probe is made by it, and says so to all its
    /// clients. A store that was made by the usual method is then refused.
    pub fn with_moved_files(mut self) -> Self {
        self.moves_files = true;
        self
    }

    /// Whether requests go to another machine without TLS.
    ///
    /// ```
    /// # use longshore_webdav::WebDav;
    /// assert!(WebDav::builder("http://nas/dav").is_open_to_all());
    /// assert!(!WebDav::builder("http://127.0.0.1/dav").is_open_to_all());
    /// assert!(!WebDav::builder("https://nas/dav").is_open_to_all());
    /// ```
    pub fn is_open_to_all(&self) -> bool {
        Url::parse(&self.address).is_ok_and(|url| url.scheme() == "http" && !is_here(&url))
    }

    /// The storage. Nothing is sent yet.
    ///
    /// Errors: `Invalid` for settings that cannot be right.
    pub fn build(self) -> Result<WebDav> {
        let url = Url::parse(&self.address).map_err(|_| invalid("it is malformed: write https://host/path"))?;
        if hides_password(&self.address) {
            return Err(password_cut());
        }
        let credentials = match self.credentials {
            Some(credentials) => credentials,
            None => given(&url, |name| std::env::var(name).ok()),
        };
        if matches!(&credentials, Credentials::Password(user, _) if user.contains(':')) {
            return Err(invalid("the user's name has a colon, which Basic authentication cannot carry"));
        }
        let secure = url.scheme() == "https" || is_here(&url);
        let base = Base::new(url)?;
        if !secure && !matches!(credentials, Credentials::None) && is_first(base.url().as_str()) {
            warn!(
                address = %base,
                "the password or token goes over the network without TLS, for everyone on the way to read; use webdavs://"
            );
        }
        let client = Client {
            http: self.http.or_http2(true).build()?,
            base,
            auth: Auth::new(credentials, secure),
            throttle: self.rate.map(|(requests, per)| Throttle::new(requests, per)),
            root: Root::default(),
        };
        let claims = Capabilities::default().with_read_time(true).with_parallelism(self.parallelism);
        let inner = Inner {
            client: Arc::new(client),
            scheme: self.scheme,
            folders: Folders::default(),
            spares: Spares::default(),
            claims,
            moves_files: AtomicBool::new(self.moves_files),
            asked_for: self.moves_files,
            full: Folders::default(),
        };
        Ok(WebDav { inner: Arc::new(inner) })
    }
}

impl fmt::Debug for WebDavBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebDavBuilder")
            .field("credentials", &self.credentials)
            .field("http", &self.http)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

/// Those of the address, else of the environment; where only the user stands in the address, the password may stand there. That of
/// another user is nobody else's.
fn given(url: &Url, environment: impl Fn(&str) -> Option<String>) -> Credentials {
    let theirs = environment("WEBDAV_USER").filter(|user| !user.is_empty());
    let user = match decoded(url.username()) {
        user if user.is_empty() => theirs.clone(),
        user => Some(user),
    };
    let Some(user) = user else { return Credentials::None };
    let password = url.password().map(decoded).or_else(|| {
        let mine = theirs.is_none_or(|theirs| theirs == user);
        environment("WEBDAV_PASSWORD").filter(|_| mine)
    });
    Credentials::Password(user, password.unwrap_or_default())
}

/// Whether the user would be taken for the host, and the password for a part of the path: `https://me:/sesame@host`. An address with a
/// colon and no port behind it is written by nobody.
pub(crate) fn hides_password(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (host, path) = rest.split_at(rest.find(['/', '\\']).unwrap_or(rest.len()));
    host.ends_with(':') && path.contains('@')
}

pub(crate) fn password_cut() -> Error {
    invalid("its password begins with a slash, which ends the host: write %2F for it")
}

/// Whether nobody in this process was warned of this address before. It holds no secret.
fn is_first(address: &str) -> bool {
    static WARNED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    WARNED.lock().unwrap_or_else(PoisonError::into_inner).insert(address.to_owned())
}

/// Whether an address is on this machine.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(url::Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// User and password that are sent to this address, with these in the environment.
    fn sent(address: &str, user: &str, password: &str) -> Option<(String, String)> {
        let environment = |name: &str| {
            let value = if name == "WEBDAV_USER" { user } else { password };
            (!value.is_empty()).then(|| value.to_owned())
        };
        match given(&address.parse().unwrap(), environment) {
            Credentials::Password(user, password) => Some((user, password)),
            _ => None,
        }
    }

    fn pair(user: &str, password: &str) -> (String, String) {
        (user.to_owned(), password.to_owned())
    }

    #[test]
    fn what_the_address_lacks_stands_in_the_environment() {
        assert_eq!(sent("https://host/", "", ""), None);
        assert_eq!(sent("https://host/", "", "sesame"), None, "a password of nobody");
        assert_eq!(sent("https://host/", "me", "sesame"), Some(pair("me", "sesame")));
        assert_eq!(sent("https://a%40b:s%3Ame@host/", "me", "sesame"), Some(pair("a@b", "s:me")));
        assert_eq!(sent("https://me@host/", "", "sesame"), Some(pair("me", "sesame")));
        assert_eq!(sent("https://a%40b@host/", "a@b", "sesame"), Some(pair("a@b", "sesame")));
        assert_eq!(sent("https://me@host/", "you", "sesame"), Some(pair("me", "")), "the password is another's");
    }

    #[test]
    fn a_password_is_not_taken_for_a_path() {
        for address in ["https://me:/sesame@host/", "http://me:/@host", "https://me:\\sesame@host/dav"] {
            let error = WebDav::builder(address).build().unwrap_err();
            assert!(error.to_string().contains("%2F") && !error.to_string().contains("sesame"), "{error}");
        }
        for address in
            ["https://host:/dav", "https://host:443/me@host/", "https://me:%2Fsesame@host/", "https://host/a:/b@c"]
        {
            assert!(!hides_password(address), "{address}");
        }
    }

    #[test]
    fn an_address_is_warned_of_once() {
        assert!(is_first("http://nas/once/") && !is_first("http://nas/once/"));
        assert!(is_first("http://nas/other/") && !is_first("http://nas/once/"));
    }
}
