//! Listings of another folder than was asked for.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use longshore_core::{Folder, Listing, MemoryStorage, Reply, Result, Storage as _};

use super::hooked::later;
use crate::broken::wrong::{Wrong, listed, reply};

#[derive(Debug)]
pub(super) struct Deep(pub(super) MemoryStorage);

#[async_trait]
impl Wrong for Deep {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let inside = format!("{folder}/");
        let mut names: Vec<String> = Vec::new();
        for key in self.0.objects().keys() {
            let parts = key.as_str().strip_prefix(&inside).into_iter().flat_map(|rest| rest.split('/'));
            names.extend(parts.filter(|part| after.is_none_or(|after| *part > after)).map(str::to_owned));
        }
        names.sort();
        names.dedup();
        reply(&self.0, Listing { names, more: false }).await
    }
}

#[derive(Debug)]
pub(super) struct Beginning(pub(super) MemoryStorage);

#[async_trait]
impl Wrong for Beginning {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let mut names: Vec<String> = Vec::new();
        for key in self.0.objects().keys() {
            let rest = key.as_str().strip_prefix(folder.as_str());
            names.extend(rest.and_then(|rest| rest.trim_start_matches('/').split('/').next()).map(str::to_owned));
        }
        names.sort();
        names.dedup();
        reply(&self.0, Listing { names: later(names, after), more: false }).await
    }
}

/// Where objects and folders lie together, only the objects.
#[derive(Debug)]
pub(super) struct ObjectsOnly(pub(super) MemoryStorage);

#[async_trait]
impl Wrong for ObjectsOnly {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let mut page = self.0.list(folder, after).await?;
        let objects = self.0.objects();
        let is_object = |name: &String| folder.object(name).is_ok_and(|key| objects.contains_key(&key));
        if page.value.names.iter().any(is_object) {
            page.value.names.retain(is_object);
        }
        Ok(page)
    }
}

/// Gives objects page by page, and folders on the first page only.
#[derive(Debug)]
pub(super) struct FewFolders(pub(super) MemoryStorage);

#[async_trait]
impl Wrong for FewFolders {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let mut page = self.0.list(folder, after).await?;
        let (objects, mut folders) = (self.0.objects(), 0);
        page.value.names.retain(|name| {
            let is_object = folder.object(name).is_ok_and(|key| objects.contains_key(&key));
            folders += usize::from(!is_object);
            is_object || folders <= 1_000
        });
        Ok(page)
    }
}

/// Knows by its number where the next page begins, as `LIMIT` and `OFFSET` do.
#[derive(Debug)]
pub(super) struct Counted(MemoryStorage, Mutex<BTreeMap<(Folder, String), usize>>);

impl Counted {
    const PAGE: usize = 50;

    pub(super) fn new(right: MemoryStorage) -> Self {
        Self(right, Mutex::default())
    }
}

#[async_trait]
impl Wrong for Counted {
    fn right(&self) -> &MemoryStorage {
        &self.0
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        let all = listed(&self.0, folder).await?;
        let cursor = after.map(|after| (folder.clone(), after.to_owned()));
        let known = cursor.and_then(|cursor| self.1.lock().unwrap().remove(&cursor));
        let from = known.unwrap_or_else(|| all.len() - later(all.clone(), after).len());
        let names: Vec<String> = all.iter().skip(from).take(Self::PAGE).cloned().collect();
        let next = from + names.len();
        let more = next < all.len();
        if let Some(last) = names.last().filter(|_| more) {
            self.1.lock().unwrap().insert((folder.clone(), last.clone()), next);
        }
        reply(&self.0, Listing { names, more }).await
    }
}
