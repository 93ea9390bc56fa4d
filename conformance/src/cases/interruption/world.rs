//! Some devices on one store, how they heal, and what must be true then.

use std::collections::BTreeSet;

use bytes::Bytes;
use longshore_core::{Change, DocumentId, ErrorKind};

use super::device::{Device, Ended, Level, Notebook};
use crate::case::Rule;
use crate::cases::oracle;
use crate::context::Context;
use crate::faults::Fault;
use crate::harness::Subject;
use crate::litter;
use crate::verdict::{Failure, ensure};

/// Rounds of syncs after which everything must be quiet.
const ROUNDS: usize = 8;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

pub(super) struct World {
    cx: Context,
    notebook: Notebook,
    pub(super) devices: Vec<Device>,
}

impl World {
    /// So many new devices on an empty store of their own.
    pub(super) fn new(cx: &Context, level: Level, devices: usize) -> Self {
        let (cx, notebook) = (cx.fresh(), Notebook::default());
        let devices = NAMES.iter().take(devices).map(|name| Device::new(name, &cx, level, &notebook)).collect();
        Self { cx, notebook, devices }
    }

    /// How many calls met a fault.
    pub(super) fn met(&self) -> u64 {
        self.devices.iter().map(|device| device.plan.met()).sum()
    }

    /// Which calls met a fault.
    pub(super) fn story(&self) -> String {
        let met = self.devices.iter().flat_map(|device| {
            let calls = device.plan.trace().into_iter().filter(|call| call.fault.is_some());
            calls.map(|call| format!("{} of device {}", call, device.name))
        });
        let met: Vec<String> = met.collect();
        if met.is_empty() { "undisturbed".to_owned() } else { format!("after {}", met.join("; ")) }
    }

    /// The faults end, late writes land, every process starts anew and syncs until nothing moves any more. Then the verdict.
    pub(super) async fn heal_and_judge(&mut self) -> Result<(), Failure> {
        for device in &mut self.devices {
            device.plan.disarm();
            device.plan.land().await;
            device.restart();
        }
        self.settle().await?;
        self.judge().await?;
        self.tidy().await
    }

    /// Removes what this run left. A case has thousands of runs, too many to keep until its end.
    async fn tidy(&self) -> Result<(), Failure> {
        match &self.cx.harness.subject {
            Subject::Storage(_) => {
                litter::clean(&*self.cx.outer().await?, &self.cx.prefix()?, self.cx.at_once(litter::AT_ONCE)).await
            }
            Subject::Server(_) => Ok(()),
        }
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        for _ in 0..ROUNDS {
            let mut moved = 0;
            for device in &mut self.devices {
                let report = match device.sync().await? {
                    Ended::Done(report) => report,
                    Ended::Failed(error) => {
                        return Err(Failure::from(error).within(format!("healed device {} syncs", device.name)));
                    }
                    Ended::Gone => return Err(Failure::new("a process died after everything healed")),
                };
                // An attempt that was forgotten would come back as a stranger's entry under the device's own name.
                ensure!(!report.cloned, "device {} took itself for a copy: it forgot what it had sent", device.name);
                moved += report.pulled + report.pushed + report.conflicts;
            }
            if moved == 0 {
                return Ok(());
            }
        }
        Err(Failure::new(format!("after {ROUNDS} rounds of undisturbed syncs something still moves")))
    }

    /// I2 to I6 and I8.
    async fn judge(&mut self) -> Result<(), Failure> {
        let server = self.cx.server().await?;
        let log = oracle::log(&*server).await?;
        let expected = oracle::fold(&log);
        for device in &mut self.devices {
            let (pending, conflicts) = device.left_over().await?;
            let name = device.name;
            ensure!(pending == 0, "device {name} has {pending} pending changes after everything was synced");
            ensure!(conflicts == 0, "device {name} has {conflicts} conflicts after all were answered");
            oracle::equal(&format!("device {name}"), &device.documents(), &expected)?;
        }
        oracle::committed_once(&log)?;
        self.nothing_dropped(&log)?;
        self.told_once()
    }

    /// Every write is in the log, or its user replaced it before it was pushed, or an app was told of it. (I2, I4)
    fn nothing_dropped(&self, log: &[Change]) -> Result<(), Failure> {
        let logged: BTreeSet<(&DocumentId, &Bytes)> =
            log.iter().filter_map(|change| Some((&change.id, change.action.body()?))).collect();
        let notes = self.notebook.open();
        for (id, body) in &notes.written {
            let known = logged.contains(&(id, body))
                || notes.replaced.contains(body)
                || notes.sides.contains(&(id.clone(), Some(body.clone())));
            if !known {
                let seen = format!("the write {} of document {id} was dropped, and nobody told", oracle::short(body));
                return Err(Failure::new(seen).with_rule(Rule::Invariant(4)));
            }
        }
        Ok(())
    }

    /// A conflict whose answer was acknowledged is not told again.
    fn told_once(&self) -> Result<(), Failure> {
        for ((device, id, entry), times) in &self.notebook.open().told {
            ensure!(*times == 1, "device {device} was told {times} times of one conflict on {id} with entry {entry}");
        }
        Ok(())
    }
}

/// A sync may fail while calls fail, but only as the fault explains: damage, a replaced store or a defect may not be made up.
pub(super) fn judge_failure(ended: &Ended, faults: &[Fault]) -> Result<(), Failure> {
    let Ended::Failed(error) = ended else { return Ok(()) };
    let stale = faults.contains(&Fault::Stale);
    let explained = match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Locked => true,
        ErrorKind::Replaced | ErrorKind::Corrupt | ErrorKind::Conflict => stale,
        _ => false,
    };
    ensure!(explained, "the sync says what no fault explains: {error} [{:?}]", error.outcome());
    Ok(())
}

/// Of so many stories with faults so many met one: a case whose faults meet no call passes over anything.
pub(super) fn shows_enough(met: u64, all: u64) -> Result<(), Failure> {
    ensure!(
        met > 0 && met * 10 >= all * 9,
        "in only {met} of {all} stories a call met its fault: the case shows little"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_that_meet_no_call_show_nothing() {
        assert_eq!(shows_enough(9, 10), Ok(()));
        for (met, all) in [(8, 10), (0, 1), (0, 0)] {
            assert!(shows_enough(met, all).is_err(), "{met} of {all}");
        }
    }
}
