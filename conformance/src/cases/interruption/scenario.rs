//! The scripted stories: what two devices do between their syncs.

use std::sync::OnceLock;

use longshore_core::Document;

use super::device::{Device, Ended};
use super::world::{World, judge_failure};
use crate::case::Size;
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
    /// Three hundred documents that do not fit into an entry: a segment.
    Bulk,
    Nothing,
}

/// Who syncs after which act.
pub(super) type Story = &'static [(Act, usize)];

/// The day of two devices.
const DAY: Story = &[
    (Act::Create, 0),
    (Act::Nothing, 1),
    (Act::Edit, 1),
    (Act::Delete, 0),
    (Act::BothCreate, 0),
    (Act::Nothing, 1),
    (Act::BothEdit, 1),
    (Act::Bulk, 0),
    (Act::Nothing, 1),
];

/// The parts of a day that most goes wrong in.
const SHORT_DAY: Story = &[(Act::Create, 0), (Act::Nothing, 1), (Act::Delete, 0), (Act::BothEdit, 1)];

/// The shortest: one push, one pull.
pub(super) const PUSH_AND_PULL: Story = &[(Act::Create, 0), (Act::Nothing, 1)];

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

/// Goes through the story. A sync may fail or die; the story goes on in a new process.
pub(super) async fn live(world: &mut World, story: Story, faults: &[Fault]) -> Result<(), Failure> {
    for (act, who) in story {
        step(world, *act).await?;
        let ended = world.devices[*who].sync().await?;
        judge_failure(&ended, faults)?;
        world.devices[*who].restart();
    }
    Ok(())
}

pub(super) async fn step(world: &World, act: Act) -> Result<(), Failure> {
    act.done_by(&world.devices[0], &world.devices[1]).await
}

/// As [`live`], undisturbed: every sync must succeed.
pub(super) async fn live_undisturbed(world: &mut World, story: Story) -> Result<(), Failure> {
    for (act, who) in story {
        step(world, *act).await?;
        match world.devices[*who].sync().await? {
            Ended::Done(_) => world.devices[*who].restart(),
            Ended::Failed(error) => return Err(error.into()),
            Ended::Gone => return Err(Failure::new("a process died, and nobody killed it")),
        }
    }
    Ok(())
}
