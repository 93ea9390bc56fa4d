//! `put`: under a temporary name, checked for whole arrival, then moved.
//!
//! Many servers write in place: of a connection that is cut, they keep the first half under the name, and nothing marks it.

use std::sync::Arc;

use bytes::BytesMut;
use futures::TryStreamExt as _;
use longshore_core::{Error, ErrorKind, ObjectKey, Outcome, Payload, Reply, Result};

use crate::client::{Ask, BROKEN, is_lost};
use crate::place::Place;
use crate::storage::{Inner, Litter};
use crate::upload::{Streamed, Upload};

/// Smaller ones are held in memory: they can be sent again where the server asks for a login.
const IN_MEMORY: u64 = 64 * 1024;

impl Inner {
    pub(crate) async fn put(self: &Arc<Self>, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let len = payload.len();
        let target = Place::from(key);
        let folder = target.parent();
        let (upload, failure) = if len <= IN_MEMORY {
            let mut bytes = BytesMut::new();
            let mut stream = payload.into_stream();
            while let Some(next) = stream.try_next().await.map_err(not_applied)? {
                bytes.extend_from_slice(&next);
            }
            (Upload::Bytes(bytes.freeze()), None)
        } else {
            let (streamed, failure) = Streamed::new(payload);
            (Upload::Stream(streamed), Some(failure))
        };
        self.folder(&folder).await.map_err(not_applied)?;
        let (mut temporary, mut next) = (folder.temporary()?, Some(upload));
        let mut litter = vec![Litter::file(self, &temporary)];
        let mut sent = Ok(());
        for broken in 0..=BROKEN {
            let Some(upload) = next.take() else { break };
            next = upload.again();
            sent = self.send_up(&temporary, upload, broken > 0).await;
            if !sent.as_ref().is_err_and(is_lost) || next.is_none() {
                break;
            }
            // Sent again to the same name, it could meet its own first try, cut and late.
            temporary = folder.temporary()?;
            litter.push(Litter::file(self, &temporary));
        }
        if let Some(error) = failure.and_then(|failure| failure.take()) {
            return Err(not_applied(error));
        }
        sent.map_err(not_applied)?;
        self.check_len(&temporary, len).await.map_err(not_applied)?;
        let reply = self.reveal(&temporary, &target, len).await?;
        litter.pop().into_iter().for_each(Litter::settled);
        Ok(reply)
    }

    async fn send_up(&self, temporary: &Place, upload: Upload, anew: bool) -> Result<()> {
        let ask = Ask::new("PUT", self.client.file(temporary)).with_upload(upload).once();
        let answer = self.client.send(if anew { ask.anew() } else { ask }).await?;
        if !answer.is_done() {
            if matches!(answer.status, 403 | 404 | 409 | 500) {
                // What it lies in may have been removed.
                self.folders.forget(&temporary.parent());
                self.client.check_root().await?;
            }
            return Err(answer.error());
        }
        answer.finish().await;
        Ok(())
    }

    /// Fails if the server has not got all of it.
    async fn check_len(&self, place: &Place, len: u64) -> Result<()> {
        match self.len_of(place).await?.value {
            Some(there) if there == len => Ok(()),
            there => Err(Error::new(ErrorKind::Unavailable, "the object did not arrive whole").with_expected(
                format_args!("{len} bytes"),
                there.map_or("nothing".to_owned(), |there| format!("{there}")),
            )),
        }
    }

    /// Moves it to its name.
    async fn reveal(&self, temporary: &Place, target: &Place, len: u64) -> Result<Reply<()>> {
        let ask = Ask::new("MOVE", self.client.file(temporary))
            .with("destination", self.client.file(target))
            .with("overwrite", "F");
        let answer = self.client.send(ask).await?;
        let (done, time) = (answer.is_done(), answer.time);
        let error = answer.error();
        answer.finish().await;
        if done {
            return Ok(Reply { value: (), time });
        }
        // Moved by an earlier try whose answer was lost: the same name always comes with the same bytes.
        let there = self.len_of(target).await?;
        if there.value == Some(len) {
            self.discard_file(temporary).await;
            return Ok(there.map(|_| ()));
        }
        Err(error)
    }
}

fn not_applied(error: Error) -> Error {
    error.with_outcome(Outcome::NotApplied)
}
