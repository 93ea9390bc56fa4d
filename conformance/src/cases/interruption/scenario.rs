//! The scripted stories: what two devices do between their syncs.

use std::sync::OnceLock;
use std::time::Duration;

use longshore_core::Document;

use super::device::{Device, Ended};
use super::world::{World, judge_failure};
use crate::case::{Rule, Size};
use crate::dice::Dice;
use crate::faults::Fault;
use crate::verdict::Failure;

/// What a user does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Create,
    Edit,
    Delete,
    /// Both create the same id.
    BothCreate,
    /// Both edit the same document from the same base.
    BothEdit,
    /// The first writes a document that only it writes: its so many-th version.
    Own(u32),
    /// Three hundred documents that do not fit into an entry: a segment.
    Bulk,
    Nothing,
}

/// Who syncs after which act, and in which processes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Story {
    pub(super) steps: &'static [(Act, usize)],
    /// How long the processes wait after each sync; without it each sync has a process of its own.
    stays_open: Option<Duration>,
}

/// The day of two devices.
const DAY: Story = Story::of_processes(&[
    (Act::Create, 0),
    (Act::Nothing, 1),
    (Act::Edit, 1),
    (Act::Delete, 0),
    (Act::BothCreate, 0),
    (Act::Nothing, 1),
    (Act::BothEdit, 1),
    (Act::Bulk, 0),
    (Act::Nothing, 1),
]);

/// The parts of a day that most goes wrong in.
const SHORT_DAY: Story =
    Story::of_processes(&[(Act::Create, 0), (Act::Nothing, 1), (Act::Delete, 0), (Act::BothEdit, 1)]);

/// The shortest: one push, one pull.
pub(super) const PUSH_AND_PULL: Story = Story::of_processes(&[(Act::Create, 0), (Act::Nothing, 1)]);

/// Clients that stay open push without a poll: one alone, one that another was faster than, one that meets a conflict so.
pub(super) const OPEN_CLIENTS: Story = Story::of_clients(&[
    (Act::Create, 0),
    (Act::Nothing, 1),
    (Act::Own(1), 0),
    (Act::BothEdit, 1),
    (Act::Nothing, 0),
    (Act::Own(2), 0),
    (Act::Own(3), 0),
    (Act::Nothing, 1),
]);

/// The shortest of those: one push without a poll, and its pull.
pub(super) const OPEN_PUSH_AND_PULL: Story =
    Story::of_clients(&[(Act::Create, 0), (Act::Nothing, 1), (Act::Own(1), 0), (Act::Nothing, 1)]);

/// Longer than a client rests between pushes without a poll.
const REST: Duration = Duration::from_secs(2);

impl Story {
    const fn of_processes(steps: &'static [(Act, usize)]) -> Self {
        Self { steps, stays_open: None }
    }

    const fn of_clients(steps: &'static [(Act, usize)]) -> Self {
        Self { steps, stays_open: Some(REST) }
    }

    /// Its first steps, and those after them.
    pub(super) fn split_at(self, step: usize) -> (Self, Self) {
        let (before, after) = self.steps.split_at(step);
        (Self { steps: before, ..self }, Self { steps: after, ..self })
    }
}

pub(super) fn day(size: Size) -> Story {
    size.pick(SHORT_DAY, DAY, DAY)
}

impl Act {
    async fn done_by(self, a: &Device, b: &Device) -> Result<(), Failure> {
        match self {
            Self::Create => {
                for number in 0..3 {
                    a.put(&format!("doc{number}"), format!("a-creates-{number}")).await?;
                }
                Ok(())
            }
            Self::Edit => b.put("doc0", "b-edits-0".to_owned()).await,
            Self::Delete => a.delete("doc1").await,
            Self::BothCreate => {
                a.put("both", "a-creates-both".to_owned()).await?;
                b.put("both", "b-creates-both".to_owned()).await
            }
            Self::BothEdit => {
                a.put("doc2", "a-edits-2".to_owned()).await?;
                b.put("doc2", "b-edits-2".to_owned()).await
            }
            Self::Own(version) => a.put("own", format!("a-writes-its-own-{version}")).await,
            Self::Bulk => a.put_many(bulk()?).await,
            Self::Nothing => Ok(()),
        }
    }
}

/// Bodies that do not compress to nothing.
fn bulk() -> Result<Vec<Document>, Failure> {
    static BODIES: OnceLock<Vec<String>> = OnceLock::new();
    let body = |number: usize| {
        let mut dice = Dice::for_purpose(number as u64, "bulk");
        (0..230).fold(format!("bulk-{number}-"), |text, _| text + &format!("{:016x}", dice.next()))
    };
    let bodies = BODIES.get_or_init(|| (0..300).map(body).collect());
    let documents =
        bodies.iter().enumerate().map(|(number, body)| Document::new(format!("bulk/{number}"), body.clone()));
    Ok(documents.collect::<Result<_, _>>()?)
}

/// Goes through the story. A sync may fail or die; the story goes on, if need be in a new process.
pub(super) async fn live(world: &mut World, story: Story, faults: &[Fault]) -> Result<(), Failure> {
    for (act, who) in story.steps {
        step(world, *act).await?;
        let ended = world.devices[*who].sync().await?;
        judge_failure(&ended, faults)?;
        if matches!(ended, Ended::Done(_)) {
            nothing_waits(world, *who).await?;
        }
        rest(world, story, *who);
    }
    Ok(())
}

/// Every conflict is answered at once, and no app writes while it syncs.
async fn nothing_waits(world: &mut World, who: usize) -> Result<(), Failure> {
    let device = &mut world.devices[who];
    let (pending, conflicts) = device.left_over().await?;
    let name = device.name;
    if (pending, conflicts) == (0, 0) {
        return Ok(());
    }
    let seen = format!("device {name} synced, and {pending} changes are pending and {conflicts} conflicts open");
    Err(Failure::new(seen).with_rule(Rule::Invariant(2)))
}

pub(super) async fn step(world: &World, act: Act) -> Result<(), Failure> {
    act.done_by(&world.devices[0], &world.devices[1]).await
}

/// What comes between two syncs: another process, or only a while.
pub(super) fn rest(world: &mut World, story: Story, who: usize) {
    let device = &mut world.devices[who];
    match story.stays_open {
        Some(time) if !device.plan.dead() => device.pass(time),
        _ => device.restart(),
    }
}

/// As [`live`], undisturbed: every sync must succeed.
pub(super) async fn live_undisturbed(world: &mut World, story: Story) -> Result<(), Failure> {
    for (act, who) in story.steps {
        step(world, *act).await?;
        match world.devices[*who].sync().await? {
            Ended::Done(_) => rest(world, story, *who),
            Ended::Failed(error) => return Err(error.into()),
            Ended::Gone => return Err(Failure::new("a process died, and nobody killed it")),
        }
    }
    Ok(())
}
