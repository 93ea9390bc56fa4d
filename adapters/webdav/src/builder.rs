//! All settings.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use longshore_core::{Capabilities, Result};
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
    /// By default those of the address, else `WEBDAV_USER` and `WEBDAV_PASSWORD`.
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
        let credentials = match self.credentials {
            Some(credentials) => credentials,
            None => of_address(&url).or_else(of_environment).unwrap_or(Credentials::None),
        };
        if matches!(&credentials, Credentials::Password(user, _) if user.contains(':')) {
            return Err(invalid("the user's name has a colon, which Basic authentication cannot carry"));
        }
        let secure = url.scheme() == "https" || is_here(&url);
        let base = Base::new(url)?;
        if !secure && !matches!(credentials, Credentials::None) {
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

fn of_address(url: &Url) -> Option<Credentials> {
    let password = url.password().unwrap_or_default();
    (!url.username().is_empty()).then(|| Credentials::Password(decoded(url.username()), decoded(password)))
}

fn of_environment() -> Option<Credentials> {
    let user = std::env::var("WEBDAV_USER").ok().filter(|user| !user.is_empty())?;
    Some(Credentials::Password(user, std::env::var("WEBDAV_PASSWORD").unwrap_or_default()))
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
