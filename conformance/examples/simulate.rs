//! Lives simulated histories: `cargo run --release -p longshore-conformance --example simulate -- --seeds 0..10000`.
//!
//! | argument | effect |
//! | --- | --- |
//! | `--seeds 0..1000` | which histories; `7` is one |
//! | `--trace` | prints every step and every storage call of the first seed |
//! | `--clients 4..=6`, `--operations 50`, `--faults 24` | how large a history is; `--clients 2` is just so many |
//! | `--tries 600` | how often a failing history is lived again to make it smaller |
//!
//! It ends with what the histories came by, and on Linux with the processor seconds that they took: of ten thousand, 300 are the most
//! that they may take. A failure is printed with its replay command and the smallest history that was found.

#[path = "simulate/platform.rs"]
mod platform;

use std::process::ExitCode;

use longshore_conformance::simulation::Arguments;

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => simulate(&arguments),
        Err(why) => {
            eprintln!("simulate: {why}");
            ExitCode::from(2)
        }
    }
}

fn simulate(arguments: &Arguments) -> ExitCode {
    let simulation = arguments.simulation();
    if arguments.trace {
        simulation.trace(arguments.seeds.start).iter().for_each(|line| println!("{line}"));
    }
    let (mut fewest_faults, mut fewest_steps) = (u64::MAX, u64::MAX);
    let report = simulation.run_with(|seed, met| {
        fewest_faults = fewest_faults.min(met.faults());
        fewest_steps = fewest_steps.min(met.steps());
        if (seed + 1) % 100 == 0 {
            eprintln!("{} histories", seed + 1);
        }
    });
    print!("{}", report.coverage);
    if let Some(failure) = report.failure {
        println!("{failure}");
        return ExitCode::FAILURE;
    }
    println!("{} histories, no rule broken", report.lived);
    if report.lived > 0 {
        println!("at least {fewest_faults} faults and {fewest_steps} steps in each");
        if let Some(took) = platform::processor_time() {
            println!("{:.1} processor seconds", took.as_secs_f64());
        }
    }
    ExitCode::SUCCESS
}
