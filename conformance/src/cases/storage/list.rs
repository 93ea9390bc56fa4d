//! Listing: complete, also over many pages.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use longshore_core::{Folder, ObjectKey, Storage};

use super::case;
use super::look::{created, lists, names, names_after, two};
use crate::case::Case;
use crate::context::{Context, put};
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    case("storage::list::is_complete_over_many_pages", 2, |cx| is_complete_over_many_pages(cx).boxed()),
    case("storage::list::of_many_folders_is_complete", 2, |cx| of_many_folders_is_complete(cx).boxed()),
    case("storage::list::loses_no_name_while_others_come_and_go", 2, |cx| {
        loses_no_name_while_others_come_and_go(cx).boxed()
    }),
    case("storage::list::an_empty_folder_is_empty", 6, |cx| an_empty_folder_is_empty(cx).boxed()),
    case("storage::list::shows_one_level", 2, |cx| shows_one_level(cx).boxed()),
    case("storage::list::shows_folders_beside_objects", 2, |cx| shows_folders_beside_objects(cx).boxed()),
    case("storage::list::forgets_what_was_deleted", 2, |cx| forgets_what_was_deleted(cx).boxed()),
];

/// Segments as the layout names them: by their base, and random after that.
fn segments(count: u64) -> Vec<String> {
    let mut names: Vec<String> =
        (0..count).map(|at| format!("{:016}-{:016x}", at * 3 / 2, at.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    names.sort();
    names
}

async fn is_complete_over_many_pages(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let wanted = segments(cx.size().pick(120, 5_001, 5_001));
    let folder = Folder::new("segments/0")?;
    write(&cx, &mine, &wanted).await?;
    lists(&folder, &names(&*yours, &folder).await?, &wanted)?;
    for at in [0, 1, wanted.len() / 2, wanted.len() - 2, wanted.len() - 1] {
        let rest = names_after(&*yours, &folder, Some(&wanted[at])).await?;
        ensure!(
            rest == wanted[at + 1..],
            "after the {at}th of {} names, {} are listed that are not the rest",
            wanted.len(),
            rest.len()
        );
    }
    remove(&cx, &mine, &wanted).await?;
    lists(&folder, &names(&*yours, &folder).await?, &[])
}

async fn remove(cx: &Context, storage: &Arc<dyn Storage>, names: &[String]) -> Result<(), Failure> {
    let keys = names.iter().map(|name| cx.blob(name)).collect::<Result<Vec<_>, _>>()?;
    let deletes = keys.into_iter().map(|key| {
        let storage = Arc::clone(storage);
        async move { Ok::<_, Failure>(storage.delete(&key).await.map(drop)?) }
    });
    stream::iter(deletes).buffer_unordered(cx.at_once(32)).try_collect::<()>().await
}

/// Puts them in another order than that of their names, several at once.
async fn write(cx: &Context, storage: &Arc<dyn Storage>, wanted: &[String]) -> Result<(), Failure> {
    let mut keys = Vec::new();
    for at in 0..wanted.len() {
        keys.push(cx.blob(&wanted[at * 7_919 % wanted.len()])?);
    }
    let writes = keys.into_iter().map(|key: ObjectKey| {
        let storage = Arc::clone(storage);
        async move { put(&*storage, &key, "segment").await }
    });
    stream::iter(writes).buffer_unordered(cx.at_once(32)).try_collect::<()>().await
}

/// Who has read a page goes on after its last name, however many names were before it then and are now.
async fn loses_no_name_while_others_come_and_go(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let folder = Folder::new("segments/0")?;
    let wanted = segments(cx.size().pick(120, 1_200, 5_001));
    write(&cx, &mine, &wanted).await?;
    let (mut found, mut gone): (Vec<String>, _) = (Vec::new(), BTreeSet::new());
    // Where all names are on one page, one of them in the middle is gone on after.
    for _ in 0..wanted.len() {
        let page = yours.list(&folder, found.last().map(String::as_str)).await?.value;
        let whole = found.is_empty() && !page.more;
        found.extend(page.names.into_iter().take(if whole { wanted.len() / 2 } else { usize::MAX }));
        if !whole && !page.more {
            break;
        }
        let first = found.iter().filter(|name| wanted.contains(name) && !gone.contains(*name)).take(3);
        let leaving: Vec<String> = first.chain(found.last()).cloned().collect();
        remove(&cx, &mine, &leaving).await?;
        gone.extend(leaving);
        for at in 0..2 {
            put(&*mine, &cx.blob(&format!("{:016}-{}-{at}", 0, gone.len()))?, "new").await?;
        }
    }
    lists(&folder, &found, &wanted)?;
    ensure!(found.is_sorted(), "the listing of {folder} does not rise while names come and go");
    Ok(())
}

/// Lease records are found so, and folders of the log.
async fn of_many_folders_is_complete(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let folder = Folder::new("records")?;
    let wanted: Vec<String> = (1..=cx.size().pick(40, 1_001, 1_200)).map(|number| format!("{number:016}")).collect();
    let keys = wanted.iter().rev().map(|name| cx.record(name)).collect::<Result<Vec<_>, _>>()?;
    let writes: Vec<_> = keys.iter().map(|key| created(&*mine, key, "record")).collect();
    stream::iter(writes).buffer_unordered(cx.at_once(16)).try_collect::<()>().await?;
    lists(&folder, &names(&*yours, &folder).await?, &wanted)?;
    let rest = names_after(&*yours, &folder, Some(&wanted[wanted.len() - 3])).await?;
    lists(&folder, &rest, &wanted[wanted.len() - 2..])
}

/// A folder that is not there yet is empty, and one whose last object is gone; an object of that name or beside it is not in it.
async fn an_empty_folder_is_empty(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let empty = [Folder::ROOT, Folder::new("records")?, Folder::new("segments/0")?, Folder::new("no/such/folder")?];
    for folder in &empty {
        lists(folder, &names(&*mine, folder).await?, &[])?;
    }
    let (record, blob) = (cx.record("last")?, cx.blob("last")?);
    created(&*mine, &record, "record").await?;
    put(&*mine, &blob, "blob").await?;
    for name in ["record", "records-", "segments/00", "segments/0-", "records/las"] {
        let folder = Folder::new(name)?;
        lists(&folder, &names(&*yours, &folder).await?, &[])?;
    }
    for key in [&record, &blob] {
        mine.delete(key).await?;
    }
    for folder in &empty[1..] {
        lists(folder, &names(&*yours, folder).await?, &[])?;
    }
    Ok(())
}

/// Names directly in the folder, once each: nothing from below, nothing from beside.
async fn shows_one_level(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for number in ["1", "2", "3"] {
        created(&*mine, &cx.record(number)?, "record").await?;
        put(&*mine, &cx.blob(number)?, "blob").await?;
        put(&*mine, &ObjectKey::new(format!("segments/1/{number}"))?, "blob").await?;
    }
    let levels: [(&str, &[&str]); 6] = [
        ("", &["records", "segments"]),
        ("records", &["1", "2", "3"]),
        ("records/2", &["data"]),
        ("segments", &["0", "1"]),
        ("segments/0", &["1", "2", "3"]),
        ("segments/1", &["1", "2", "3"]),
    ];
    for (folder, wanted) in levels {
        let folder = Folder::new(folder)?;
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        lists(&folder, &names(&*yours, &folder).await?, &wanted)?;
    }
    Ok(())
}

async fn shows_folders_beside_objects(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let folder = Folder::new("mixed")?;
    let objects = ["1", "3", "a-b", "z"];
    let found = mixed(&*mine, &*yours, &folder, &objects).await;
    // The cleaner knows no folder of this shape, so they go also where the case failed. One that stays is no matter of its rule.
    let mut removed = Ok(());
    for name in objects {
        removed = removed.and(mine.delete(&folder.object(name)?).await.map(drop));
    }
    lists(&folder, &found?, &["1", "2", "3", "a", "a-b", "b", "z"].map(str::to_owned))?;
    Ok(removed?)
}

/// What a folder shows in which these objects lie, and folders beside them.
async fn mixed(
    mine: &dyn Storage,
    yours: &dyn Storage,
    folder: &Folder,
    objects: &[&str],
) -> Result<Vec<String>, Failure> {
    for name in objects {
        put(mine, &folder.object(name)?, "object").await?;
    }
    for name in ["2", "a", "b"] {
        created(mine, &folder.object(format!("{name}/data"))?, "record").await?;
    }
    names(yours, folder).await
}

async fn forgets_what_was_deleted(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let (records, blobs) = (Folder::new("records")?, Folder::new("segments/0")?);
    let mut wanted: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    for name in &wanted {
        created(&*mine, &cx.record(name)?, "record").await?;
        put(&*mine, &cx.blob(name)?, "blob").await?;
    }
    for gone in ["5", "9", "0", "4"] {
        mine.delete(&cx.record(gone)?).await?;
        mine.delete(&cx.blob(gone)?).await?;
        wanted.retain(|name| name != gone);
        for client in [&yours, &mine] {
            lists(&records, &names(&**client, &records).await?, &wanted)?;
            lists(&blobs, &names(&**client, &blobs).await?, &wanted)?;
        }
    }
    Ok(())
}
