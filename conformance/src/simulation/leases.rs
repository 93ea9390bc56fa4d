//! What the lease records of a history say. (I7)

use std::collections::BTreeMap;

use longshore_core::FencingToken;
use longshore_core::format::LeaseKind;

use super::Broken;
use super::coverage::Counters;
use super::shore::LeaseRecord;
use crate::case::Rule;

/// How far two clocks may differ over a lease: each drifts by at most a ten-thousandth, and counts whole milliseconds.
const fn slack(ttl: u64) -> u64 {
    ttl / 5_000 + 4
}

/// Tokens grow by one, and nobody is granted a lease while another holds one.
pub(super) fn check(records: &[LeaseRecord], counters: &Counters) -> Result<(), Broken> {
    let broken = |seen: String| Err(Broken::new(Rule::Invariant(7), seen));
    let mut last: BTreeMap<String, &LeaseRecord> = BTreeMap::new();
    for record in records {
        let domain = record.key.parts().nth(1).unwrap_or_default().to_owned();
        let (token, device) = (record.header.token, record.device);
        count(record, counters);
        let Some(before) = last.insert(domain, record) else {
            if token != FencingToken::FIRST {
                return broken(format!("the first lease has token {}", token.get()));
            }
            continue;
        };
        if before.header.token.get() + 1 != token.get() {
            return broken(format!("token {} was used after token {}", token.get(), before.header.token.get()));
        }
        let same = before.header.nonce == record.header.nonce;
        if record.header.kind != LeaseKind::Grant {
            if !same {
                return broken(format!(
                    "device {device} continued with token {} a lease that is another's",
                    token.get()
                ));
            }
            continue;
        }
        if before.header.kind == LeaseKind::Release {
            continue;
        }
        counters.count("lease: taken over from a dead holder");
        let until = before.sent + before.header.ttl;
        if record.landed + slack(before.header.ttl) < until {
            return broken(format!(
                "device {device} was granted token {} at {} ms, and device {} holds token {} until {until} ms",
                token.get(),
                record.landed,
                before.device,
                before.header.token.get()
            ));
        }
    }
    Ok(())
}

fn count(record: &LeaseRecord, counters: &Counters) {
    match (record.header.kind, record.header.purpose.as_str()) {
        (LeaseKind::Renew, _) => counters.count("lease: renewed"),
        (LeaseKind::Release, _) => counters.count("lease: given back"),
        (LeaseKind::Grant, "sync") => counters.count("lease: taken around a sync"),
        (LeaseKind::Grant, "push under contention") => counters.count("lease: taken for progress"),
        (LeaseKind::Grant, _) => counters.count("lease: taken by the app"),
    }
}
