//! Many calls at once: each gets its own answer.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::{FutureExt as _, join_all, try_join_all};
use longshore_core::{Created, Folder, Storage};

use super::case;
use super::hunt::put_in_pieces;
use super::look::{holds, lists, names, pattern, two};
use crate::case::Case;
use crate::context::{Context, put};
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    case("storage::at_once::each_write_is_kept", 2, |cx| each_write_is_kept(cx).boxed()),
    case("storage::at_once::each_read_gets_its_own_bytes", 1, |cx| each_read_gets_its_own_bytes(cx).boxed()),
    case("storage::at_once::the_first_into_a_folder_all_come_in", 2, |cx| {
        the_first_into_a_folder_all_come_in(cx).boxed()
    }),
    case("storage::at_once::puts_of_one_name_leave_it_whole", 1, |cx| puts_of_one_name_leave_it_whole(cx).boxed()),
];

fn body(at: usize) -> Bytes {
    pattern(1_000 + 37 * at, at as u64)
}

async fn each_write_is_kept(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for round in 0..cx.size().pick(2, 10, 50) {
        let writes = (0..cx.racers(16)).map(|at| {
            let (mine, cx) = (Arc::clone(&mine), cx.clone());
            tokio::spawn(async move {
                let answer = mine.create(&cx.record(&format!("{round}-{at}"))?, body(at)).await?.value;
                ensure!(answer == Created::Created, "a name that nobody else has was answered with {answer:?}");
                put(&*mine, &cx.blob(&format!("{round}-{at}"))?, body(at + 1)).await
            })
        });
        for written in join_all(writes).await {
            written.map_err(|error| Failure::new(format!("a writer ended early: {error}")))??;
        }
        for at in 0..cx.racers(16) {
            holds(&*yours, &cx.record(&format!("{round}-{at}"))?, &body(at)).await?;
            holds(&*yours, &cx.blob(&format!("{round}-{at}"))?, &body(at + 1)).await?;
        }
    }
    Ok(())
}

async fn each_read_gets_its_own_bytes(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    let readers = cx.racers(16);
    for at in 0..readers {
        put(&*mine, &cx.blob(&format!("{at}"))?, body(at)).await?;
    }
    for _ in 0..cx.size().pick(3, 20, 100) {
        let reads = (0..readers).map(|at| {
            let (yours, cx) = (Arc::clone(&yours), cx.clone());
            tokio::spawn(async move { holds(&*yours, &cx.blob(&format!("{at}"))?, &body(at)).await })
        });
        for read in join_all(reads).await {
            read.map_err(|error| Failure::new(format!("a reader ended early: {error}")))??;
        }
    }
    Ok(())
}

/// The folder itself may have to be made first, and each of them may try to.
async fn the_first_into_a_folder_all_come_in(cx: Context) -> Result<(), Failure> {
    for _ in 0..cx.size().pick(3, 10, 50) {
        let place = cx.fresh();
        let folder = Folder::new("records")?;
        let (mut clients, count) = (Vec::new(), cx.racers(8));
        for _ in 0..count {
            clients.push(place.storage().await?);
        }
        let writes = clients.iter().enumerate().map(|(at, client)| {
            let (client, place) = (Arc::clone(client), place.clone());
            tokio::spawn(async move {
                client.create(&place.record(&format!("{at}"))?, body(at)).await.map_err(Failure::from)
            })
        });
        for written in join_all(writes).await {
            written.map_err(|error| Failure::new(format!("a writer ended early: {error}")))??;
        }
        let wanted: Vec<String> = (0..count).map(|at| at.to_string()).collect();
        lists(&folder, &names(&*clients[0], &folder).await?, &wanted)?;
    }
    Ok(())
}

/// A lost reply makes a client put again what is still being put: neither may write into what the other is writing.
async fn puts_of_one_name_leave_it_whole(cx: Context) -> Result<(), Failure> {
    let (mine, yours) = two(&cx).await?;
    for round in 0..cx.size().pick(3, 20, 100) {
        let key = cx.blob(&format!("shared-{round}"))?;
        let bytes = pattern(300_000, cx.seed() + round);
        let puts = (0..cx.racers(4)).map(|at| put_in_pieces(if at % 2 == 0 { &*mine } else { &*yours }, &key, &bytes));
        try_join_all(puts).await?;
        for client in [&mine, &yours] {
            holds(&**client, &key, &bytes).await?;
        }
    }
    Ok(())
}
