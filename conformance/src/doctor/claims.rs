//! What the adapter says of the store, and what longshore does about it: a word on each of its [`Capabilities`].

use longshore_core::format::MAX_RECORD;
use longshore_core::{Capabilities, Flaw};

use super::checks::refused;
use super::{Finding, Health};

/// The largest body of a document.
const LARGEST: u64 = 1 << 30;

/// One answer for each of the capabilities.
pub(super) fn all(claims: &Capabilities) -> Vec<Finding> {
    vec![
        atomic_create(claims.atomic_create),
        read_time(claims.read_time),
        max_object(claims.max_object),
        parallelism(claims.parallelism),
    ]
}

fn atomic_create(holds: bool) -> Finding {
    if !holds {
        return Finding::new("adapter", Health::Bad, refused(Flaw::Admitted));
    }
    let text = "the adapter says that the store creates a name exactly once: commits, leases and metadata rest on that \
                alone";
    Finding::new("adapter", Health::Good, text)
}

fn read_time(carried: bool) -> Finding {
    if carried {
        let text = "replies to reads carry the store's time: a look for changes is mostly one request";
        return Finding::new("server time", Health::Good, text);
    }
    let text = "replies to reads are not said to carry the store's time: where they do not, each look for changes asks \
                for the newest snapshot too, and commits are dated by the replies to writes, if those carry it";
    Finding::new("server time", Health::Note, text)
}

fn max_object(most: u64) -> Finding {
    let (health, text) = if most < MAX_RECORD {
        (Health::Bad, format!("an object has at most {most} bytes: a commit, of up to 1 MiB, would not fit"))
    } else if most < LARGEST {
        (Health::Warning, format!("an object has at most {most} bytes, so larger documents are refused by name"))
    } else {
        (Health::Good, "documents of 1 GiB fit".to_owned())
    };
    Finding::new("size limit", health, text)
}

fn parallelism(requests: usize) -> Finding {
    let text = match requests {
        0 | 1 => "entries are read one at a time: to catch up on many commits takes long".to_owned(),
        _ => format!("entries are read ahead by up to {requests} requests at once"),
    };
    Finding::new("requests", Health::Note, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields as they print: a new one has no answer yet, and fails here.
    #[test]
    fn every_capability_has_its_answer() {
        let printed = format!("{:?}", Capabilities::default());
        let fields: Vec<&str> = printed.split([' ', '{']).filter_map(|word| word.strip_suffix(':')).collect();
        // The methods are told of by the examination, which tries them.
        assert_eq!(fields, ["atomic_create", "read_time", "max_object", "parallelism", "method", "fallback"]);
        assert_eq!(all(&Capabilities::default()).len(), fields.len() - 2);
    }

    #[test]
    fn what_is_lacking_changes_the_answer() {
        let right = Capabilities::default().with_read_time(true);
        let lacking = [
            (right.clone().with_atomic_create(false), Health::Bad),
            (right.clone().with_read_time(false), Health::Note),
            (right.clone().with_max_object((1 << 20) - 1), Health::Bad),
            (right.clone().with_max_object(1 << 20), Health::Warning),
            (right.clone().with_max_object(1 << 29), Health::Warning),
            (right.clone().with_parallelism(1), Health::Note),
        ];
        let before = all(&right);
        for (claims, health) in lacking {
            let after = all(&claims);
            let changed: Vec<_> = after.iter().zip(&before).filter(|(after, before)| after != before).collect();
            assert!(matches!(changed[..], [(after, _)] if after.health == health), "{claims:?}: {changed:?}");
        }
    }
}
