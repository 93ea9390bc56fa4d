//! Metadata under faults: a list to which two clients append by compare-and-swap. What was acknowledged is in it once, what was
//! refused is not, and what is unknown is in it at most once.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::future::FutureExt as _;
use longshore_core::{ErrorKind, Metadata, MetadataName, MetadataVersion, Outcome, Server};

use super::device::{Level, server};
use crate::case::{Case, Group, Need, Rule};
use crate::context::Context;
use crate::dice::Dice;
use crate::faults::{Fault, Plan};
use crate::verdict::{Failure, ensure};

/// Appends of each client.
const ROUNDS: usize = 3;
/// How often an undisturbed append may meet what lands late.
const TRIES: usize = 5;

pub(super) const CASES: &[Case] = &[
    Case::new("interruption::storage::writing_metadata", Group::Interruption, Rule::Invariant(3), |cx| {
        every_fault(cx, Level::Storage).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("interruption::server::writing_metadata", Group::Interruption, Rule::Invariant(3), |cx| {
        every_fault(cx, Level::Server).boxed()
    }),
];

#[derive(Default)]
struct Story {
    acknowledged: Vec<String>,
    refused: Vec<String>,
    written: usize,
}

/// At `Size::Full` every call meets every fault that fits it; at `Ci` and `Quick` some do, by the seed.
async fn every_fault(cx: Context, level: Level) -> Result<(), Failure> {
    let places = places(&cx, level).await?;
    for (call, fault) in Dice::for_purpose(cx.seed(), "metadata").sample(&places, cx.size().pick(2, 20, usize::MAX)) {
        let cx = cx.fresh();
        let plan = Plan::new(cx.clock());
        plan.arm(call, fault);
        let place = format!("call {call} {fault}");
        one_story(&cx, level, &plan).await.map_err(|failure| failure.within(&place))?;
        ensure!(plan.met() > 0, "{place}: no call met the fault");
    }
    Ok(())
}

/// The calls of an undisturbed story with every fault that fits.
async fn places(cx: &Context, level: Level) -> Result<Vec<(u64, Fault)>, Failure> {
    let plan = Plan::new(cx.clock());
    one_story(&cx.fresh(), level, &plan).await?;
    let fitting = plan.trace().into_iter().flat_map(|call| {
        let faults = Fault::ALL.into_iter().filter(move |fault| fault.fits(call.operation));
        faults.map(move |fault| (call.number, fault))
    });
    Ok(fitting.collect())
}

/// Two clients append in turns, one of them disturbed.
async fn one_story(cx: &Context, level: Level, plan: &Plan) -> Result<(), Failure> {
    let name = MetadataName::new("list")?;
    let calm = cx.ready_server().await?;
    let mut disturbed = server(cx, level, plan).await?;
    let mut story = Story::default();
    for round in 0..ROUNDS {
        append(&*calm, &name, &mut story).await?;
        if round == ROUNDS - 1 {
            plan.land().await;
        }
        append_disturbed(&*disturbed, plan, &name, &mut story).await?;
        if plan.dead() {
            plan.revive();
            disturbed = server(cx, level, plan).await?;
        }
    }
    plan.land().await;
    append(&*calm, &name, &mut story).await?;
    story.judge(calm.metadata_read(&name).await?)
}

/// Appends a word of its own to the list, and again if another was faster: what a dead process sent may land meanwhile.
async fn append(server: &dyn Server, name: &MetadataName, story: &mut Story) -> Result<(), Failure> {
    let word = story.word();
    for _ in 0..TRIES {
        match append_word(server, name, &word).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {
                story.acknowledged.push(word);
                return Ok(());
            }
        }
    }
    Err(Failure::new("a write of metadata that nobody disturbs is refused again and again"))
}

/// The same, once, whatever comes of it.
async fn append_disturbed(
    server: &dyn Server,
    plan: &Plan,
    name: &MetadataName,
    story: &mut Story,
) -> Result<(), Failure> {
    let word = story.word();
    let Some(Err(error)) = plan
        .alive(append_word(server, name, &word))
        .await
        .map(|written| written.inspect(|_| story.acknowledged.push(word.clone())))
    else {
        return Ok(());
    };
    // A call that was delivered twice is told of a conflict with itself.
    let conflict = error.kind() == ErrorKind::Conflict;
    ensure!(conflict || error.kind() == ErrorKind::Unavailable, "it says what no fault explains: {error}");
    if !conflict && error.outcome() == Outcome::NotApplied {
        story.refused.push(word);
    }
    Ok(())
}

async fn append_word(server: &dyn Server, name: &MetadataName, word: &str) -> longshore_core::Result<MetadataVersion> {
    let there = server.metadata_read(name).await?;
    let version = there.as_ref().map(|there| there.version);
    let mut bytes = there.map(|there| there.bytes.to_vec()).unwrap_or_default();
    bytes.extend_from_slice(format!("{word} ").as_bytes());
    server.metadata_write(name, version, Bytes::from(bytes)).await
}

impl Story {
    fn word(&mut self) -> String {
        self.written += 1;
        format!("word{}", self.written)
    }

    fn judge(&self, there: Option<Metadata>) -> Result<(), Failure> {
        let there = there.ok_or_else(|| Failure::new("the metadata is gone"))?;
        let text = String::from_utf8_lossy(&there.bytes).into_owned();
        let words: Vec<&str> = text.split_whitespace().collect();
        let once: BTreeSet<&str> = words.iter().copied().collect();
        ensure!(once.len() == words.len(), "a write was applied twice: {text}");
        ensure!(there.version.get() == words.len() as u64, "{} versions hold {text:?}", there.version.get());
        for word in &self.acknowledged {
            ensure!(once.contains(word.as_str()), "{word} was acknowledged and is not in {text:?}");
        }
        for word in &self.refused {
            ensure!(!once.contains(word.as_str()), "{word} was said not to be applied and is in {text:?}");
        }
        Ok(())
    }
}
