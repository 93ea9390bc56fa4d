//! What a case needs, and whether it is here.

use super::Run;
use crate::case::{Case, Need, Size};
use crate::harness::Subject;

impl Run {
    /// Why the case cannot be run here.
    pub(crate) fn lacks(&self, case: &Case) -> Option<String> {
        case.needs.iter().find_map(|need| self.lacks_need(*need)).map(str::to_owned)
    }

    fn lacks_need(&self, need: Need) -> Option<&str> {
        let harness = &self.harness;
        let is_storage = matches!(harness.subject, Subject::Storage(_));
        match need {
            Need::Storage if !is_storage => Some("the adapter is a server, with no storage to look at"),
            Need::ReadTime if self.claims.as_ref().is_some_and(|claims| !claims.read_time) => {
                Some("replies to reads carry no server time, and it does not say that they do")
            }
            Need::MissingRoot if harness.missing_root.is_none() => Some("the harness does not open a missing root"),
            Need::WrongCredentials if harness.wrong_credentials.is_none() => {
                Some("the harness has no wrong credentials: this store asks for none, or none were given")
            }
            Need::Killable if harness.killable.is_none() => Some("the harness does not say how its server is killed"),
            Need::KillablePart if harness.killable_part.is_none() => {
                Some("the harness does not say how a part of its server is killed")
            }
            Need::Network => self.lacks_network(),
            Need::OtherProcess if !harness.other_process => Some("the store lives in this process only"),
            Need::Waits if harness.real_time && self.size < Size::Full => {
                Some("the server has a clock of its own, and the case waits for it: run it in full size")
            }
            Need::VirtualTime if harness.real_time => {
                Some("the server has a clock of its own, and the clients of this case wait for leases in virtual time")
            }
            _ => None,
        }
    }

    #[cfg(feature = "network")]
    fn lacks_network(&self) -> Option<&str> {
        let why = self.harness.no_network.as_deref();
        let why = why.unwrap_or("the harness does not say how a client reaches its server through a proxy");
        self.harness.network.is_none().then_some(why)
    }

    #[cfg(not(feature = "network"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "with the feature it asks the harness")]
    fn lacks_network(&self) -> Option<&str> {
        Some("the suite was built without the feature `network`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Harness;
    use crate::runner::tests::{SHORT, case, memory};
    use crate::suite::Suite;

    #[test]
    fn a_storage_has_no_time_of_its_own() {
        let waits = case(|_| Box::pin(async { Ok(()) })).needs(&[Need::VirtualTime, Need::Waits]);
        // What it claims does not matter here.
        let run =
            |harness: Harness, size| Suite::new(harness.in_real_time()).opening(SHORT).size(size).begin().unwrap();
        assert_eq!(run(memory(), Size::Quick).lacks(&waits), None);
        let server = || Harness::server("server", |_| std::future::pending());
        assert!(run(server(), Size::Quick).lacks(&waits).is_some());
        let earnest = case(|_| Box::pin(async { Ok(()) })).needs(&[Need::Waits]);
        assert!(run(server(), Size::Ci).lacks(&earnest).is_some());
        assert_eq!(run(server(), Size::Full).lacks(&earnest), None);
        assert!(run(server(), Size::Full).lacks(&waits).is_some());
    }
}
