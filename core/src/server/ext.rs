//! Convenience over any server.

use async_trait::async_trait;
use futures::stream::{self, StreamExt};

use super::{Author, Server, Tip, Written};
use crate::error::{Error, Result};
use crate::model::Change;
use crate::storage::Reply;

/// Calls made of a server's own.
#[async_trait]
pub trait ServerExt: Server {
    /// Commits changes as the entry after `after`, or says that its number is taken: the specification's `ChangesWrite`.
    ///
    /// All of them or none: `Unsupported` if one is too large for the storage. For tools and tests. An app's changes go through a [`Client`](crate::Client), which journals the entry first: without
    /// that, an error with outcome `Unknown` leaves a question that nobody can answer later.
    async fn commit(&self, after: &Tip, author: &Author, changes: Vec<Change>) -> Result<Reply<Written>> {
        let staged = self.put(after.number(), stream::iter(changes.into_iter().map(Ok)).boxed()).await?;
        if let Some(large) = staged.too_large.first().cloned() {
            return Err(Error::from(large).with_operation("commit"));
        }
        let entry = self.prepare(after, author, &staged)?;
        self.changes_write(&entry).await
    }
}

impl<S: Server + ?Sized> ServerExt for S {}
