//! Puts that are not all or nothing.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::TryStreamExt as _;
use longshore_core::{
    Created, Error, ErrorKind, Folder, Listing, MemoryStorage, ObjectKey, Payload, Reply, Result, Storage as _,
};

use super::broken;
use super::hooked::hooked;
use crate::broken::matrix::Broken;
use crate::broken::wrong::{Wrong, collect, overwrite, pause, reply, server, stored};

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
            How::InPlace => self.in_place(key, payload).await,
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

/// Lists a name while its bytes come.
#[derive(Debug)]
struct Listed(MemoryStorage, Mutex<BTreeSet<ObjectKey>>);

impl Listed {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Listed {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.1.lock().unwrap().insert(key.clone());
        let done = self.0.put(key, payload).await;
        self.1.lock().unwrap().remove(key);
        done
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let mut page = self.0.list(folder, after).await?;
        let coming = self.1.lock().unwrap().clone();
        let inside = coming.into_iter().filter(|key| key.folder().as_ref() == Some(folder));
        let names = inside.map(|key| key.name().to_owned());
        page.value.names.extend(names.filter(|name| after.is_none_or(|after| name.as_str() > after)));
        page.value.names.sort();
        page.value.names.dedup();
        Ok(page)
    }
}

/// Swallows the error of a write now and then.
#[derive(Debug)]
struct Forgetful(MemoryStorage, AtomicU64);

impl Forgetful {
    fn new(right: MemoryStorage) -> Self {
        Self(right, AtomicU64::new(0))
    }

    fn forgets(&self) -> bool {
        self.1.fetch_add(1, Ordering::SeqCst) % 7 == 6
    }
}

#[async_trait]
impl Wrong for Forgetful {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        if self.forgets() { reply(&self.0, Created::Created).await } else { self.0.create(key, bytes).await }
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let bytes = collect(payload).await?;
        if self.forgets() { reply(&self.0, ()).await } else { overwrite(&self.0, key, bytes).await }
    }
}

/// Stores what was put when the next write comes.
#[derive(Debug)]
struct Lazy(MemoryStorage, Mutex<Option<(ObjectKey, Bytes)>>);

impl Lazy {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Lazy {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let bytes = collect(payload).await?;
        let before = self.1.lock().unwrap().replace((key.clone(), bytes));
        if let Some((key, bytes)) = before {
            overwrite(&self.0, &key, bytes).await?;
        }
        reply(&self.0, ()).await
    }
}
