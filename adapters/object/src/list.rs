//! Lists the names in a folder.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::stream::TryStreamExt;
use longshore_core::{Folder, Listing, ObjectKey};
use object_store::ObjectStore;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;

/// One page from a store that gives pages; from any other the whole folder, for which it reads all that lies below.
///
/// A store orders keys, in which `a/` comes after `a-b/`; names are ordered as names, in which `a` comes before `a-b`. So a page
/// may end only after a name that nothing can come before: one without `-`.
pub(crate) async fn page(
    store: &dyn ObjectStore,
    pages: Option<&Arc<dyn PaginatedListStore>>,
    folder: &Path,
    after: Option<&str>,
) -> object_store::Result<Listing> {
    let mut names = BTreeSet::new();
    let Some(pages) = pages else {
        // All objects below the folder: a store in a real folder also lists folders in which there is nothing yet.
        let place = (!folder.as_ref().is_empty()).then_some(folder);
        let objects: Vec<_> = store.list(place).try_collect().await?;
        collect(&mut names, folder, objects.into_iter().map(|object| object.location));
        return Ok(listing(names, after, false));
    };
    let prefix = (!folder.as_ref().is_empty()).then(|| format!("{folder}/"));
    let offset = after.map(|after| format!("{}{after}", prefix.as_deref().unwrap_or_default()));
    let mut page_token = None;
    loop {
        let asked = page_token.clone();
        let options = PaginatedListOptions {
            offset: offset.clone(),
            delimiter: Some("/".into()),
            page_token,
            ..PaginatedListOptions::default()
        };
        let page = pages.list_paginated(prefix.as_deref(), options).await?;
        let objects = page.result.objects.into_iter().map(|object| object.location);
        collect(&mut names, folder, objects.chain(page.result.common_prefixes));
        if page.page_token.is_some() && page.page_token == asked {
            let source = "the server gives the same page again and again".into();
            return Err(object_store::Error::Generic { store: "listing", source });
        }
        page_token = page.page_token;
        let complete = page_token.is_none();
        let last =
            names.last().is_some_and(|last| !last.contains('-') && after.is_none_or(|after| last.as_str() > after));
        if complete || last {
            return Ok(listing(names, after, !complete));
        }
    }
}

/// Adds what is ours, by its first part below the folder: a bucket may hold anything.
fn collect(names: &mut BTreeSet<String>, folder: &Path, locations: impl Iterator<Item = Path>) {
    for location in locations {
        let Some(name) = location.prefix_match(folder).and_then(|mut rest| rest.next()) else { continue };
        if ObjectKey::new(name.as_ref()).is_ok() {
            names.insert(name.as_ref().to_owned());
        }
    }
}

fn listing(names: BTreeSet<String>, after: Option<&str>, more: bool) -> Listing {
    let names = names.into_iter().filter(|name| after.is_none_or(|after| name.as_str() > after)).collect();
    Listing { names, more }
}

/// The path of a folder under the prefix.
pub(crate) fn place(prefix: &Path, folder: &Folder) -> Path {
    folder.parts().fold(prefix.clone(), Path::join)
}
