use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use longshore_core::{
    ByteRange, Capabilities, Created, Folder, Listing, Object, ObjectKey, Payload, Reply, Result, Storage,
};

/// Objects on a shelf.
#[derive(Clone, Debug, Default)]
pub struct Shelf(Arc<Mutex<BTreeMap<String, Bytes>>>);

impl Shelf {
    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Storage for Shelf {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        // One step that the store itself decides. Not: look first, then write.
        let mut objects = self.objects();
        if objects.contains_key(key.as_str()) {
            return Ok(Reply::new(Created::Exists));
        }
        objects.insert(key.to_string(), bytes);
        Ok(Reply::new(Created::Created))
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        // Nothing is visible until every byte is there. A real store takes the parts as they come.
        let parts: Vec<Bytes> = payload.into_stream().try_collect().await?;
        self.objects().insert(key.to_string(), parts.concat().into());
        Ok(Reply::new(()))
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let Some(whole) = self.objects().get(key.as_str()).cloned() else {
            return Ok(Reply::new(None));
        };
        let within = range.within(whole.len() as u64);
        let part = whole.slice(within.start as usize..within.end as usize);
        let object = Object::new(whole.len() as u64, part.len() as u64, stream::iter([Ok(part)]).boxed());
        Ok(Reply::new(Some(object)))
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let inside = if folder.as_str().is_empty() { String::new() } else { format!("{folder}/") };
        let mut names: Vec<String> = self
            .objects()
            .keys()
            .filter_map(|key| key.strip_prefix(&inside))
            .filter_map(|rest| rest.split('/').next())
            .filter(|name| after.is_none_or(|after| *name > after))
            .map(str::to_owned)
            .collect();
        // Names do not sort as keys do: `a-b/data` comes before `a/data`, but `a` before `a-b`.
        names.sort();
        names.dedup();
        Ok(Reply::new(Listing { names, more: false }))
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.objects().remove(key.as_str());
        Ok(Reply::new(()))
    }
}
