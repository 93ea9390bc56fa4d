//! A server that commands kill and start.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use async_trait::async_trait;
use longshore_core::{Error, ErrorKind, Result};

use crate::harness::Killable;

/// Kills a server by one command and starts it by another, such as a script's: each the program and its arguments. Either comes back
/// when it is done, with exit code 0. What they print to standard output is dropped.
///
/// ```
/// use longshore_conformance::{Commands, Killable as _};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let server = Commands::new(["no-such-program", "kill"], ["no-such-program", "start"]);
/// let error = server.kill().await.unwrap_err();
/// assert!(error.to_string().contains("no-such-program kill"), "{error}");
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Commands {
    kill: Vec<OsString>,
    start: Vec<OsString>,
}

impl Commands {
    /// Commands that kill a server, and start it again.
    pub fn new<K, S>(kill: K, start: S) -> Self
    where
        K: IntoIterator<Item: Into<OsString>>,
        S: IntoIterator<Item: Into<OsString>>,
    {
        Self { kill: kill.into_iter().map(Into::into).collect(), start: start.into_iter().map(Into::into).collect() }
    }
}

#[async_trait]
impl Killable for Commands {
    async fn kill(&self) -> Result<()> {
        run(self.kill.clone()).await
    }

    async fn start(&self) -> Result<()> {
        run(self.start.clone()).await
    }
}

async fn run(words: Vec<OsString>) -> Result<()> {
    let shown = words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let failed = |what: &str| Error::new(ErrorKind::Internal, format!("the server's command {what}: {shown}"));
    let Some((program, arguments)) = words.split_first() else { return Err(failed("is empty")) };
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null());
    let status = tokio::task::spawn_blocking(move || command.status())
        .await
        .map_err(|error| failed("ended early").with_source(error))?
        .map_err(|error| failed("cannot be run").with_source(error))?;
    if status.success() { Ok(()) } else { Err(failed(&format!("failed with {status}"))) }
}
