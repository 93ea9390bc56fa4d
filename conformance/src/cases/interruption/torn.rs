//! A `put` whose body ends half-way: nothing of it may ever be seen.

use bytes::Bytes;
use futures::future::FutureExt as _;
use longshore_core::{ObjectKey, Payload, Storage as _};

use crate::case::{Case, Group, Need, Rule};
use crate::context::{Context, at_most, read};
use crate::dice::Dice;
use crate::faults::{Fault, FaultStorage, Plan};
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] =
    &[Case::new("interruption::storage::a_cut_put_leaves_nothing", Group::Interruption, Rule::Storage(1), |cx| {
        a_cut_put(cx).boxed()
    })
    .needs(&[Need::Storage])];

async fn a_cut_put(cx: Context) -> Result<(), Failure> {
    let mut dice = Dice::for_purpose(cx.seed(), "torn");
    let largest = at_most(&*cx.storage().await?, cx.size().pick(1 << 20, 4 << 20, 64 << 20));
    for size in [2, 1000, 100_000, largest] {
        let bytes: Vec<u8> = (0..=size / 8).flat_map(|_| dice.next().to_le_bytes()).collect();
        one_size(&cx, Bytes::from(bytes).slice(..size)).await?;
    }
    Ok(())
}

async fn one_size(cx: &Context, bytes: Bytes) -> Result<(), Failure> {
    let (plan, key) = (Plan::new(cx.clock()), cx.blob(&format!("cut-{}", bytes.len()))?);
    let storage = FaultStorage::new(cx.storage().await?, &plan);
    cut(&storage, &plan, &key, &bytes).await?;
    let size = bytes.len();
    let there = there(cx, &key).await?;
    ensure!(
        there.is_none(),
        "of a put of {size} bytes that was cut, {} bytes are there",
        there.unwrap_or_default().len()
    );
    storage.put(&key, Payload::from(bytes.clone())).await?;
    cut(&storage, &plan, &key, &bytes).await?;
    let there = self::there(cx, &key).await?;
    ensure!(
        there.as_ref() == Some(&bytes),
        "{size} bytes were put; the same put again was cut, and now {:?} bytes are there",
        there.map(|there| there.len())
    );
    Ok(())
}

async fn cut(storage: &FaultStorage, plan: &Plan, key: &ObjectKey, bytes: &Bytes) -> Result<(), Failure> {
    plan.disarm();
    plan.arm(plan.calls(), Fault::Cut);
    let put = storage.put(key, Payload::from(bytes.clone())).await;
    ensure!(put.is_err(), "a put of {} bytes whose body broke off half-way was acknowledged", bytes.len());
    Ok(())
}

/// What another client sees.
async fn there(cx: &Context, key: &ObjectKey) -> Result<Option<Bytes>, Failure> {
    read(&*cx.storage().await?, key).await
}
