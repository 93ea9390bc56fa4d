//! The order of a listing: that of the names' bytes, also where pages begin.

use futures::future::FutureExt as _;
use longshore_core::{Folder, Storage};

use super::case;
use super::look::{created, names, names_after, two};
use crate::case::Case;
use crate::context::{Context, put};
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    case("storage::list::rises_by_bytes", 2, |cx| rises_by_bytes(cx).boxed()),
    case("storage::list::goes_on_after_any_name", 2, |cx| goes_on_after_any_name(cx).boxed()),
    case("storage::list::goes_on_after_any_folder", 2, |cx| goes_on_after_any_folder(cx).boxed()),
];

/// Where the order of numbers, of words or of paths (`a/` comes after `a-`) is another than that of bytes.
const NAMES: &[&str] = &[
    "-", "--", "-1", "-2", "0", "00", "01", "1", "10", "100", "1-", "1_", "2", "20", "9", "_", "_-", "_1", "a", "a-",
    "a-b", "a0", "a1", "a10", "a2", "a_", "aa", "b", "z", "z-", "z_",
];
/// Names that are not there, before, between and after the others.
const BETWEEN: &[&str] = &["---", "-0", "000", "1-0", "15", "3", "a-0", "a-c", "a3", "ab", "y", "z0", "zz"];

fn sorted() -> Vec<String> {
    let mut names: Vec<String> = NAMES.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

async fn rises_by_bytes(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for name in NAMES.iter().rev() {
        put(&*mine, &cx.blob(name)?, *name).await?;
        created(&*mine, &cx.record(name)?, *name).await?;
    }
    for folder in [Folder::new("segments/0")?, Folder::new("records")?] {
        let found = names(&*yours, &folder).await?;
        ensure!(found == sorted(), "{folder} holds {:?} and lists {found:?}", sorted());
    }
    Ok(())
}

async fn goes_on_after_any_name(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for name in NAMES {
        put(&*mine, &cx.blob(name)?, *name).await?;
    }
    goes_on(&*yours, &Folder::new("segments/0")?).await
}

async fn goes_on_after_any_folder(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for name in NAMES {
        created(&*mine, &cx.record(name)?, *name).await?;
    }
    goes_on(&*yours, &Folder::new("records")?).await
}

async fn goes_on(storage: &dyn Storage, folder: &Folder) -> Result<(), Failure> {
    for after in NAMES.iter().chain(BETWEEN) {
        let found = names_after(storage, folder, Some(after)).await?;
        let wanted: Vec<String> = sorted().into_iter().filter(|name| name.as_str() > *after).collect();
        ensure!(found == wanted, "{folder} after {after:?} holds {wanted:?} and lists {found:?}");
    }
    Ok(())
}
