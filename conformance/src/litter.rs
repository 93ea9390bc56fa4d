//! Removing what a case left, and seeing that nothing stays.

use longshore_core::{Folder, ObjectKey, Storage};

use crate::verdict::Failure;

/// Pages of one listing at the most: a listing that never ends is a failure, not a hang.
const PAGES: usize = 10_000;

/// Everything in a folder, at any depth.
pub(crate) async fn objects(storage: &dyn Storage, folder: &Folder) -> Result<Vec<ObjectKey>, Failure> {
    let (mut found, mut left) = (Vec::new(), vec![folder.clone()]);
    while let Some(folder) = left.pop() {
        for name in names(storage, &folder).await? {
            if (name == ObjectKey::DATA && !holds_names(&folder)) || holds_objects(&folder) {
                found.push(folder.object(&name)?);
            } else {
                left.push(folder.join(&name)?);
            }
        }
    }
    Ok(found)
}

/// A listing does not tell objects from folders, but the layout does: objects are called `data`, or lie in a folder of
/// `segments`.
fn holds_objects(folder: &Folder) -> bool {
    folder.as_str().rsplit('/').nth(1) == Some("segments")
}

/// Metadata may have the name `data`, and then it is a folder.
fn holds_names(folder: &Folder) -> bool {
    let mut parts = folder.as_str().rsplit('/');
    parts.next() == Some("meta") && parts.nth(1) == Some("domains")
}

/// All names in a folder.
pub(crate) async fn names(storage: &dyn Storage, folder: &Folder) -> Result<Vec<String>, Failure> {
    let mut all: Vec<String> = Vec::new();
    for _ in 0..PAGES {
        let page = storage.list(folder, all.last().map(String::as_str)).await?.value;
        let last = !page.more || page.names.is_empty();
        all.extend(page.names);
        if last {
            return Ok(all);
        }
    }
    Err(Failure::new(format!("the listing of {folder} does not end")))
}

/// Removes everything in a folder. What cannot be removed is a failure.
pub(crate) async fn clean(storage: &dyn Storage, folder: &Folder) -> Result<(), Failure> {
    for key in objects(storage, folder).await? {
        storage.delete(&key).await?;
    }
    let left = objects(storage, folder).await?;
    if left.is_empty() { Ok(()) } else { Err(Failure::new(format!("{} objects cannot be removed", left.len()))) }
}
