//! Tasks that run at once.

use futures::future::join_all;

use crate::verdict::Failure;

/// Runs them at once, each a task of its own, and gives what each gave, in their order.
pub(in crate::cases) async fn race<T, R>(racers: impl IntoIterator<Item = R>) -> Result<Vec<T>, Failure>
where
    T: Send + 'static,
    R: Future<Output = Result<T, Failure>> + Send + 'static,
{
    let tasks: Vec<_> = racers.into_iter().map(tokio::spawn).collect();
    let ended = |error| Failure::new(format!("a racer ended early: {error}"));
    join_all(tasks).await.into_iter().map(|task| task.map_err(ended)?).collect()
}
