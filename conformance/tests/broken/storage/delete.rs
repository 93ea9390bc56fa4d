//! Deletions that take too much, too little, or their time.

use std::collections::BTreeSet;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_core::{Error, ErrorKind, Folder, Listing, MemoryStorage, ObjectKey, Reply, Result, Storage as _};

use super::broken;
use crate::broken::runs::Broken;
use crate::broken::wrong::{Wrong, listed, overwrite, pause, reply, server, stored};

pub(crate) fn table() -> Vec<Broken> {
    vec![
        broken(
            "delete of a missing object is an error",
            || server(|right| Deletes { right, how: How::MissingIsAnError }),
            &["storage::delete::of_a_missing_object_succeeds"],
        ),
        broken(
            "delete takes all that begins with the name",
            || server(|right| Deletes { right, how: How::Beginning }),
            &["storage::delete::leaves_its_neighbours", "storage::names::go_one_by_one"],
        ),
        broken(
            "delete tidies the folder and what comes into it",
            || server(|right| Deletes { right, how: How::Tidy }),
            &["storage::delete::of_the_last_spares_what_is_being_written"],
        ),
        broken(
            "the slower of two deletes is an error",
            || server(|right| Deletes { right, how: How::SlowerIsAnError }),
            &["storage::delete::by_many_at_once_succeeds"],
        ),
        broken(
            "delete empties the object first",
            || server(|right| Deletes { right, how: How::EmptyFirst }),
            &["storage::dropped::a_delete_leaves_nothing_or_all"],
        ),
        broken(
            "a deleted object can still be read",
            || server(Hidden::new),
            &["storage::delete::no_later_read_sees_it"],
        ),
        broken(
            "delete is done when the next one comes",
            || server(Later::new),
            &["storage::delete::no_later_read_sees_it", "storage::list::forgets_what_was_deleted"],
        ),
    ]
}

#[derive(Debug)]
enum How {
    MissingIsAnError,
    Beginning,
    Tidy,
    SlowerIsAnError,
    EmptyFirst,
}

#[derive(Debug)]
struct Deletes {
    right: MemoryStorage,
    how: How,
}

impl Deletes {
    /// Removes the folder if nothing else was in it when it looked.
    async fn tidy(&self, key: &ObjectKey) -> Result<()> {
        let top = if key.is_record() { key.folder().unwrap() } else { Folder::new(key.as_str())? };
        let folder = Folder::new(top.as_str().rsplit_once('/').unwrap().0)?;
        let last = listed(&self.right, &folder).await?.len() <= 1;
        pause().await;
        let inside = format!("{folder}/");
        for key in self.right.objects().into_keys().filter(|key| last && key.as_str().starts_with(&inside)) {
            self.right.delete(&key).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Wrong for Deletes {
    fn right(&self) -> &MemoryStorage {
        &self.right
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        let there = stored(&self.right, key).await?.is_some();
        match self.how {
            How::MissingIsAnError if !there => return Err(Error::new(ErrorKind::Missing, "404")),
            How::Beginning => {
                let name = if key.is_record() { key.folder().unwrap().to_string() } else { key.to_string() };
                for key in self.right.objects().into_keys().filter(|key| key.as_str().starts_with(&name)) {
                    self.right.delete(&key).await?;
                }
            }
            How::Tidy => self.tidy(key).await?,
            How::SlowerIsAnError if there => {
                pause().await;
                if stored(&self.right, key).await?.is_none() {
                    return Err(Error::new(ErrorKind::Unavailable, "423"));
                }
            }
            How::EmptyFirst if there => {
                overwrite(&self.right, key, Bytes::new()).await?;
                pause().await;
            }
            _ => {}
        }
        self.right.delete(key).await
    }
}

/// Deletes a name from the listings only.
#[derive(Debug)]
struct Hidden(MemoryStorage, Mutex<BTreeSet<ObjectKey>>);

impl Hidden {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Hidden {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.1.lock().unwrap().insert(key.clone());
        reply(&self.0, ()).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let hidden = self.1.lock().unwrap().clone();
        let left = MemoryStorage::new();
        left.set_objects(self.0.objects().into_iter().filter(|(key, _)| !hidden.contains(key)).collect());
        let page = left.list(folder, after).await?.value;
        reply(&self.0, page).await
    }
}

#[derive(Debug)]
struct Later(MemoryStorage, Mutex<Option<ObjectKey>>);

impl Later {
    fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Later {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        let before = self.1.lock().unwrap().replace(key.clone());
        if let Some(before) = before {
            self.0.delete(&before).await?;
        }
        reply(&self.0, ()).await
    }
}
