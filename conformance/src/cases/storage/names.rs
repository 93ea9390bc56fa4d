//! Names: every one that a layout can produce is a name of its own.

use futures::future::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use longshore_core::{Folder, ObjectKey, Storage};

use super::case;
use super::look::{created, holds, lists, names, two};
use crate::case::Case;
use crate::context::{Context, put};
use crate::verdict::Failure;

pub(super) const CASES: &[Case] = &[
    case("storage::names::each_is_its_own", 1, |cx| each_is_its_own(cx).boxed()),
    case("storage::names::are_listed_as_they_were_given", 2, |cx| are_listed_as_they_were_given(cx).boxed()),
    case("storage::names::may_be_as_long_and_as_deep_as_allowed", 1, |cx| {
        may_be_as_long_and_as_deep_as_allowed(cx).boxed()
    }),
    case("storage::names::go_one_by_one", 6, |cx| go_one_by_one(cx).boxed()),
];

/// Digits that are no number, devices of other systems, words that servers know, and names that differ at their end only.
const HOSTILE: &[&str] = &[
    "0",
    "00",
    "000",
    "1",
    "2",
    "9",
    "10",
    "010",
    "1e3",
    "0x10",
    "1-2",
    "1_2",
    "-",
    "--",
    "_",
    "__",
    "-_",
    "_-",
    "-0",
    "-1",
    "_0",
    "a",
    "a-",
    "a--",
    "a_",
    "a0",
    "aa",
    "ab",
    "con",
    "nul",
    "aux",
    "prn",
    "com1",
    "com9",
    "lpt1",
    "conin",
    "clock",
    "null",
    "nan",
    "inf",
    "true",
    "none",
    "undefined",
    "tmp",
    "temp",
    "trash",
    "desktop",
    "thumbs",
    "backup",
    "xn--a",
    "index",
    "default",
    "acl",
    "uploads",
    "versions",
    "admin",
    "git",
    "svn",
    "dat",
    "data-",
    "data_",
    "data0",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775808",
    "0000000000000001",
    "0000000000000010",
    "00000000000000010",
    "20240101t000000z",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
];

/// Names of the greatest length, which differ in one place.
fn longest() -> Vec<String> {
    let with = |at: usize, other: &str| {
        let mut name = "n".repeat(80);
        name.replace_range(at..=at, other);
        name
    };
    vec!["n".repeat(80), "n".repeat(79), with(79, "m"), with(64, "m"), with(63, "m"), with(0, "m"), "0".repeat(80)]
}

fn hostile() -> Vec<String> {
    let mut all: Vec<String> = HOSTILE.iter().map(ToString::to_string).chain(longest()).collect();
    all.extend(["-".repeat(80), "_".repeat(80)]);
    all.sort();
    all
}

/// Does something to each of these names, to several at once.
async fn to_each<'n, F>(cx: &Context, names: &'n [String], act: impl Fn(&'n str) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let acts: Vec<F> = names.iter().map(|name| act(name)).collect();
    stream::iter(acts).buffer_unordered(cx.at_once(16)).try_collect().await
}

/// In a quick run every third, where another case writes them all.
fn some(cx: &Context) -> Vec<String> {
    hostile().into_iter().step_by(cx.size().pick(3, 1, 1)).collect()
}

async fn write_all(cx: &Context, storage: &dyn Storage, names: &[String]) -> Result<(), Failure> {
    to_each(cx, names, |name| async move {
        created(storage, &cx.record(name)?, format!("record {name}")).await?;
        put(storage, &cx.blob(name)?, format!("blob {name}")).await
    })
    .await
}

async fn holds_both(cx: &Context, storage: &dyn Storage, name: &str) -> Result<(), Failure> {
    holds(storage, &cx.record(name)?, format!("record {name}").as_bytes()).await?;
    holds(storage, &cx.blob(name)?, format!("blob {name}").as_bytes()).await
}

async fn delete_both(cx: &Context, storage: &dyn Storage, name: &str) -> Result<(), Failure> {
    storage.delete(&cx.record(name)?).await?;
    storage.delete(&cx.blob(name)?).await?;
    Ok(())
}

async fn each_is_its_own(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let all = hostile();
    write_all(&cx, &*mine, &all).await?;
    to_each(&cx, &all, |name| holds_both(&cx, &*yours, name)).await
}

async fn are_listed_as_they_were_given(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let all = some(&cx);
    write_all(&cx, &*mine, &all).await?;
    for folder in [Folder::new("records")?, Folder::new("segments/0")?] {
        lists(&folder, &names(&*yours, &folder).await?, &all)?;
    }
    let part = Folder::new("segments")?;
    lists(&part, &names(&*yours, &part).await?, &["0".to_owned()])
}

/// Eight parts of 80 letters, less the two that this place itself has.
async fn may_be_as_long_and_as_deep_as_allowed(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let part = |letter: &str| letter.repeat(80);
    let deep = [part("a"), part("b"), part("c")].join("/");
    for last in [part("x"), format!("{}y", "x".repeat(79))] {
        let record = ObjectKey::new(format!("{deep}/{}/{last}/data", part("d")))?;
        let blob = ObjectKey::new(format!("{deep}/segments/{}/{last}", part("0")))?;
        created(&*mine, &record, last.clone()).await?;
        put(&*mine, &blob, last.clone()).await?;
    }
    for last in [part("x"), format!("{}y", "x".repeat(79))] {
        holds(&*yours, &ObjectKey::new(format!("{deep}/{}/{last}/data", part("d")))?, last.as_bytes()).await?;
        holds(&*yours, &ObjectKey::new(format!("{deep}/segments/{}/{last}", part("0")))?, last.as_bytes()).await?;
    }
    let folder = Folder::new(format!("{deep}/{}", part("d")))?;
    lists(&folder, &names(&*yours, &folder).await?, &[part("x"), format!("{}y", "x".repeat(79))])
}

/// Each deletion takes one name and no other.
async fn go_one_by_one(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let all = some(&cx);
    write_all(&cx, &*mine, &all).await?;
    let every_other = |from: usize| all.iter().skip(from).step_by(2).cloned().collect::<Vec<String>>();
    let (gone, kept) = (every_other(0), every_other(1));
    to_each(&cx, &gone, |name| delete_both(&cx, &*mine, name)).await?;
    to_each(&cx, &kept, |name| holds_both(&cx, &*yours, name)).await?;
    for folder in [Folder::new("records")?, Folder::new("segments/0")?] {
        lists(&folder, &names(&*yours, &folder).await?, &kept)?;
    }
    Ok(())
}
