//! Trimming: the only place where entries are deleted.

use futures::stream::{self, StreamExt, TryStreamExt};

use super::records;
use super::wire::Wire;
use crate::error::{Error, ErrorKind, Result};
use crate::format::Layout;
use crate::model::Sequence;

pub(super) async fn entries(wire: &Wire, layout: &Layout, through: Sequence, dry_run: bool) -> Result<u64> {
    let floor = records::newest::<Sequence>(wire, &layout.snapshots()?).await?;
    if floor.is_none_or(|newest| newest < through) {
        let what = "no snapshot covers the entries that are to be deleted";
        return Err(Error::new(ErrorKind::Invalid, what).with_operation("trim").with_key(layout.entry(through)?));
    }
    let mut deleted = 0;
    for shard in shards(wire, layout, through).await? {
        let numbers = numbers(wire, layout, &shard, through).await?;
        deleted += numbers.len() as u64;
        if !dry_run {
            delete(wire, layout, numbers).await?;
        }
    }
    Ok(deleted)
}

/// The folders of the log that may hold entries up to this one, in order.
async fn shards(wire: &Wire, layout: &Layout, through: Sequence) -> Result<Vec<String>> {
    let mut shards = Vec::new();
    let last = format!("{:016}", Layout::shard_of(through));
    wire.walk(&layout.shards()?, |names| {
        let is_shard = |name: &&String| name.len() == last.len() && name.bytes().all(|byte| byte.is_ascii_digit());
        shards.extend(names.iter().filter(is_shard).filter(|name| **name <= last).cloned());
        None::<()>
    })
    .await?;
    shards.sort_unstable();
    Ok(shards)
}

async fn numbers(wire: &Wire, layout: &Layout, shard: &str, through: Sequence) -> Result<Vec<Sequence>> {
    let mut numbers = Vec::new();
    wire.walk(&layout.shard(shard)?, |names| {
        let found = names.iter().filter_map(|name| name.parse::<Sequence>().ok());
        numbers.extend(found.filter(|number| *number <= through));
        None::<()>
    })
    .await?;
    numbers.sort_unstable();
    Ok(numbers)
}

async fn delete(wire: &Wire, layout: &Layout, numbers: Vec<Sequence>) -> Result<()> {
    let parallel = wire.capabilities().parallelism.max(1);
    stream::iter(numbers)
        .map(|number| async move { wire.delete(&layout.entry(number)?).await })
        .buffered(parallel)
        .try_for_each(|_| async { Ok(()) })
        .await
}
