//! Where credentials come from that a service gives, and what is told when it does not.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use longshore_core::{Error, ErrorKind};
use object_store::CredentialProvider;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::exchange::{Exchange, Seen};

tokio::task_local! {
    /// There while a task asks for credentials: its requests are no store's.
    static FOR_CREDENTIALS: ();
}

/// For so long those that were given do while no new ones can be had: `object_store` asks for others five minutes before the end of
/// those that it has.
const GRACE: Duration = Duration::from_secs(4 * 60);

/// Credentials whose failures are told as such, not as the store's.
///
/// A store asks for credentials within a call, by requests of its own. What is seen of those is kept apart. While none can be had for a
/// moment, such as where a token is just being written, those that were given last do.
pub struct WatchedCredentials<C> {
    inner: Arc<dyn CredentialProvider<Credential = C>>,
    asked_for: bool,
    token_file: Option<PathBuf>,
    fit: fn(&C) -> bool,
    /// The last ones, and when they were given.
    last: Mutex<Option<(Instant, Arc<C>)>>,
}

impl<C> WatchedCredentials<C> {
    /// Watches these.
    pub fn new(credentials: Arc<dyn CredentialProvider<Credential = C>>) -> Self {
        Self { inner: credentials, asked_for: true, token_file: None, fit: |_| true, last: Mutex::default() }
    }

    /// They are got with the token that is in this file, which is looked at each time before `object_store` reads it: a token with a
    /// line break makes it panic.
    #[must_use]
    pub fn with_token_file(self, path: impl Into<PathBuf>) -> Self {
        Self { token_file: Some(path.into()), ..self }
    }

    /// Those that do not pass this are refused. [`fits_in_header`] says what `object_store` can send.
    #[must_use]
    pub fn with_check(self, fit: fn(&C) -> bool) -> Self {
        Self { fit, ..self }
    }

    /// Nobody set any credentials: the machine's metadata service is asked only because nothing else is left. A refusal of its then
    /// most likely means that there are none.
    #[must_use]
    pub fn as_last_resort(self) -> Self {
        Self { asked_for: false, ..self }
    }
}

impl<C> fmt::Debug for WatchedCredentials<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was given is nobody's to see, and a provider may show what it has.
        f.debug_struct("WatchedCredentials").finish_non_exhaustive()
    }
}

#[async_trait]
impl<C: fmt::Debug + Send + Sync + 'static> CredentialProvider for WatchedCredentials<C> {
    type Credential = C;

    async fn get_credential(&self) -> object_store::Result<Arc<C>> {
        match self.ask().await {
            Ok(found) => {
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&found)));
                Ok(found)
            }
            Err(error) => self.lately().ok_or_else(|| refused(error)),
        }
    }
}

impl<C: fmt::Debug + Send + Sync + 'static> WatchedCredentials<C> {
    async fn ask(&self) -> Result<Arc<C>, Error> {
        if let Some(path) = &self.token_file
            && is_no_token(path).await
        {
            return Err(Error::new(ErrorKind::Denied, NO_TOKEN));
        }
        let (result, seen) = Exchange::watch(FOR_CREDENTIALS.scope((), self.inner.get_credential())).await;
        match result {
            Ok(found) if (self.fit)(&found) => Ok(found),
            Ok(_) => Err(Error::new(ErrorKind::Denied, NO_CREDENTIALS)),
            // The library's own words could repeat a token.
            Err(_) => Err(no_credentials(seen, self.asked_for)),
        }
    }

    /// Those that were given a moment ago.
    fn lately(&self) -> Option<Arc<C>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(given, _)| given.elapsed() < GRACE).map(|(_, credentials)| Arc::clone(credentials))
    }
}

const NO_TOKEN: &str = "no credentials: the file that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names holds no token on one line; write it \
                        there without a line break";
const NO_CREDENTIALS: &str = "the service that gives credentials answered with some that no request can carry";

fn refused(error: Error) -> object_store::Error {
    let source = error.to_string().into();
    Exchange::note(Seen::Failed(error));
    object_store::Error::Generic { store: "credentials", source }
}

/// Whether the file can be read, and what is in it is no token. One that cannot be read `object_store` tells.
async fn is_no_token(path: &Path) -> bool {
    let path = path.to_owned();
    let read = move || std::fs::read(path);
    let read = match Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(read).await,
        Err(_) => Ok(read()),
    };
    matches!(read, Ok(Ok(bytes)) if std::str::from_utf8(&bytes).is_ok_and(|token| !fits_in_header(token)))
}

/// Whether a secret can be a part of a request's head: plain characters without spaces or line breaks around them.
///
/// ```
/// use longshore_object::fits_in_header;
///
/// assert!(fits_in_header("AKIAIOSFODNN7EXAMPLE"));
/// assert!(["", "two lines\n", " blank", "\u{e4}"].into_iter().all(|text| !fits_in_header(text)));
/// ```
pub fn fits_in_header(secret: &str) -> bool {
    !secret.is_empty() && secret.trim() == secret && secret.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// Whether the running task asks for credentials.
pub(crate) fn are_asked_for() -> bool {
    FOR_CREDENTIALS.try_with(|()| ()).is_ok()
}

fn no_credentials(seen: Option<Seen>, asked_for: bool) -> Error {
    let answer = match seen {
        Some(Seen::Answered(answer)) if answer.status >= 500 || answer.status == 429 => {
            let what =
                if asked_for { "the service that gives credentials" } else { "the metadata service of this machine" };
            let unset = if asked_for { "" } else { ", and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set" };
            let message = format!("{what} answered {}{unset}", answer.status);
            return Error::new(ErrorKind::Unavailable, message).with_outcome(longshore_core::Outcome::NotApplied);
        }
        Some(Seen::Answered(answer)) if asked_for => {
            let message = match answer.status {
                200..300 => "the service that gives credentials answered something else".to_owned(),
                status => format!("the service that gives credentials refused them with status {status}"),
            };
            return Error::new(ErrorKind::Denied, message);
        }
        Some(Seen::Failed(failure)) if asked_for => {
            let message = format!(
                "no answer of the service that gives credentials (AWS STS, AWS_ENDPOINT_URL_STS, or the container's): {failure}"
            );
            // Whatever became of that request, the store was not asked for anything.
            return Error::new(failure.kind(), message).with_outcome(longshore_core::Outcome::NotApplied);
        }
        None if asked_for => {
            let message = "no credentials: the file that AWS_WEB_IDENTITY_TOKEN_FILE or AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE \
                           names cannot be read";
            return Error::new(ErrorKind::Denied, message);
        }
        Some(Seen::Answered(answer)) => format!("its metadata service answered {}", answer.status),
        Some(Seen::Failed(_)) | None => "no metadata service answers here".to_owned(),
    };
    let message = format!(
        "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run on a machine with an instance \
         role ({answer}), or say that access is anonymous"
    );
    Error::new(ErrorKind::Denied, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that knows what to give as long as it is not told otherwise.
    #[derive(Debug, Default)]
    struct Service(Mutex<Option<&'static str>>);

    #[async_trait]
    impl CredentialProvider for Service {
        type Credential = &'static str;

        async fn get_credential(&self) -> object_store::Result<Arc<&'static str>> {
            let broken = || object_store::Error::Generic { store: "test", source: "sesame".into() };
            self.0.lock().unwrap().map(Arc::new).ok_or_else(broken)
        }
    }

    async fn given(credentials: &WatchedCredentials<&'static str>) -> Result<&'static str, String> {
        let (result, seen) = Exchange::watch(credentials.get_credential()).await;
        match (result, seen) {
            (Ok(given), None) => Ok(*given),
            (Err(_), Some(Seen::Failed(error))) => Err(error.message().to_owned()),
            other => panic!("{other:?}"),
        }
    }

    /// As whoever writes it anew leaves it for a moment.
    #[tokio::test(start_paused = true)]
    async fn an_empty_token_file_is_refused_when_the_last_credentials_have_ended() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let service = Arc::new(Service(Mutex::new(Some("first"))));
        let credentials = WatchedCredentials::new(service.clone()).with_token_file(&file);
        std::fs::write(&file, "").unwrap();
        assert_eq!(given(&credentials).await.unwrap_err(), NO_TOKEN, "there are no older ones");
        std::fs::write(&file, "token").unwrap();
        assert_eq!(given(&credentials).await, Ok("first"));
        std::fs::write(&file, "").unwrap();
        for _ in 0..4 {
            assert_eq!(given(&credentials).await, Ok("first"));
            tokio::time::advance(Duration::from_secs(60)).await;
        }
        assert_eq!(given(&credentials).await.unwrap_err(), NO_TOKEN, "they may have ended");
        std::fs::write(&file, "token").unwrap();
        *service.0.lock().unwrap() = Some("second");
        assert_eq!(given(&credentials).await, Ok("second"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_fails_for_a_moment_is_not_missed() {
        let service = Arc::new(Service::default());
        let credentials = WatchedCredentials::new(service.clone());
        assert!(given(&credentials).await.unwrap_err().contains("no credentials"));
        *service.0.lock().unwrap() = Some("ours");
        assert_eq!(given(&credentials).await, Ok("ours"));
        *service.0.lock().unwrap() = None;
        assert_eq!(given(&credentials).await, Ok("ours"));
        tokio::time::advance(GRACE).await;
        let told = given(&credentials).await.unwrap_err();
        assert!(told.contains("no credentials") && !told.contains("sesame"), "{told}");
    }
}
