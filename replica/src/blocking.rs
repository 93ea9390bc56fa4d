//! Where the database's calls run: they block, so never on an async thread.

use longshore_core::{Error, ErrorKind, Result};

/// Runs the job on tokio's threads for blocking work. Whoever stops waiting does not stop the job.
pub(crate) async fn run<T: Send + 'static>(job: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(job).await {
        Ok(result) => result,
        Err(error) => Err(Error::new(ErrorKind::Internal, "a database call did not finish").with_source(error)),
    }
}
