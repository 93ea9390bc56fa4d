//! A client's machine: clocks that are off and drift, boots, and randomness of its own.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use longshore_core::{Job, Result, Runtime, Ticks};

use super::mix;
use super::time::{Time, lock};
use crate::dice::Dice;

const MILLION: i128 = 1_000_000;

/// How the clocks of a machine are wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clocks {
    /// What the clock that counts from the boot showed at first, in milliseconds.
    pub(super) origin: u64,
    /// How much too fast it runs, in millionths.
    pub(super) drift: i64,
    /// How much the wall clock is off, in milliseconds.
    pub(super) wall: i64,
}

pub(super) struct Machine {
    time: Time,
    name: String,
    drift: i64,
    wall: i64,
    state: Mutex<State>,
}

struct State {
    boots: u64,
    origin: u64,
    booted: u64,
    dice: Dice,
}

impl Machine {
    pub(super) fn new(time: &Time, name: &str, seed: u64, clocks: Clocks) -> Self {
        let state = State { boots: 1, origin: clocks.origin, booted: time.now(), dice: Dice::new(mix(&[seed, 77])) };
        let (time, name) = (time.clone(), name.to_owned());
        Self { time, name, drift: clocks.drift, wall: clocks.wall, state: Mutex::new(state) }
    }

    /// The machine starts anew: another boot, whose clock counts from its own beginning.
    pub(super) fn reboot(&self) {
        let mut state = lock(&self.state);
        state.boots += 1;
        state.origin = state.dice.below(10_000);
        state.booted = self.time.now();
    }

    fn millis(&self) -> u64 {
        let state = lock(&self.state);
        let passed = i128::from(self.time.now() - state.booted);
        let shown = passed * (MILLION + i128::from(self.drift)) / MILLION;
        state.origin.saturating_add(u64::try_from(shown).unwrap_or(0))
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Machine({})", self.name)
    }
}

#[async_trait]
impl Runtime for Machine {
    fn now(&self) -> Ticks {
        Ticks::from_millis(self.millis())
    }

    fn boot(&self) -> String {
        format!("{}-{}", self.name, lock(&self.state).boots)
    }

    fn wall(&self) -> u64 {
        1_700_000_000_000_u64.saturating_add_signed(self.wall).saturating_add(self.time.now())
    }

    fn random(&self, bytes: &mut [u8]) -> Result<()> {
        let mut state = lock(&self.state);
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&state.dice.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }

    async fn sleep(&self, time: Duration) {
        let until = self.now().after(time).as_millis();
        loop {
            let left = until.saturating_sub(self.millis());
            if left == 0 {
                return;
            }
            self.time.sleep(left).await;
        }
    }

    fn offload(&self, job: Job) {
        job();
    }
}
