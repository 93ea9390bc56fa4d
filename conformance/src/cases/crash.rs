//! Processes that are killed: those of the adapter, and the server behind it; and processes that race.

#[cfg(feature = "crash")]
mod course;
mod of_the_server;
#[cfg(feature = "crash")]
mod race;
#[cfg(feature = "crash")]
mod rounds;

use std::time::Duration;

use futures::future::FutureExt as _;

use crate::case::{Case, Group, Need, Rule};
#[cfg(not(feature = "crash"))]
use crate::{context::Context, verdict::Failure};

/// Servers take their time to start, and this one is started again and again.
const STARTING: Duration = Duration::from_secs(600);

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("crash::in_the_middle_of_a_push", Rule::Invariant(3), |cx| in_a_push(cx).boxed()),
        case("crash::in_the_middle_of_a_pull", Rule::Invariant(5), |cx| in_a_pull(cx).boxed()),
        // The lease of the dead runs out on the server's clock, and who waits for it does so on the suite's.
        case("crash::with_the_lease", Rule::Invariant(9), |cx| with_the_lease(cx).boxed())
            .needs(&[Need::OtherProcess, Need::VirtualTime]),
        case("crash::creators_in_other_processes_race", Rule::Storage(3), |cx| {
            creators_in_other_processes_race(cx).boxed()
        })
        .needs(&[Need::Storage, Need::OtherProcess]),
        Case::new("crash::of_the_server", Group::Crash, Rule::Invariant(2), |cx| {
            of_the_server::of_the_server(cx).boxed()
        })
        .needs(&[Need::Killable])
        .deadline(STARTING),
        Case::new("crash::of_a_part_of_the_server", Group::Crash, Rule::Invariant(2), |cx| {
            of_the_server::of_a_part(cx).boxed()
        })
        .needs(&[Need::KillablePart])
        .deadline(STARTING),
    ]
}

fn case(name: &'static str, rule: Rule, run: crate::case::CaseFn) -> Case {
    Case::new(name, Group::Crash, rule, run).needs(&[Need::OtherProcess])
}

#[cfg(feature = "crash")]
use race::creators_in_other_processes_race;
#[cfg(feature = "crash")]
use rounds::{in_a_pull, in_a_push, with_the_lease};

#[cfg(not(feature = "crash"))]
async fn in_a_push(_: Context) -> Result<(), Failure> {
    Err(without())
}

#[cfg(not(feature = "crash"))]
async fn in_a_pull(_: Context) -> Result<(), Failure> {
    Err(without())
}

#[cfg(not(feature = "crash"))]
async fn with_the_lease(_: Context) -> Result<(), Failure> {
    Err(without())
}

#[cfg(not(feature = "crash"))]
async fn creators_in_other_processes_race(_: Context) -> Result<(), Failure> {
    Err(without())
}

#[cfg(not(feature = "crash"))]
fn without() -> Failure {
    Failure::ignored("the suite was built without the feature `crash`")
}
