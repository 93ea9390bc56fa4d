//! Tests whose matrix is to be read: of a test that passes, the usual harness prints nothing.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Runs these tests, which print what they like.
pub(crate) fn run(tests: &[(&'static str, fn())]) -> ExitCode {
    let trial = |(name, test): (&str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    libtest_mimic::run(&Arguments::from_args(), tests.iter().copied().map(trial).collect()).exit_code()
}
