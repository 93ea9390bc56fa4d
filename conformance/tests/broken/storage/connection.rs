//! Clients whose replies get mixed up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use longshore_core::{
    ByteRange, Created, Error, ErrorKind, Folder, Listing, MemoryStorage, Object, ObjectKey, Payload, Reply, Result,
    Storage as _,
};
use tokio::sync::Semaphore;

use super::broken;
use super::hooked::cut;
use crate::broken::runs::Broken;
use crate::broken::wrong::{Wrong, client, listed, object, pause, reply, server, stored};

const WORN_OUT: &str = "storage::dropped::many_calls_leave_their_client_answering";

pub(crate) fn table() -> Vec<Broken> {
    vec![
        broken(
            "of calls at once, the last gets the first reply",
            || client(|right| Replies::new(right, true)),
            &["storage::at_once::each_read_gets_its_own_bytes"],
        ),
        broken(
            "the reply of a dropped call goes to the next",
            || client(|right| Replies::new(right, false)),
            &["storage::dropped::a_get_does_not_disturb_the_next"],
        ),
        broken(
            "what was not read comes before the next reply",
            || client(Unread::new),
            &["storage::get::a_large_object_may_be_left_half_read"],
        ),
        Broken {
            // Other cases drop calls, too, and would wait for its answers to their deadlines.
            only: WORN_OUT,
            ..broken("a dropped call keeps its connection", || client(Pool::new), &[WORN_OUT])
        },
        broken("a read of a folder gives its page", || server(Pages), &["storage::get::a_folder_is_no_object"]),
        broken(
            "reads of what was read before are refused",
            || client(|right| Once(right, Mutex::default())),
            &["storage::get::is_free_to_repeat"],
        ),
    ]
}

/// Replies lie in one place, and whoever comes takes one.
#[derive(Debug)]
struct Replies {
    right: MemoryStorage,
    waiting: Mutex<VecDeque<Option<Bytes>>>,
    last_first: bool,
}

impl Replies {
    fn new(right: MemoryStorage, last_first: bool) -> Self {
        Self { right, waiting: Mutex::default(), last_first }
    }
}

#[async_trait]
impl Wrong for Replies {
    fn right(&self) -> &MemoryStorage {
        &self.right
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let mine = stored(&self.right, key).await?;
        self.waiting.lock().unwrap().push_back(mine);
        pause().await;
        let taken = {
            let mut waiting = self.waiting.lock().unwrap();
            if self.last_first { waiting.pop_back() } else { waiting.pop_front() }
        };
        let found = taken.flatten().map(|bytes| object(bytes.len() as u64, cut(&bytes, range)));
        reply(&self.right, found).await
    }
}

/// A connection is used again although its reply was not read to the end.
#[derive(Debug)]
struct Unread(MemoryStorage, Arc<Mutex<Bytes>>);

impl Unread {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Arc::default())
    }
}

/// Leaves on the connection what it did not give.
struct Connection(Bytes, Arc<Mutex<Bytes>>);

impl Drop for Connection {
    fn drop(&mut self) {
        *self.1.lock().unwrap() = std::mem::take(&mut self.0);
    }
}

#[async_trait]
impl Wrong for Unread {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let Some(whole) = stored(&self.0, key).await? else {
            return reply(&self.0, None).await;
        };
        let part = cut(&whole, range);
        let left = std::mem::take(&mut *self.1.lock().unwrap());
        let mixed = Bytes::from([left, part.clone()].concat()).slice(..part.len());
        let connection = Connection(mixed, Arc::clone(&self.1));
        let pieces = stream::unfold(connection, |mut connection| async {
            let len = connection.0.len().min(64 << 10);
            (len > 0).then(|| (Ok(connection.0.split_to(len)), connection))
        });
        reply(&self.0, Some(Object::new(whole.len() as u64, part.len() as u64, pieces.boxed()))).await
    }
}

#[derive(Debug)]
struct Pages(MemoryStorage);

#[async_trait]
impl Wrong for Pages {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let names = listed(&self.0, &Folder::new(key.as_str())?).await?;
        if names.is_empty() {
            return self.0.get(key, range).await;
        }
        let page = Bytes::from(format!("<html>Index of {key}: {}</html>", names.join(" ")));
        reply(&self.0, Some(object(page.len() as u64, cut(&page, range)))).await
    }
}

/// As a signed address that is good for one request.
#[derive(Debug)]
struct Once(MemoryStorage, Mutex<Vec<ObjectKey>>);

#[async_trait]
impl Wrong for Once {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        if self.1.lock().unwrap().iter().filter(|used| *used == key).count() > 3 {
            return Err(Error::new(ErrorKind::Denied, "403: the address was used before"));
        }
        let found = self.0.get(key, range).await?;
        if found.value.is_some() {
            self.1.lock().unwrap().push(key.clone());
        }
        Ok(found)
    }
}

/// Ten connections, which come back at the end of a call.
#[derive(Debug)]
struct Pool(MemoryStorage, Semaphore);

impl Pool {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Semaphore::new(10))
    }

    async fn over<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.1.acquire().await.unwrap().forget();
        pause().await;
        let ended = call.await;
        self.1.add_permits(1);
        ended
    }
}

#[async_trait]
impl Wrong for Pool {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.over(self.0.create(key, bytes)).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.over(self.0.put(key, payload)).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.over(self.0.get(key, range)).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.over(self.0.list(folder, after)).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.over(self.0.delete(key)).await
    }
}
