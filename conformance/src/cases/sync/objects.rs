//! The objects of a place as a whole: copied away, put back, taken from another.

use std::collections::BTreeMap;

use bytes::Bytes;
use longshore_core::{Folder, ObjectKey};

use crate::cases::server::write;
use crate::context::{Context, read};
use crate::litter;
use crate::verdict::Failure;

/// What lies in a place.
pub(super) type Objects = BTreeMap<ObjectKey, Bytes>;

/// A copy of everything in this place.
pub(super) async fn copy(cx: &Context) -> Result<Objects, Failure> {
    let storage = cx.storage().await?;
    let mut objects = Objects::new();
    for key in litter::objects(&*storage, &Folder::ROOT).await? {
        let bytes = read(&*storage, &key).await?;
        let bytes = bytes.ok_or_else(|| Failure::new(format!("{key} is listed, and is not there")))?;
        objects.insert(key, bytes);
    }
    Ok(objects)
}

/// Puts these in the place of all that is there.
pub(super) async fn put_back(cx: &Context, objects: &Objects) -> Result<(), Failure> {
    let storage = cx.storage().await?;
    let there = copy(cx).await?;
    for (key, bytes) in &there {
        if objects.get(key) != Some(bytes) {
            storage.delete(key).await?;
        }
    }
    for (key, bytes) in objects {
        if there.get(key) != Some(bytes) {
            write(&*storage, key, bytes.clone()).await?;
        }
    }
    Ok(())
}

/// Those whose names do not have this end.
pub(super) fn without(objects: &Objects, end: &str) -> Objects {
    objects
        .iter()
        .filter(|(key, _)| !key.as_str().ends_with(end))
        .map(|(key, bytes)| (key.clone(), bytes.clone()))
        .collect()
}
