//! A root that is not there and credentials that are wrong: errors, never an empty store.

use std::sync::Arc;

use futures::future::FutureExt as _;
use longshore_core::{ByteRange, Error, ErrorKind, Folder, Storage};

use super::case;
use super::look::absent;
use crate::case::{Case, Need};
use crate::context::Context;
use crate::harness::OpenStorage;
use crate::place::Prefixed;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    case("storage::root::a_missing_one_is_an_error_to_readers", 6, |cx| {
        a_missing_one_is_an_error_to_readers(cx).boxed()
    })
    .needs(&[Need::Storage, Need::MissingRoot]),
    case("storage::root::a_missing_one_is_an_error_to_writers", 6, |cx| {
        a_missing_one_is_an_error_to_writers(cx).boxed()
    })
    .needs(&[Need::Storage, Need::MissingRoot]),
    case("storage::root::wrong_credentials_read_nothing", 6, |cx| wrong_credentials_read_nothing(cx).boxed())
        .needs(&[Need::Storage, Need::WrongCredentials]),
    case("storage::root::wrong_credentials_write_nothing", 6, |cx| wrong_credentials_write_nothing(cx).boxed())
        .needs(&[Need::Storage, Need::WrongCredentials]),
];

async fn a_missing_one_is_an_error_to_readers(cx: Context) -> Result<(), Failure> {
    match opened(&cx, cx.harness.missing_root.as_ref(), ErrorKind::Missing, "the root is missing").await? {
        Some(storage) => readers(&cx, &*storage, ErrorKind::Missing, "the root is missing").await,
        None => Ok(()),
    }
}

async fn a_missing_one_is_an_error_to_writers(cx: Context) -> Result<(), Failure> {
    match opened(&cx, cx.harness.missing_root.as_ref(), ErrorKind::Missing, "the root is missing").await? {
        Some(storage) => writers(&cx, &*storage, ErrorKind::Missing, "the root is missing").await,
        None => Ok(()),
    }
}

async fn wrong_credentials_read_nothing(cx: Context) -> Result<(), Failure> {
    super::look::created(&*cx.storage().await?, &cx.record("there")?, "there").await?;
    match opened(&cx, cx.harness.wrong_credentials.as_ref(), ErrorKind::Denied, "the credentials are wrong").await? {
        Some(storage) => readers(&cx, &*storage, ErrorKind::Denied, "the credentials are wrong").await,
        None => Ok(()),
    }
}

/// A refused write must also have done nothing: some servers make the file before they ask for the password.
async fn wrong_credentials_write_nothing(cx: Context) -> Result<(), Failure> {
    let right = cx.storage().await?;
    super::look::created(&*right, &cx.record("there")?, "there").await?;
    if let Some(wrong) =
        opened(&cx, cx.harness.wrong_credentials.as_ref(), ErrorKind::Denied, "the credentials are wrong").await?
    {
        writers(&cx, &*wrong, ErrorKind::Denied, "the credentials are wrong").await?;
    }
    absent(&*right, &cx.record("new")?, "was refused").await?;
    absent(&*right, &cx.blob("new")?, "was refused").await?;
    super::look::holds(&*right, &cx.record("there")?, b"there").await
}

/// The storage, or none if opening it already gave the error.
async fn opened(
    cx: &Context,
    open: Option<&OpenStorage>,
    kind: ErrorKind,
    what: &str,
) -> Result<Option<Arc<dyn Storage>>, Failure> {
    let Some(open) = open else {
        return Err(Failure::ignored("the harness does not open such a store"));
    };
    match open(cx.scratch.clone()).await {
        Ok(storage) => Ok(Some(Arc::new(Prefixed::new(cx.turns(storage), cx.prefix()?)))),
        Err(error) => is(Err::<(), _>(error), kind, what, "opening it").map(|()| None),
    }
}

async fn readers(cx: &Context, storage: &dyn Storage, kind: ErrorKind, what: &str) -> Result<(), Failure> {
    for key in [cx.record("there")?, cx.record("missing")?, cx.blob("missing")?] {
        is(storage.get(&key, ByteRange::ALL).await, kind, what, "a get")?;
        is(storage.get(&key, ByteRange::new(0, 5)).await, kind, what, "a get of a range")?;
    }
    is(storage.list(&Folder::ROOT, None).await, kind, what, "a list of the root")?;
    is(storage.list(&Folder::new("records")?, None).await, kind, what, "a list")?;
    is(storage.list(&Folder::new("no/such/folder")?, Some("5")).await, kind, what, "a list of a missing folder")
}

async fn writers(cx: &Context, storage: &dyn Storage, kind: ErrorKind, what: &str) -> Result<(), Failure> {
    is(storage.create(&cx.record("new")?, "new".into()).await, kind, what, "a create")?;
    is(storage.create(&cx.record("there")?, "new".into()).await, kind, what, "a create of a taken name")?;
    is(storage.put(&cx.blob("new")?, "new".into()).await, kind, what, "a put")?;
    is(storage.delete(&cx.record("there")?).await, kind, what, "a delete")?;
    is(storage.delete(&cx.blob("new")?).await, kind, what, "a delete")?;
    is(storage.get(&cx.record("new")?, ByteRange::ALL).await, kind, what, "a get after the writes")
}

/// The call failed, with this kind.
fn is<T>(called: Result<T, Error>, kind: ErrorKind, what: &str, call: &str) -> Result<(), Failure> {
    match called {
        Ok(_) => Err(Failure::new(format!("{what}, and {call} succeeds"))),
        Err(error) => {
            ensure!(error.kind() == kind, "{what}, and {call} fails with another kind than {kind}: {error}");
            Ok(())
        }
    }
}
