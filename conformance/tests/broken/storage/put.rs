//! Puts that are not all or nothing.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::TryStreamExt as _;
use longshore_core::{Error, ErrorKind, MemoryStorage, ObjectKey, Payload, Reply, Result, Storage as _};

use super::broken;
use super::hooked::hooked;
use super::uploader::{Forgetful, Lazy, Listed, Shared};
use crate::broken::runs::Broken;
use crate::broken::wrong::{Wrong, collect, overwrite, pause, server, stored};

pub(crate) fn table() -> Vec<Broken> {
    vec![
        broken(
            "put writes in place",
            || server(|right| Puts { right, how: How::InPlace }),
            &[
                "storage::put::nothing_is_seen_before_its_stream_has_ended",
                "storage::put::a_stream_that_fails_leaves_nothing",
                "storage::put::a_stream_of_another_length_leaves_nothing",
                "storage::hunt::no_half_of_a_put_object",
                "storage::dropped::a_put_leaves_nothing_or_all",
            ],
        ),
        broken(
            "put writes 8 MiB or more in place",
            || server(|right| Puts { right, how: How::LargeInPlace }),
            &[
                "storage::put::nothing_is_seen_before_its_stream_has_ended",
                "storage::put::a_stream_that_fails_leaves_nothing",
            ],
        ),
        broken(
            "puts of one name at once share their temporary file",
            || server(Shared::new),
            &["storage::at_once::puts_of_one_name_leave_it_whole"],
        ),
        broken(
            "a torso stays where the payload broke off",
            || server(|right| Puts { right, how: How::Torso }),
            &[
                "storage::put::a_stream_that_fails_leaves_nothing",
                "storage::put::a_stream_of_another_length_leaves_nothing",
            ],
        ),
        broken(
            "a payload that broke off is acknowledged",
            || server(|right| Puts { right, how: How::Acknowledge }),
            &[
                "storage::put::a_stream_that_fails_leaves_nothing",
                "storage::put::a_stream_of_another_length_leaves_nothing",
            ],
        ),
        broken(
            "put takes the old object away first",
            || server(|right| Puts { right, how: How::DeleteFirst }),
            &[
                "storage::put::a_repetition_that_fails_leaves_the_object",
                "storage::hunt::an_object_stays_whole_while_it_is_put_again",
            ],
        ),
        broken(
            "put of a taken name is refused",
            || server(|right| Puts { right, how: How::RefuseTaken }),
            &["storage::put::is_free_to_repeat"],
        ),
        broken(
            "put appends",
            || server(|right| Puts { right, how: How::Append }),
            &["storage::put::is_free_to_repeat"],
        ),
        broken(
            "an empty piece ends a put",
            || server(|right| Puts { right, how: How::EmptyPieceEnds }),
            &["storage::put::takes_pieces_of_any_length"],
        ),
        broken(
            "put takes 1 MiB and says that it takes all",
            || server(|right| Puts { right, how: How::SmallerThanClaimed }),
            &["storage::claims::an_object_of_the_largest_size_is_taken"],
        ),
        broken(
            "put is listed before it is done",
            || server(Listed::new),
            &["storage::put::nothing_is_seen_before_its_stream_has_ended"],
        ),
        broken(
            "one write of seven is acknowledged and lost",
            || server(Forgetful::new),
            &["storage::visible::every_acknowledged_write", "storage::list::is_complete_over_many_pages"],
        ),
        broken(
            "a write is acknowledged before it is stored",
            || server(Lazy::new),
            &["storage::visible::to_a_client_that_comes_later", "storage::visible::to_a_client_that_looked_before"],
        ),
        broken(
            "objects are cut at 1 MiB",
            hooked!(kept: |bytes: Bytes| Some(bytes.slice(..bytes.len().min(1 << 20)))),
            &["storage::put::streams_a_large_object", "storage::range::of_a_large_object_is_found"],
        ),
        broken(
            "objects without bytes are not kept",
            hooked!(kept: |bytes: Bytes| Some(bytes).filter(|bytes| !bytes.is_empty())),
            &["storage::bytes::none_are_an_object_too"],
        ),
    ]
}

#[derive(Debug)]
enum How {
    InPlace,
    LargeInPlace,
    Torso,
    Acknowledge,
    DeleteFirst,
    RefuseTaken,
    Append,
    EmptyPieceEnds,
    SmallerThanClaimed,
}

#[derive(Debug)]
struct Puts {
    right: MemoryStorage,
    how: How,
}

/// What came of a payload, and the error that ended it.
async fn as_far_as_it_goes(payload: Payload) -> (Bytes, Option<Error>) {
    let (mut bytes, mut stream) = (BytesMut::new(), payload.into_stream());
    loop {
        match stream.try_next().await {
            Ok(Some(piece)) => bytes.extend_from_slice(&piece),
            Ok(None) => return (bytes.freeze(), None),
            Err(error) => return (bytes.freeze(), Some(error)),
        }
    }
}

impl Puts {
    async fn in_place(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let (mut bytes, mut stream) = (BytesMut::new(), payload.into_stream());
        while let Some(piece) = stream.try_next().await? {
            bytes.extend_from_slice(&piece);
            overwrite(&self.right, key, bytes.clone().freeze()).await?;
            pause().await;
        }
        overwrite(&self.right, key, bytes.freeze()).await
    }

    async fn up_to_an_empty_piece(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let (mut bytes, mut stream) = (BytesMut::new(), payload.into_stream());
        while let Some(piece) = stream.try_next().await?.filter(|piece| !piece.is_empty()) {
            bytes.extend_from_slice(&piece);
        }
        overwrite(&self.right, key, bytes.freeze()).await
    }
}

#[async_trait]
impl Wrong for Puts {
    fn right(&self) -> &MemoryStorage {
        &self.right
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let right = &self.right;
        match self.how {
            How::LargeInPlace if payload.len() < 8 << 20 => right.put(key, payload).await,
            How::InPlace | How::LargeInPlace => self.in_place(key, payload).await,
            How::EmptyPieceEnds => self.up_to_an_empty_piece(key, payload).await,
            How::Torso => {
                let (bytes, error) = as_far_as_it_goes(payload).await;
                let stored = overwrite(right, key, bytes).await?;
                error.map_or(Ok(stored), Err)
            }
            How::Acknowledge => overwrite(right, key, as_far_as_it_goes(payload).await.0).await,
            How::DeleteFirst => {
                right.delete(key).await?;
                pause().await;
                right.put(key, payload).await
            }
            How::RefuseTaken if stored(right, key).await?.is_some() => Err(Error::new(ErrorKind::Conflict, "412")),
            How::Append => {
                let before = stored(right, key).await?.unwrap_or_default();
                overwrite(right, key, [before, collect(payload).await?].concat().into()).await
            }
            How::SmallerThanClaimed if payload.len() > 1 << 20 => Err(Error::new(ErrorKind::Unsupported, "413")),
            How::SmallerThanClaimed | How::RefuseTaken => right.put(key, payload).await,
        }
    }
}
