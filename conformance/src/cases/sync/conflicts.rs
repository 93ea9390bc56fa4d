//! Conflicts: told once, to one side, with base, local and remote; and the app's answer counts.

use bytes::Bytes;
use futures::future::FutureExt as _;
use longshore_core::{Answer, BaseVersion, Change, Conflict, Document, MemoryReplica, Revision, Version};

use super::device::{Conflicts, Device, Fleet, Habits};
use super::verdict::sound;
use crate::case::{Case, Group, Rule};
use crate::context::Context;
use crate::verdict::{Failure, ensure};

pub(super) const CASES: &[Case] = &[
    Case::new("sync::conflicts::told_once_with_all_three_sides", Group::Sync, Rule::Invariant(4), |cx| {
        told_once_with_all_three_sides(cx).boxed()
    }),
    Case::new("sync::conflicts::equal_changes_are_none", Group::Sync, Rule::Invariant(4), |cx| {
        equal_changes_are_none(cx).boxed()
    }),
    Case::new("sync::conflicts::every_answer_does_what_it_says", Group::Sync, Rule::Invariant(4), |cx| {
        every_answer_does_what_it_says(cx).boxed()
    }),
    Case::new("sync::conflicts::an_open_one_holds_nothing_else_back", Group::Sync, Rule::Invariant(2), |cx| {
        an_open_one_holds_nothing_else_back(cx).boxed()
    }),
];

/// What a device does to the document; `None` deletes it. The revision is always the same, and must not decide.
async fn change(device: &Device, body: Option<&'static str>) -> Result<(), Failure> {
    let Some(body) = body else { return device.delete("doc").await };
    let document = Document::new("doc", body)?.with_revision(Revision::new("4")?);
    device.write(vec![Change::put(document)]).await
}

/// Two devices that changed the document since they were in step; the first has synced.
async fn both_change(
    cx: &Context,
    base: Option<&'static str>,
    mine: Option<&'static str>,
    yours: Option<&'static str>,
    conflicts: Conflicts,
) -> Result<(Fleet, Device, Device), Failure> {
    let fleet = Fleet::new(&cx.fresh());
    let habits = Habits { conflicts, ..Habits::default() };
    let (first, second) = (fleet.device().await?, fleet.device_as(MemoryReplica::new(), habits).await?);
    if base.is_some() {
        change(&first, base).await?;
    }
    first.sync().await?;
    second.sync().await?;
    change(&first, mine).await?;
    change(&second, yours).await?;
    let report = first.sync().await?;
    ensure!(report.pushed == 1 && report.conflicts == 0, "the first to push gave {report:?}");
    Ok((fleet, first, second))
}

fn text(version: &Version) -> Option<Bytes> {
    match version {
        Version::Present(document) => Some(document.body.clone()),
        Version::Deleted => None,
    }
}

fn base_text(base: &BaseVersion) -> Option<Bytes> {
    match base {
        BaseVersion::Known(document) => Some(document.body.clone()),
        _ => None,
    }
}

async fn told_once_with_all_three_sides(cx: Context) -> Result<(), Failure> {
    let stories = [
        (Some("base"), Some("first"), Some("second")),
        (Some("base"), None, Some("second")),
        (Some("base"), Some("first"), None),
        (None, Some("first"), Some("second")),
    ];
    for (base, mine, yours) in stories {
        let (fleet, first, mut second) = both_change(&cx, base, mine, yours, Conflicts::Wait).await?;
        let story = format!("{base:?} became {mine:?} on the first device and {yours:?} on the second");
        let report = second.sync().await?;
        let counts = (report.conflicts, report.unresolved, report.pushed);
        ensure!(counts == (1, 1, 0), "{story}: the second one's sync gave {report:?}");
        sides(&second, &story, base, mine, yours).await?;
        for _ in 0..2 {
            second.restart().await?;
            let again = second.sync().await?;
            let counts = (again.conflicts, again.unresolved, again.pushed);
            ensure!(counts == (0, 1, 0), "{story}: a conflict that waits gave {again:?}");
            sides(&second, &story, base, mine, yours).await?;
        }
        second.habits.conflicts = Conflicts::Merged;
        second.restart().await?;
        let resolved = second.sync().await?.resolved;
        ensure!(resolved == 1, "{story}: one conflict was answered, and {resolved} are reported");
        let other = first.sync().await?;
        ensure!(other.conflicts == 0, "{story}: the other side was told of it too: {other:?}");
        sound(&fleet, &[&first, &second]).await?;
    }
    Ok(())
}

async fn sides(
    device: &Device,
    story: &str,
    base: Option<&'static str>,
    mine: Option<&'static str>,
    yours: Option<&'static str>,
) -> Result<(), Failure> {
    let waiting = device.client.conflicts().await?;
    ensure!(waiting == ["doc".try_into()?], "{story}: in conflict are {waiting:?}");
    let found: Option<Conflict> = device.client.conflict(&waiting[0]).await?;
    let Some(found) = found else {
        return Err(Failure::new(format!("{story}: the conflict is listed, and not there")));
    };
    let seen = (base_text(&found.base), text(&found.local), text(&found.remote));
    let bytes = |text: Option<&'static str>| text.map(Bytes::from);
    ensure!(seen == (bytes(base), bytes(yours), bytes(mine)), "{story}: base, local and remote are {seen:?}");
    let new = found.base == BaseVersion::New;
    ensure!(new == base.is_none(), "{story}: the base is {:?}", found.base);
    Ok(())
}

async fn equal_changes_are_none(cx: Context) -> Result<(), Failure> {
    for (base, both) in [(Some("base"), Some("same")), (Some("base"), None), (None, Some("same"))] {
        let (fleet, first, second) = both_change(&cx, base, both, both, Conflicts::Wait).await?;
        let report = second.sync().await?;
        let counts = (report.conflicts, report.pushed);
        ensure!(
            counts == (0, 0),
            "{base:?} became {both:?} on both devices, and the second one's sync gave {report:?}"
        );
        let report = first.sync().await?;
        ensure!(
            report.pulled == 0,
            "{base:?} became {both:?} on both devices, and the first pulled something: {report:?}"
        );
        sound(&fleet, &[&first, &second]).await?;
    }
    Ok(())
}

async fn every_answer_does_what_it_says(cx: Context) -> Result<(), Failure> {
    let merged = Answer::Merge { revision: None, body: "joined".into() };
    let copy = Answer::KeepBoth { copy: "copy".try_into()? };
    let answers = [
        (Answer::KeepLocal, "second", None),
        (Answer::TakeRemote, "first", None),
        (merged, "joined", None),
        (copy, "first", Some("second")),
    ];
    for (answer, expected, copied) in answers {
        let conflicts = Conflicts::Answered(answer.clone());
        let (fleet, first, second) = both_change(&cx, Some("base"), Some("first"), Some("second"), conflicts).await?;
        let report = second.sync().await?;
        ensure!((report.conflicts, report.resolved, report.unresolved) == (1, 1, 0), "{answer:?} gave {report:?}");
        first.sync().await?;
        for device in [&first, &second] {
            let there = (device.get("doc").await?, device.get("copy").await?);
            ensure!((there.0.as_deref(), there.1.as_deref()) == (Some(expected), copied), "{answer:?} left {there:?}");
        }
        sound(&fleet, &[&first, &second]).await?;
    }
    Ok(())
}

/// Other documents go through in both directions while one waits, and the waiting one learns of newer remote versions.
async fn an_open_one_holds_nothing_else_back(cx: Context) -> Result<(), Failure> {
    let (fleet, first, mut second) =
        both_change(&cx, Some("base"), Some("first"), Some("second"), Conflicts::Answered(Answer::Later)).await?;
    second.put("mine", "goes up").await?;
    first.put("yours", "comes down").await?;
    first.sync().await?;
    let report = second.sync().await?;
    let counts = (report.conflicts, report.unresolved, report.pushed);
    ensure!(counts == (1, 1, 1), "beside a conflict that waits, another document was written: {report:?}");
    let seen = (second.get("doc").await?, second.get("yours").await?);
    let expected = (Some("second"), Some("comes down"));
    ensure!(
        (seen.0.as_deref(), seen.1.as_deref()) == expected,
        "beside a conflict that waits, the device has {seen:?}"
    );

    change(&first, Some("first, newer")).await?;
    first.sync().await?;
    second.sync().await?;
    sides(&second, "the remote side moved on", Some("base"), Some("first, newer"), Some("second")).await?;
    second.habits.conflicts = Conflicts::Merged;
    second.restart().await?;
    second.sync().await?;
    first.sync().await?;
    sound(&fleet, &[&first, &second]).await?;
    let there = first.get("mine").await?;
    ensure!(there.as_deref() == Some("goes up"), "the other document did not arrive: {there:?}");
    Ok(())
}
