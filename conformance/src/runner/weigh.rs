//! Whether a case counts already.

use crate::case::Case;
use crate::verdict::Verdict;

/// The version of this crate: major and minor.
pub(super) fn version() -> (u16, u16) {
    let number = |text: &str| text.parse::<u16>().unwrap_or(0);
    (number(env!("CARGO_PKG_VERSION_MAJOR")), number(env!("CARGO_PKG_VERSION_MINOR")))
}

/// A case that is too new to count at this version only warns.
pub(super) fn weigh(case: &Case, verdict: Verdict, now: (u16, u16)) -> Verdict {
    match verdict {
        Verdict::Failed { rule, seen } if now < case.mandatory_from => Verdict::Warned { rule, seen },
        verdict => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Rule;
    use crate::runner::tests::case;

    #[test]
    fn a_case_counts_from_the_version_it_names() {
        let new = case(|_| Box::pin(async { Ok(()) })).mandatory_from(1, 4);
        let failed = || Verdict::Failed { rule: Some(Rule::Storage(1)), seen: "torn".to_owned() };
        let warned = Verdict::Warned { rule: Some(Rule::Storage(1)), seen: "torn".to_owned() };
        for before in [(0, 9), (1, 0), (1, 3)] {
            assert_eq!(weigh(&new, failed(), before), warned);
        }
        for from in [(1, 4), (1, 5), (2, 0)] {
            assert_eq!(weigh(&new, failed(), from), failed());
        }
        assert_eq!(weigh(&new, Verdict::Passed, (0, 1)), Verdict::Passed);
        assert_eq!(weigh(&new, Verdict::Ignored("no".to_owned()), (0, 1)), Verdict::Ignored("no".to_owned()));
        // Cases of the first release count in it.
        assert_eq!(weigh(&case(|_| Box::pin(async { Ok(()) })), failed(), version()), failed());
    }
}
