//! After an acknowledged write, every read sees it.

use futures::future::FutureExt as _;
use longshore_core::Folder;

use super::case;
use super::look::{absent, created, holds, lists, names, two};
use crate::case::Case;
use crate::context::{Context, put};
use crate::verdict::Failure;

pub(super) const CASES: &[Case] = &[
    case("storage::visible::to_a_client_that_looked_before", 2, |cx| to_a_client_that_looked_before(cx).boxed()),
    case("storage::visible::to_a_client_that_comes_later", 2, |cx| to_a_client_that_comes_later(cx).boxed()),
    case("storage::visible::every_acknowledged_write", 2, |cx| every_acknowledged_write(cx).boxed()),
    case("storage::visible::in_a_listing_read_before", 2, |cx| in_a_listing_read_before(cx).boxed()),
];

/// A poll asks for the next number again and again: no "nothing there" may outlive the write.
async fn to_a_client_that_looked_before(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for round in 0..cx.size().pick(10, 40, 200) {
        let (record, blob) = (cx.record(&format!("next-{round}"))?, cx.blob(&format!("next-{round}"))?);
        for client in [&mine, &yours] {
            absent(&**client, &record, "was not written yet").await?;
            absent(&**client, &blob, "was not written yet").await?;
        }
        created(&*mine, &record, format!("record {round}")).await?;
        put(&*mine, &blob, format!("blob {round}")).await?;
        for client in [&yours, &mine] {
            holds(&**client, &record, format!("record {round}").as_bytes()).await?;
            holds(&**client, &blob, format!("blob {round}").as_bytes()).await?;
        }
    }
    Ok(())
}

async fn to_a_client_that_comes_later(cx: Context) -> Result<(), Failure> {
    let mine = cx.storage().await?;
    for round in 0..cx.size().pick(5, 20, 100) {
        let (record, blob) = (cx.record(&format!("kept-{round}"))?, cx.blob(&format!("kept-{round}"))?);
        created(&*mine, &record, format!("record {round}")).await?;
        put(&*mine, &blob, format!("blob {round}")).await?;
        let later = cx.storage().await?;
        holds(&*later, &record, format!("record {round}").as_bytes()).await?;
        holds(&*later, &blob, format!("blob {round}").as_bytes()).await?;
    }
    Ok(())
}

/// Nothing that was acknowledged is lost among many.
async fn every_acknowledged_write(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let writes = cx.size().pick(20, 120, 2_000);
    for at in 0..writes {
        let client = if at % 3 == 0 { &yours } else { &mine };
        created(&**client, &cx.record(&format!("{at}"))?, format!("record {at}")).await?;
        put(&**client, &cx.blob(&format!("{at}"))?, format!("blob {at}")).await?;
    }
    for at in 0..writes {
        holds(&*yours, &cx.record(&format!("{at}"))?, format!("record {at}").as_bytes()).await?;
        holds(&*mine, &cx.blob(&format!("{at}"))?, format!("blob {at}").as_bytes()).await?;
    }
    Ok(())
}

async fn in_a_listing_read_before(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let (records, blobs) = (Folder::new("records")?, Folder::new("segments/0")?);
    let mut wanted = Vec::new();
    for round in 0..cx.size().pick(5, 20, 100) {
        wanted.push(format!("{round:04}"));
        created(&*mine, &cx.record(&format!("{round:04}"))?, "record").await?;
        put(&*mine, &cx.blob(&format!("{round:04}"))?, "blob").await?;
        for client in [&yours, &mine] {
            lists(&records, &names(&**client, &records).await?, &wanted)?;
            lists(&blobs, &names(&**client, &blobs).await?, &wanted)?;
        }
    }
    Ok(())
}
