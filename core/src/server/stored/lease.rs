//! The lease: numbered records, of which the highest says who holds it.
//!
//! It keeps work from being wasted, not data from being lost: a holder that sleeps through its time meets the log's own rules.

use std::time::Duration;

use super::records::{self, Fate};
use super::wire::Wire;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Kind, Layout, LeaseHeader, LeaseKind, MAX_RECORD, decode_record, encode_record};
use crate::model::{FencingToken, Nonce};
use crate::runtime::{Ticks, new_nonce};
use crate::sabotage::{Mistake, on};
use crate::server::{Held, Lease, LockRequest, Locked, Sighting};

const MIN_TTL: Duration = Duration::from_secs(1);
const MAX_TTL: Duration = Duration::from_secs(3600);
/// How often a call looks anew because others moved the lease while it looked.
const LOOKS: usize = 5;

pub(super) async fn lock(wire: &Wire, layout: &Layout, request: &LockRequest) -> Result<Locked> {
    check(request)?;
    let nonce = new_nonce(wire.runtime())?;
    let mut sighting = request.sighting.clone();
    for look in 0..LOOKS {
        let listed = wire.runtime().now();
        let highest = highest(wire, layout).await?;
        if let Some(held) = highest.as_ref().and_then(|record| held(wire, record, sighting.as_ref())) {
            // Only the holder that the caller knows of may be robbed, not one that came while we looked.
            let robbed = request.force && look == 0;
            if !robbed && !held.remaining.is_zero() && !on(Mistake::LeaseTakenAtOnce) {
                return Ok(Locked::Held(held));
            }
            sighting = Some(held.sighting);
        }
        let token = highest.map_or(Ok(FencingToken::FIRST), |record| record.token.next())?;
        let (kind, purpose) = (LeaseKind::Grant, request.purpose.as_str());
        let grant = Record { token, nonce, kind, ttl: request.ttl, purpose, before: None };
        if let Some(until) = grant.create(wire, layout, wire.runtime().now()).await?
            && in_time(wire, layout, listed, token).await?
        {
            return Ok(Locked::Granted(grant.lease(until)));
        }
    }
    Err(Error::new(ErrorKind::Locked, "others take the lease again and again").with_operation("lock"))
}

pub(super) async fn renew(wire: &Wire, layout: &Layout, lease: &Lease) -> Result<Lease> {
    // The new time counts from this look at the clock: a machine that sleeps right after it may find the next number used and trimmed.
    let now = wire.runtime().now();
    if lease.expired(now) && !on(Mistake::ExpiredLeaseRenewed) {
        return Err(fenced("renew", lease));
    }
    let mut record = Record { kind: LeaseKind::Renew, ..Record::after(lease)? };
    if on(Mistake::RenewedAtAnyNumber) {
        record.token = records::newest(wire, &layout.leases()?).await?.unwrap_or(lease.token).next()?;
    }
    let until = record.create(wire, layout, now).await?.ok_or_else(|| fenced("renew", lease))?;
    Ok(record.lease(until))
}

pub(super) async fn unlock(wire: &Wire, layout: &Layout, lease: &Lease) -> Result<()> {
    // Long after its end the next number may have been used and trimmed: it must not be created again.
    if records::late(wire, lease.until) {
        return Err(fenced("unlock", lease));
    }
    if on(Mistake::TokenReused) {
        return wire.delete(&layout.lease(lease.token)?).await.map(drop);
    }
    let record = Record { kind: LeaseKind::Release, ..Record::after(lease)? };
    let created = record.create(wire, layout, wire.runtime().now()).await;
    if on(Mistake::DoubtfulReleaseDeletes) && created.is_err() {
        return wire.delete(&layout.lease(lease.token)?).await.map(drop);
    }
    created?.map(drop).ok_or_else(|| fenced("unlock", lease))
}

struct Record<'a> {
    token: FencingToken,
    nonce: Nonce,
    kind: LeaseKind,
    ttl: Duration,
    purpose: &'a str,
    /// Until when the record before it counts.
    before: Option<Ticks>,
}

impl<'a> Record<'a> {
    fn after(lease: &'a Lease) -> Result<Self> {
        let token = lease.token.next()?;
        let (kind, before) = (LeaseKind::Renew, Some(lease.until));
        Ok(Self { token, nonce: lease.nonce, kind, ttl: lease.ttl, purpose: &lease.purpose, before })
    }

    /// Until when it counts, from a moment before it is sent; `None` if the number is another's.
    async fn create(&self, wire: &Wire, layout: &Layout, from: Ticks) -> Result<Option<Ticks>> {
        let key = layout.lease(self.token)?;
        let header = LeaseHeader {
            key: key.to_string(),
            token: self.token,
            nonce: self.nonce,
            kind: self.kind,
            ttl: u64::try_from(self.ttl.as_millis()).unwrap_or(u64::MAX),
            purpose: self.purpose.to_owned(),
        };
        let bytes = encode_record(Kind::Lease, &header, &[])?;
        match records::create(wire, &key, &bytes).await?.value {
            Fate::Mine => Ok(Some(from.after(self.ttl))),
            // A renewal that is found may be an earlier call's, whose reply never came: others have waited since then. (I7)
            Fate::Found => Ok(Some(self.before.unwrap_or_else(|| from.after(self.ttl)))),
            Fate::Another | Fate::Hidden => Ok(None),
        }
    }

    fn lease(&self, until: Ticks) -> Lease {
        let purpose = self.purpose.to_owned();
        Lease { token: self.token, nonce: self.nonce, until, ttl: self.ttl, purpose }
    }
}

fn check(request: &LockRequest) -> Result<()> {
    let invalid = |what| Err(Error::new(ErrorKind::Invalid, what).with_operation("lock"));
    if !(MIN_TTL..=MAX_TTL).contains(&request.ttl) {
        return invalid("a lease lasts between 1 second and 1 hour");
    }
    if request.purpose.chars().count() > 200 {
        return invalid("a purpose has at most 200 characters");
    }
    Ok(())
}

/// The highest record. It is found by listing, never by probing from memory.
async fn highest(wire: &Wire, layout: &Layout) -> Result<Option<LeaseHeader>> {
    let folder = layout.leases()?;
    for _ in 0..LOOKS {
        let Some(token) = records::newest::<FencingToken>(wire, &folder).await? else {
            return Ok(None);
        };
        let key = layout.lease(token)?;
        if let Some(stored) = wire.get(&key, MAX_RECORD).await?.value {
            let (header, _): (LeaseHeader, _) = decode_record(Kind::Lease, &key, &stored)?;
            // The last number there is was never reached by counting.
            if header.token != token || token.next().is_err() {
                return Err(
                    Error::new(ErrorKind::Corrupt, "a lease record has a number that is not its own").with_key(key)
                );
            }
            return Ok(Some(header));
        }
    }
    Err(Error::new(ErrorKind::Corrupt, "a lease record is listed and cannot be read").with_key(folder))
}

/// Who holds it, or `None` if it is free. Its `remaining` is zero if it is stale to this watcher.
fn held(wire: &Wire, record: &LeaseHeader, sighting: Option<&Sighting>) -> Option<Held> {
    if record.kind == LeaseKind::Release {
        return None;
    }
    let (now, boot) = (wire.runtime().now(), wire.runtime().boot());
    let ttl = Duration::from_millis(record.ttl).min(MAX_TTL);
    let first_look = Sighting { token: record.token, at: now, boot };
    let seen = sighting
        .filter(|seen| seen.token == record.token && seen.boot == first_look.boot && seen.at <= now)
        .filter(|_| !on(Mistake::FirstLookForgotten))
        .cloned()
        .unwrap_or(first_look);
    let remaining = ttl.saturating_sub(now.since(seen.at));
    Some(Held { kind: record.kind, purpose: record.purpose.clone(), ttl, sighting: seen, remaining })
}

/// Whether a grant counts: it came soon after the listing, or a new listing shows it highest.
async fn in_time(wire: &Wire, layout: &Layout, listed: Ticks, token: FencingToken) -> Result<bool> {
    if !records::late(wire, listed) {
        return Ok(true);
    }
    Ok(records::newest(wire, &layout.leases()?).await? == Some(token))
}

fn fenced(operation: &'static str, lease: &Lease) -> Error {
    Error::new(ErrorKind::Fenced, "the lease was lost: stop what it was for")
        .with_operation(operation)
        .with_key(format_args!("token {}", lease.token.get()))
}
