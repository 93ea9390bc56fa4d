//! How to reach servers: certificates, proxy, timeouts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use longshore_core::{Error, ErrorKind, Result};
use reqwest::{Certificate, NoProxy, Proxy};

use crate::client::Http;

/// What is longer is as good as never, and clocks count so far.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The largest that HTTP/2 knows (RFC 9113, section 6.9.1): each request has a window of its own within it.
const LARGEST_WINDOW: u32 = i32::MAX as u32;

/// Settings of an [`Http`].
///
/// ```
/// use longshore_http::HttpOptions;
///
/// let options = HttpOptions::default().with_proxy("http://user:secret@proxy.example:3128");
/// assert!(!format!("{options:?}").contains("secret"));
/// assert!(HttpOptions::default().with_root_certificate("not PEM").build().is_err());
/// ```
#[derive(Clone)]
#[must_use]
pub struct HttpOptions {
    user_agent: String,
    roots: Vec<Vec<u8>>,
    proxy: Option<String>,
    no_proxy: Option<String>,
    connect_timeout: Duration,
    idle_timeout: Duration,
    request_budget: Option<Duration>,
    /// Unless the app says it, the adapter does.
    http2: Option<bool>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            user_agent: concat!("longshore/", env!("CARGO_PKG_VERSION")).to_owned(),
            roots: Vec::new(),
            proxy: None,
            no_proxy: None,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            request_budget: None,
            http2: None,
        }
    }
}

impl HttpOptions {
    /// What we call ourselves; `longshore/` and the version by default.
    pub fn with_user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// Trusts this certificate authority beside those of the system: one or more certificates in PEM.
    pub fn with_root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// Goes through this proxy: `http://`, `https://`, with user and password if it asks for them. By default the
    /// environment decides: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`.
    pub fn with_proxy(mut self, address: impl Into<String>) -> Self {
        self.proxy = Some(address.into());
        self
    }

    /// Hosts that are reached without the proxy of [`with_proxy`](Self::with_proxy): names, domains and networks, with
    /// commas between, as in `NO_PROXY`.
    pub fn with_no_proxy(mut self, hosts: impl Into<String>) -> Self {
        self.no_proxy = Some(hosts.into());
        self
    }

    /// The longest wait for a connection, TLS included; 10 s by default.
    pub fn with_connect_timeout(mut self, longest: Duration) -> Self {
        self.connect_timeout = longest;
        self
    }

    /// The longest time in which no byte moves; 60 s by default.
    pub fn with_idle_timeout(mut self, longest: Duration) -> Self {
        self.idle_timeout = longest.min(NEVER);
        self
    }

    /// The longest time that one request may take in all, both bodies included; none by default. A body of 8 MiB on a line of
    /// 1 Mbit/s takes 67 s.
    pub fn with_request_budget(mut self, longest: Duration) -> Self {
        self.request_budget = Some(longest);
        self
    }

    /// Whether HTTP/2 is spoken with servers that offer it, which they do over TLS only; the adapter decides by default. One connection
    /// then carries all requests, so that only one is opened, and a lost packet holds up all of them. Where large objects go up and down
    /// side by side, several connections are faster.
    pub fn with_http2(mut self, allowed: bool) -> Self {
        self.http2 = Some(allowed);
        self
    }

    /// For adapters: what holds unless [`with_http2`](Self::with_http2) was called; without either, HTTP/1.1 is spoken.
    pub fn or_http2(mut self, allowed: bool) -> Self {
        self.http2 = self.http2.or(Some(allowed));
        self
    }

    /// A client with these settings. It connects to nothing yet.
    ///
    /// Errors: `Invalid` for a malformed certificate, proxy address or user agent, which the message does not repeat.
    pub fn build(self) -> Result<Http> {
        let client = made(self.client()?)?;
        let (idle, budget) = (self.idle_timeout, self.request_budget);
        Ok(Http { client, unpooled: Arc::default(), options: self, idle, budget })
    }

    /// The same, without a pool.
    pub(crate) fn unpooled(&self) -> Result<reqwest::Client> {
        made(self.client()?.pool_max_idle_per_host(0))
    }

    fn client(&self) -> Result<reqwest::ClientBuilder> {
        let mut client = reqwest::Client::builder()
            .user_agent(self.user_agent.as_str())
            .connect_timeout(self.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .tcp_nodelay(true)
            // Another crate of the program may have turned these on for all.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd();
        client = if self.http2 == Some(true) {
            client
                // A connection that died would be taken for the next request again and again: it is found out before a request on it is
                // given up.
                .http2_keep_alive_interval(self.idle_timeout / 4)
                .http2_keep_alive_timeout(self.idle_timeout / 2)
                // A body that nobody reads holds up itself, and no other.
                .http2_initial_connection_window_size(LARGEST_WINDOW)
        } else {
            client.http1_only()
        };
        let mut roots = Vec::new();
        for pem in &self.roots {
            let found =
                Certificate::from_pem_bundle(pem).map_err(|_| invalid("the CA certificate is not valid PEM"))?;
            if found.is_empty() {
                return Err(invalid("the CA certificate is not PEM: it holds no BEGIN CERTIFICATE"));
            }
            roots.extend(found);
        }
        if !roots.is_empty() {
            client = client.tls_certs_merge(roots);
        }
        if let Some(address) = &self.proxy {
            let proxy = Proxy::all(address.as_str()).map_err(|_| invalid("the proxy's address is malformed"))?;
            client = client.proxy(proxy.no_proxy(self.no_proxy.as_deref().and_then(NoProxy::from_string)));
        }
        Ok(client)
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("user_agent", &self.user_agent)
            .field("roots", &self.roots.len())
            .field("proxy", &self.proxy.is_some())
            .field("connect_timeout", &self.connect_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("request_budget", &self.request_budget)
            .field("http2", &self.http2)
            .finish_non_exhaustive()
    }
}

/// The bytes of a file with certificates, for [`with_root_certificate`](HttpOptions::with_root_certificate).
///
/// Errors: `Invalid`, with the file's name, if it cannot be read.
///
/// ```
/// let error = longshore_http::read_certificates("no/such/file.pem").unwrap_err();
/// assert_eq!(error.key(), Some("no/such/file.pem"));
/// ```
pub fn read_certificates(path: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        Error::new(ErrorKind::Invalid, "the CA certificate cannot be read")
            .with_operation("open")
            .with_key(path)
            .with_source(error)
    })
}

fn made(client: reqwest::ClientBuilder) -> Result<reqwest::Client> {
    client
        .build()
        .map_err(|_| invalid("the settings give no HTTP client: look at the user agent and the CA certificate"))
}

fn invalid(what: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, what).with_operation("open")
}
