//! Who we are: Basic and Digest passwords, and bearer tokens.
//!
//! A wrong password is sent a few times at the most: until the server has let one request in, no more than [`UNPROVEN`] are under way,
//! and after a refusal nothing is sent any more by this client. Servers lock accounts out. Who would send the first alone would lose a
//! round trip each time that the password is right.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Method};
use http_auth::{PasswordClient, PasswordParams};
use longshore_core::{Error, ErrorKind, Outcome, Result};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Requests that may be under way before the server has let one in: as many as opening a session takes.
const UNPROVEN: usize = 3;

/// Gives a token when one is needed: at first, and when the server does not take the last one any more.
pub(crate) type Tokens = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String>> + Send>> + Send + Sync>;

/// What was given to prove who we are.
#[derive(Clone)]
pub(crate) enum Credentials {
    /// Nothing.
    None,
    /// A user and a password.
    Password(String, String),
    /// Bearer tokens.
    Tokens(Tokens),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Password(..) => "Password",
            Self::Tokens(_) => "Tokens",
        })
    }
}

/// The way to say it.
enum Scheme {
    /// The server is asked first: a password is not shown to who may want only proof that we know it.
    Ask,
    Basic,
    Digest(Box<PasswordClient>),
    Bearer(String),
}

struct State {
    scheme: Scheme,
    /// How often the scheme or the token was changed.
    version: u64,
    /// The server has let a request in.
    proven: bool,
    /// Why nothing more is sent: all requests end with what the first was told, whichever of them an app shows.
    refused: Option<&'static str>,
}

/// What a request was sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    version: u64,
    /// Whether the request said who we are.
    any: bool,
}

/// Proves to the server who we are.
pub(crate) struct Auth {
    credentials: Credentials,
    state: Mutex<State>,
    unproven: Semaphore,
    /// Only one asks for a new token.
    renewal: tokio::sync::Mutex<()>,
}

impl Auth {
    /// A password goes out at once if `open` says so; else the server is asked what it wants.
    pub(crate) fn new(credentials: Credentials, open: bool) -> Self {
        let scheme = if open { Scheme::Basic } else { Scheme::Ask };
        let proven = matches!(credentials, Credentials::None);
        let state = State { scheme, version: 0, proven, refused: None };
        Self {
            credentials,
            state: Mutex::new(state),
            unproven: Semaphore::new(UNPROVEN),
            renewal: tokio::sync::Mutex::new(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may be sent: before the server has let one in, only few may.
    pub(crate) async fn turn(&self) -> Result<Option<SemaphorePermit<'_>>> {
        if self.state().proven {
            return Ok(None);
        }
        let permit = self.unproven.acquire().await.ok();
        let state = self.state();
        if let Some(what) = state.refused {
            return Err(Error::new(ErrorKind::Denied, what).with_outcome(Outcome::NotApplied));
        }
        Ok(if state.proven { None } else { permit })
    }

    /// The value of `Authorization` for a request, and what it shows.
    pub(crate) async fn header(&self, method: &Method, target: &str) -> Result<(Option<String>, Shown)> {
        let first =
            matches!((&self.credentials, &self.state().scheme), (Credentials::Tokens(_), Scheme::Ask | Scheme::Basic));
        if first {
            self.renew(0).await?;
        }
        let mut state = self.state();
        let version = state.version;
        let header = match (&self.credentials, &mut state.scheme) {
            (Credentials::Password(user, password), Scheme::Basic) => {
                Some(http_auth::basic::encode_credentials(user, password))
            }
            (Credentials::Password(user, password), Scheme::Digest(client)) => {
                let params =
                    PasswordParams { username: user, password, uri: target, method: method.as_str(), body: None };
                Some(client.respond(&params).map_err(|_| unknown_scheme())?)
            }
            (Credentials::Tokens(_), Scheme::Bearer(token)) => Some(format!("Bearer {token}")),
            _ => None,
        };
        let any = header.is_some();
        Ok((header, Shown { version, any }))
    }

    /// The server has let a request in.
    pub(crate) fn accepted(&self, shown: Shown) {
        if shown.any || matches!(self.credentials, Credentials::None) {
            self.state().proven = true;
        }
    }

    /// The server refused a request. `Ok` if it is worth sending again, for the `tried`th time.
    pub(crate) async fn refused(&self, shown: Shown, headers: &HeaderMap, tried: usize) -> Result<()> {
        match &self.credentials {
            Credentials::None => Err(Error::new(
                ErrorKind::Denied,
                "the server asks for a user and a password; set WEBDAV_USER and WEBDAV_PASSWORD",
            )),
            Credentials::Tokens(_) if tried == 0 => {
                // Also of a token that was let in before: they expire.
                self.renew(shown.version).await
            }
            Credentials::Tokens(_) => Err(self.refuse("the server does not take the token")),
            Credentials::Password(..) => self.challenged(shown, headers, tried),
        }
    }

    fn challenged(&self, shown: Shown, headers: &HeaderMap, tried: usize) -> Result<()> {
        let mut state = self.state();
        if state.version != shown.version && tried < 2 {
            return Ok(());
        }
        let asked = challenge(headers);
        let again = match (&state.scheme, &asked) {
            // It says what it wants, or that it takes no password in plain.
            (Scheme::Ask, Some(_)) | (Scheme::Basic, Some(PasswordClient::Digest(_))) => true,
            // A nonce has grown old.
            (Scheme::Digest(_), Some(PasswordClient::Digest(new))) => tried == 0 && (new.stale() || state.proven),
            _ => false,
        };
        match asked {
            Some(client) if again => {
                state.scheme = match client {
                    PasswordClient::Basic(_) => Scheme::Basic,
                    other => Scheme::Digest(Box::new(other)),
                };
                state.version += 1;
                Ok(())
            }
            None if matches!(state.scheme, Scheme::Ask) => Err(unknown_scheme()),
            _ => {
                drop(state);
                Err(self.refuse("the server does not take the user and the password"))
            }
        }
    }

    /// Nothing more is sent with these credentials, unless they were good once: then the next request tries them again.
    fn refuse(&self, what: &'static str) -> Error {
        let mut state = self.state();
        if state.proven {
            state.proven = false;
        } else {
            state.refused = Some(what);
        }
        Error::new(ErrorKind::Denied, what)
    }

    /// Gets a token, unless another request did since this version.
    async fn renew(&self, version: u64) -> Result<()> {
        let Credentials::Tokens(tokens) = &self.credentials else { return Ok(()) };
        let _alone = self.renewal.lock().await;
        if self.state().version != version {
            return Ok(());
        }
        let token = tokens().await?;
        // RFC 6750, section 2.1.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
        if token.is_empty() || !token.bytes().all(plain) {
            return Err(Error::new(
                ErrorKind::Denied,
                "the token that was given has characters that no token may have",
            ));
        }
        let mut state = self.state();
        if matches!(&state.scheme, Scheme::Bearer(old) if *old == token) {
            drop(state);
            return Err(self.refuse("the server does not take the token, and there is no newer one"));
        }
        (state.scheme, state.version) = (Scheme::Bearer(token), state.version + 1);
        Ok(())
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

/// The strongest of the schemes that the server knows, of those that we do.
fn challenge(headers: &HeaderMap) -> Option<PasswordClient> {
    let mut builder = PasswordClient::builder();
    for value in headers.get_all(WWW_AUTHENTICATE) {
        if let Ok(text) = value.to_str() {
            builder = builder.challenges(text);
        }
    }
    builder.build().ok()
}

fn unknown_scheme() -> Error {
    Error::new(
        ErrorKind::Denied,
        "the server asks for a kind of login that is not known here: Basic, Digest and Bearer are",
    )
}
