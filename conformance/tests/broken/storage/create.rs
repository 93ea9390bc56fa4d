//! Creates that are not decided once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{
    Created, Error, ErrorKind, Folder, Listing, MemoryStorage, ObjectKey, Reply, Result, Storage as _,
};

use super::broken;
use crate::broken::matrix::Broken;
use crate::broken::wrong::{Wrong, client, listed, overwrite, pause, reply, server, stored};

pub(crate) fn table() -> Vec<Broken> {
    vec![
        broken(
            "create checks, then writes",
            || server(|right| Decides { right, how: How::CheckThenWrite }),
            &["storage::create::of_many_at_once_one_wins", "storage::create::of_one_clients_calls_one_wins"],
        ),
        broken(
            "create overwrites",
            || server(|right| Decides { right, how: How::Overwrite }),
            &["storage::create::a_second_one_changes_nothing", "storage::create::its_own_client_is_told_too"],
        ),
        broken(
            "create tells losers that they won",
            || server(|right| Decides { right, how: How::TellSuccess }),
            &["storage::create::a_second_one_changes_nothing", "storage::create::of_many_at_once_one_wins"],
        ),
        broken(
            "create tells losers so, and keeps their bytes",
            || server(|right| Decides { right, how: How::KeepLast }),
            &["storage::create::a_second_one_changes_nothing", "storage::create::of_many_at_once_one_wins"],
        ),
        broken(
            "create of a taken name is an error",
            || server(|right| Decides { right, how: How::Conflict }),
            &["storage::create::a_second_one_changes_nothing"],
        ),
        broken(
            "create of equal bytes succeeds again",
            || server(|right| Decides { right, how: How::EqualIsMine }),
            &["storage::create::the_same_bytes_are_taken_too"],
        ),
        broken(
            "create says at times that a free name is taken",
            || server(Wary::new),
            &["storage::visible::every_acknowledged_write", "storage::at_once::each_write_is_kept"],
        ),
        broken(
            "a client's create succeeds again, as a retry",
            || client(Retrying::new),
            &["storage::create::its_own_client_is_told_too", "storage::create::of_one_clients_calls_one_wins"],
        ),
        broken(
            "create locks within a client only",
            || client(Locking::new),
            &["storage::create::of_many_at_once_one_wins"],
        ),
        broken(
            "create is decided by an index that deletions reset",
            || server(Indexed::new),
            &["storage::create::a_name_outlasts_the_deletion_of_another"],
        ),
        broken(
            "create makes an empty object first",
            || server(|right| Decides { right, how: How::EmptyFirst }),
            &[
                "storage::hunt::no_half_between_the_steps_of_a_create",
                "storage::dropped::a_create_leaves_nothing_or_all",
                "storage::hunt::no_half_of_a_record",
            ],
        ),
        broken(
            "create lists the name before its bytes are there",
            || server(Reserving::new),
            &["storage::hunt::no_half_between_the_steps_of_a_create"],
        ),
        broken(
            "create makes the folder anew beside other writers",
            || server(|right| Decides { right, how: How::NewFolder }),
            &["storage::at_once::the_first_into_a_folder_all_come_in"],
        ),
        broken(
            "create bears 512 KiB",
            || server(|right| Decides { right, how: How::Small }),
            &["storage::bytes::a_record_has_up_to_one_mebibyte"],
        ),
    ]
}

#[derive(Debug, PartialEq)]
enum How {
    CheckThenWrite,
    Overwrite,
    TellSuccess,
    KeepLast,
    Conflict,
    EqualIsMine,
    EmptyFirst,
    NewFolder,
    Small,
}

#[derive(Debug)]
struct Decides {
    right: MemoryStorage,
    how: How,
}

#[async_trait]
impl Wrong for Decides {
    fn right(&self) -> &MemoryStorage {
        &self.right
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let right = &self.right;
        let store = |bytes: Bytes| async move { Ok(overwrite(right, key, bytes).await?.map(|()| Created::Created)) };
        match self.how {
            How::CheckThenWrite => {
                if stored(right, key).await?.is_some() {
                    return reply(right, Created::Exists).await;
                }
                pause().await;
                store(bytes).await
            }
            How::Overwrite => store(bytes).await,
            How::TellSuccess => Ok(right.create(key, bytes).await?.map(|_| Created::Created)),
            How::KeepLast => {
                let answer = right.create(key, bytes.clone()).await?;
                pause().await;
                store(bytes).await?;
                Ok(answer)
            }
            How::Conflict => match right.create(key, bytes).await? {
                Reply { value: Created::Exists, .. } => Err(Error::new(ErrorKind::Conflict, "409")),
                created => Ok(created),
            },
            How::EqualIsMine => match right.create(key, bytes.clone()).await? {
                Reply { value: Created::Exists, .. } if stored(right, key).await? == Some(bytes) => {
                    reply(right, Created::Created).await
                }
                answer => Ok(answer),
            },
            How::EmptyFirst => match right.create(key, Bytes::new()).await? {
                Reply { value: Created::Created, .. } => {
                    pause().await;
                    store(bytes).await
                }
                taken => Ok(taken),
            },
            How::NewFolder => {
                let folder =
                    key.folder().unwrap().as_str().rsplit_once('/').map(|(above, _)| above.to_owned()).unwrap();
                let above = Folder::new(folder)?;
                let new = listed(right, &above).await?.is_empty();
                pause().await;
                for name in if new { listed(right, &above).await? } else { Vec::new() } {
                    right.delete(&above.join(name)?.object(ObjectKey::DATA)?).await?;
                }
                right.create(key, bytes).await
            }
            How::Small if bytes.len() > 512 << 10 => Err(Error::new(ErrorKind::Full, "413")),
            How::Small => right.create(key, bytes).await,
        }
    }
}

/// Answers `Exists` now and then, as a server that is busy with the name.
#[derive(Debug)]
struct Wary(MemoryStorage, AtomicU64);

impl Wary {
    fn new(right: MemoryStorage) -> Self {
        Self(right, AtomicU64::new(0))
    }
}

#[async_trait]
impl Wrong for Wary {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        if self.1.fetch_add(1, Ordering::SeqCst) % 10 == 9 {
            return reply(&self.0, Created::Exists).await;
        }
        self.0.create(key, bytes).await
    }
}

/// Takes "exists" for the answer to its own first try, if it made one.
#[derive(Debug)]
struct Retrying(MemoryStorage, Mutex<BTreeSet<ObjectKey>>);

impl Retrying {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Retrying {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let mut answer = self.0.create(key, bytes).await?;
        let mut mine = self.1.lock().unwrap();
        if answer.value == Created::Created {
            mine.insert(key.clone());
        } else if mine.contains(key) {
            answer.value = Created::Created;
        }
        Ok(answer)
    }
}

#[derive(Debug)]
struct Locking(MemoryStorage, tokio::sync::Mutex<()>);

impl Locking {
    fn new(right: MemoryStorage) -> Self {
        Self(right, tokio::sync::Mutex::new(()))
    }
}

#[async_trait]
impl Wrong for Locking {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let _one = self.1.lock().await;
        if stored(&self.0, key).await?.is_some() {
            return reply(&self.0, Created::Exists).await;
        }
        pause().await;
        Ok(overwrite(&self.0, key, bytes).await?.map(|()| Created::Created))
    }
}

/// Decides by a list of names, which is made anew after a deletion.
#[derive(Debug)]
struct Indexed(MemoryStorage, Mutex<BTreeSet<ObjectKey>>);

impl Indexed {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Indexed {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        if !self.1.lock().unwrap().insert(key.clone()) {
            return reply(&self.0, Created::Exists).await;
        }
        Ok(overwrite(&self.0, key, bytes).await?.map(|()| Created::Created))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.1.lock().unwrap().clear();
        self.0.delete(key).await
    }
}

/// The folder of a record is there before the record is.
#[derive(Debug)]
struct Reserving(MemoryStorage, Mutex<BTreeMap<String, BTreeSet<String>>>);

impl Reserving {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Reserving {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let folder = key.folder().unwrap();
        let (above, name) = folder.as_str().rsplit_once('/').unwrap();
        self.1.lock().unwrap().entry(above.to_owned()).or_default().insert(name.to_owned());
        pause().await;
        let answer = self.0.create(key, bytes).await;
        self.1.lock().unwrap().get_mut(above).unwrap().remove(name);
        answer
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let mut page = self.0.list(folder, after).await?;
        let reserved = self.1.lock().unwrap().get(folder.as_str()).cloned().unwrap_or_default();
        page.value.names.extend(reserved.into_iter().filter(|name| after.is_none_or(|after| name.as_str() > after)));
        page.value.names.sort();
        page.value.names.dedup();
        Ok(page)
    }
}
