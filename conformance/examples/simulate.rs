//! Lives simulated histories: `cargo run --release -p longshore-conformance --example simulate -- --seeds 0..10000`.
//!
//! | argument | effect |
//! | --- | --- |
//! | `--seeds 0..1000` | which histories; `7` is one |
//! | `--trace` | prints every step and every storage call of the first seed |
//! | `--clients 2..6`, `--operations 50`, `--faults 16` | how large a history is |
//!
//! It ends with what the histories came by. A failure is printed with its replay command and the smallest history that was found.

use std::ops::Range;
use std::process::ExitCode;

use longshore_conformance::simulation::{Options, Simulation};

struct Arguments {
    seeds: Range<u64>,
    trace: bool,
    options: Options,
}

fn main() -> ExitCode {
    match arguments() {
        Ok(arguments) => simulate(arguments),
        Err(why) => {
            eprintln!("simulate: {why}");
            ExitCode::from(2)
        }
    }
}

fn arguments() -> Result<Arguments, String> {
    let mut found = Arguments { seeds: 0..1000, trace: false, options: Options::default() };
    let mut all = std::env::args().skip(1);
    while let Some(argument) = all.next() {
        if argument == "--trace" {
            found.trace = true;
            continue;
        }
        let value = all.next().ok_or_else(|| format!("{argument} needs a value"))?;
        let options = found.options.clone();
        match argument.as_str() {
            "--seeds" => found.seeds = range(&value)?,
            "--clients" => {
                let Range { start, end } = range(&value)?;
                let size = |number| usize::try_from(number).map_err(|_| format!("not a number of clients: {value}"));
                found.options = options.clients(size(start)?, size(end)?);
            }
            "--operations" => found.options = options.operations(number(&value)?),
            "--faults" => found.options = options.faults(number(&value)?),
            _ => return Err(format!("there is no argument {argument}")),
        }
    }
    Ok(found)
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("not a number: {text}"))
}

fn range(text: &str) -> Result<Range<u64>, String> {
    match text.split_once("..") {
        Some((first, end)) => Ok(number(first)?..number(end)?),
        None => number(text).map(|seed: u64| seed..seed + 1),
    }
}

fn simulate(Arguments { seeds, trace, options }: Arguments) -> ExitCode {
    let simulation = Simulation::new(seeds.clone()).options(options);
    if trace {
        simulation.trace(seeds.start).iter().for_each(|line| println!("{line}"));
    }
    let report = simulation.run_with(|seed| {
        if (seed + 1) % 100 == 0 {
            eprintln!("{} histories", seed + 1);
        }
    });
    print!("{}", report.coverage);
    match report.failure {
        None => {
            println!("{} histories, no rule broken", report.lived);
            ExitCode::SUCCESS
        }
        Some(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}
