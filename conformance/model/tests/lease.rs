//! The lease: with all rules on it is given to one at a time, and nobody waits for the dead for longer than one time-to-live; without
//! one of them somebody does, or two have it.

mod support;

use longshore_model::lease::{Budget, Config, Rules};
use support::{breaks, full, holds};

/// No removal needs more states.
const LIMIT: usize = 3_000_000;

/// The rules removed together, where it is tried, and the invariant that is broken.
type Removal = (&'static [&'static str], Config, &'static str);

/// Rules that can be removed alone without a counterexample within the bounds, and why.
const COVERED: &[(&str, &str)] =
    &[("renew_at_own_plus_one", "a holder that is in time has the highest number: nobody could take the next")];

const NONE: Budget = Budget { ticks: 0, crashes: 0, lost: 0, late: 0, trims: 0, renewals: 0, sleeps: 0 };

fn two(tokens: u8, budget: Budget) -> Config {
    Config { tokens, budget, ..Config::default() }
}

fn three(tokens: u8, budget: Budget) -> Config {
    Config { processes: 3, ..two(tokens, budget) }
}

#[test]
fn two_processes() {
    let late = Budget { ticks: 2, lost: 1, late: 1, renewals: 1, ..NONE };
    holds("2 processes, unknown, late, renewals", &two(4, late), 400_000);
    let crash = Budget { ticks: 3, crashes: 1, lost: 1, trims: 1, ..NONE };
    holds("2 processes, crash, unknown, trimming", &two(3, crash), 750_000);
    let copies = Budget { ticks: 2, crashes: 1, lost: 1, late: 1, ..NONE };
    holds("2 copies of one replica", &Config { copies: true, ..two(3, copies) }, 400_000);
}

#[test]
fn three_processes() {
    let plain = Budget { ticks: 3, trims: 1, ..NONE };
    holds("3 processes, trimming", &three(2, plain), 350_000);
    let late = Budget { ticks: 2, lost: 1, late: 1, ..NONE };
    holds("3 processes, unknown, late", &three(2, late), 400_000);
}

#[test]
fn larger_bounds() {
    if full() {
        let all = Budget { ticks: 3, crashes: 1, lost: 1, trims: 2, renewals: 2, ..NONE };
        holds("2 processes, crash, unknown, trimming, renewals", &two(4, all), 8_000_000);
    }
}

fn removals() -> Vec<Removal> {
    let trims = two(4, Budget { ticks: 4, trims: 3, ..NONE });
    let plain = two(4, Budget { ticks: 2, renewals: 1, ..NONE });
    let sleeps = two(3, Budget { ticks: 2, sleeps: 2, ..NONE });
    let copies = Config { copies: true, ..plain };
    let sleeper = two(3, Budget { ticks: 3, trims: 2, renewals: 2, ..NONE });
    let echo = two(3, Budget { ticks: 2, lost: 1, ..NONE });
    vec![
        (&["highest_is_kept"], trims, "I7"),
        (&["found_by_list"], trims, "I7"),
        (&["list_after_late_reply"], trims, "I7"),
        (&["time_from_before_sending"], plain, "I7"),
        (&["renewed_in_time_only"], sleeper, "I7"),
        (&["renewal_counts_from_the_look"], sleeper, "I7"),
        (&["renew_at_own_plus_one"], plain, "I7"),
        (&["renew_at_own_plus_one", "renewed_in_time_only"], plain, "I7"),
        (&["release_at_own_plus_one"], plain, "I7"),
        (&["nonce_per_grant"], copies, "I7"),
        (&["exists_is_read_back"], echo, "I7"),
        (&["first_look_is_kept"], plain, "I9"),
        (&["new_number_is_a_new_look"], plain, "I7"),
        (&["own_clock_only"], plain, "I9"),
        (&["clock_counts_suspension"], sleeps, "I9"),
        (&["whole_time_to_live"], plain, "I7"),
    ]
}

#[test]
fn each_rule_is_needed() {
    let mut wrong = Vec::new();
    for (removed, config, expected) in removals() {
        let found = breaks(removed, &Config { rules: Rules::without(removed), ..config }, LIMIT);
        let covered = COVERED.iter().any(|(name, _)| removed == [*name]);
        let expected = Some(expected).filter(|_| !covered);
        if found != expected {
            wrong.push(format!("without {removed:?}: {found:?} is broken, {expected:?} was expected"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_was_removed() {
    for name in Rules::NAMES {
        assert!(removals().iter().any(|(removed, ..)| removed.contains(name)), "no test removes {name}");
    }
}
