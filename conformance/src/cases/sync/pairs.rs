//! Every pair of an edit, a creation and a deletion, on two devices.

use futures::future::FutureExt as _;

use super::device::{Device, Fleet};
use super::verdict::sound;
use crate::case::{Case, Group, Rule};
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("sync::pairs::on_the_same_document", Group::Sync, Rule::Invariant(5), |cx| {
        on_the_same_document(cx).boxed()
    }),
    Case::new("sync::pairs::on_different_documents", Group::Sync, Rule::Invariant(5), |cx| {
        on_different_documents(cx).boxed()
    }),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Edit,
    /// The document is not there on this device.
    Create,
    Delete,
}

const DEEDS: [Deed; 3] = [Deed::Edit, Deed::Create, Deed::Delete];

/// All nine; in a quick run those of which neither is a creation, and two creations.
fn pairs(cx: &Context) -> impl Iterator<Item = (Deed, Deed)> + use<> {
    let all = DEEDS.into_iter().flat_map(|one| DEEDS.map(|other| (one, other)));
    all.step_by(cx.size().pick(2, 1, 1))
}

impl Deed {
    async fn do_on(self, device: &Device, id: &str, body: &'static str) -> Result<(), Failure> {
        if self == Self::Delete { device.delete(id).await } else { device.put(id, body).await }
    }
}

/// A conflict for the one that syncs second, unless both delete. Who creates what is there already meets that as well.
async fn on_the_same_document(cx: Context) -> Result<(), Failure> {
    for (one, other) in pairs(&cx) {
        let fleet = Fleet::new(&cx.fresh());
        let (first, second, setup) = (fleet.device().await?, fleet.device().await?, fleet.device().await?);
        let there = [one, other].iter().any(|deed| *deed != Deed::Create);
        if there {
            setup.put("doc", "base").await?;
            setup.sync().await?;
        }
        for (deed, device) in [(one, &first), (other, &second)] {
            if deed != Deed::Create {
                device.sync().await?;
            }
        }
        one.do_on(&first, "doc", "first").await?;
        other.do_on(&second, "doc", "second").await?;

        let expected =
            (u64::from(there && one == Deed::Create), u64::from((one, other) != (Deed::Delete, Deed::Delete)));
        let conflicts = (first.sync().await?.conflicts, second.sync().await?.conflicts);
        ensure!(
            conflicts == expected,
            "{one:?} and {other:?} of one document gave {conflicts:?} conflicts, not {expected:?}"
        );
        for device in [&first, &second, &setup] {
            let again = device.sync().await?.conflicts;
            ensure!(again == 0, "{one:?} and {other:?} gave a conflict once more, which was answered already");
        }
        sound(&fleet, &[&first, &second, &setup]).await?;
        let left = first.get("doc").await?.is_some();
        let edited = (one, other) != (Deed::Delete, Deed::Delete);
        ensure!(
            left == edited,
            "{one:?} and {other:?}: an edit survives a deletion, and the document is there: {left}"
        );
    }
    Ok(())
}

async fn on_different_documents(cx: Context) -> Result<(), Failure> {
    for (one, other) in pairs(&cx) {
        let fleet = Fleet::new(&cx.fresh());
        let (first, second) = (fleet.device().await?, fleet.device().await?);
        for (deed, id) in [(one, "one"), (other, "other")] {
            if deed != Deed::Create {
                first.put(id, format!("base of {id}")).await?;
            }
        }
        first.sync().await?;
        second.sync().await?;
        one.do_on(&first, "one", "first").await?;
        other.do_on(&second, "other", "second").await?;
        for device in [&first, &second, &first] {
            let report = device.sync().await?;
            ensure!(report.conflicts == 0, "{one:?} and {other:?} of two documents gave {report:?}");
        }
        sound(&fleet, &[&first, &second]).await?;
        for (deed, id) in [(one, "one"), (other, "other")] {
            let there = second.get(id).await?.is_some();
            ensure!(there == (deed != Deed::Delete), "after {deed:?} of {id:?} it is there: {there}");
        }
    }
    Ok(())
}
