//! Long histories of several devices, with faults of every kind at random.

use futures::future::FutureExt as _;
use longshore_core::LockPolicy;

use super::device::Level;
use super::world::{World, judge_failure};
use crate::case::{Case, Group, Need, Rule};
use crate::context::Context;
use crate::dice::Dice;
use crate::faults::Fault;
use crate::verdict::{Failure, ensure};

/// Of a thousand calls so many meet a fault.
const OFTEN: usize = 60;
/// Documents that the devices quarrel about.
const DOCUMENTS: usize = 6;

/// Further histories at the most, where no fault was met.
const SPARE: usize = 20;

pub(super) const CASES: &[Case] = &[
    Case::new("interruption::storage::a_long_history_of_faults", Group::Interruption, Rule::Invariant(5), |cx| {
        histories(cx, Level::Storage).boxed()
    })
    .needs(&[Need::Storage]),
    Case::new("interruption::server::a_long_history_of_faults", Group::Interruption, Rule::Invariant(5), |cx| {
        histories(cx, Level::Server).boxed()
    }),
];

async fn histories(cx: Context, level: Level) -> Result<(), Failure> {
    let steps = cx.size().pick(12, 60, 200);
    let (mut met, mut round) = (0, 0);
    let rounds = cx.size().pick(1, 3, 40);
    // The dice may leave a short history in peace: then another one follows.
    while round < rounds || (met == 0 && round < rounds + SPARE) {
        let mut dice = Dice::for_purpose(cx.seed(), &format!("history {round}"));
        let mut world = World::new(&cx, level, 2 + dice.index(3));
        for device in &mut world.devices {
            device.plan.arm_at_random(dice.next(), OFTEN, &Fault::ALL);
            let policy = dice.one_of(&[LockPolicy::Contended, LockPolicy::Contended, LockPolicy::Always]);
            // On a clock of its own the server waits longer for the lease of a dead process than any client does here.
            device.policy = if cx.harness.real_time { LockPolicy::Contended } else { policy };
        }
        let lived = async {
            for step in 0..steps {
                act(&mut world, &mut dice, step).await?;
            }
            world.heal_and_judge().await
        };
        lived.await.map_err(|failure| failure.within(format!("history {round}, {}", world.story())))?;
        met += world.met();
        round += 1;
    }
    ensure!(met > 0, "no call met a fault: the case shows nothing");
    Ok(())
}

/// One device writes, deletes, syncs or starts anew.
async fn act(world: &mut World, dice: &mut Dice, step: usize) -> Result<(), Failure> {
    let device = dice.index(world.devices.len());
    let device = &mut world.devices[device];
    let id = format!("doc{}", dice.index(DOCUMENTS));
    match dice.index(10) {
        0..4 => device.put(&id, format!("{}-writes-{step}", device.name)).await,
        4 => device.delete(&id).await,
        5 => {
            device.restart();
            Ok(())
        }
        _ => {
            judge_failure(&device.sync().await?, &Fault::ALL)?;
            if device.plan.dead() {
                device.restart();
            }
            Ok(())
        }
    }
}
