//! A storage that kills its own process at a chosen call, as a power cut would: for the demo and the tests.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use longshore::{
    ByteRange, Capabilities, Created, Folder, Listing, Object, ObjectKey, Payload, Reply, Result, Storage,
};

use crate::platform;

/// Where to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DieAt {
    /// At the n-th storage call: before it, or after it was done and before its answer is known.
    Call {
        /// Only calls of this kind count; all if none is named.
        kind: Option<&'static str>,
        /// Which, from 1 on.
        number: u64,
        /// After it.
        after: bool,
    },
    /// After the n-th file of a batch was put in its place.
    File(u64),
}

impl FromStr for DieAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unclear = || "write 5, 5+, create:1+ or file:5".to_owned();
        let (kind, digits) = text.split_once(':').map_or((None, text), |(kind, digits)| (Some(kind), digits));
        let after = digits.ends_with('+');
        let number = digits.trim_end_matches('+').parse().map_err(|_| unclear())?;
        match kind {
            None => Ok(Self::Call { kind: None, number, after }),
            Some("file") => Ok(Self::File(number)),
            Some(kind) => {
                let kind = KINDS.iter().copied().find(|known| *known == kind).ok_or_else(unclear)?;
                Ok(Self::Call { kind: Some(kind), number, after })
            }
        }
    }
}

/// The storage's calls.
const KINDS: &[&str] = &["create", "put", "get", "list", "delete"];

/// A storage around another, with the n-th call deadly.
pub(crate) struct DyingStorage {
    inner: Arc<dyn Storage>,
    kind: Option<&'static str>,
    number: u64,
    after: bool,
    calls: AtomicU64,
}

impl DyingStorage {
    /// `inner`, unless the deadly place is no storage call.
    pub(crate) fn around(inner: Arc<dyn Storage>, die_at: Option<DieAt>) -> Arc<dyn Storage> {
        match die_at {
            Some(DieAt::Call { kind, number, after }) => {
                Arc::new(Self { inner, kind, number, after, calls: AtomicU64::new(0) })
            }
            _ => inner,
        }
    }

    /// Counts a call; true if it is the deadly one.
    fn count(&self, name: &str) -> bool {
        self.kind.is_none_or(|kind| kind == name) && self.calls.fetch_add(1, Ordering::Relaxed) + 1 == self.number
    }

    fn die(when: &str, call: &str, object: impl fmt::Display) -> ! {
        let mut out = std::io::stdout();
        drop(writeln!(out, "died: {when} the storage call: {call} {object}"));
        drop(out.flush());
        platform::die()
    }

    async fn call<T: Send>(
        &self,
        name: &'static str,
        object: impl fmt::Display + Send,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let deadly = self.count(name);
        if deadly && !self.after {
            Self::die("before", name, object);
        }
        let result = call.await;
        if deadly {
            Self::die("after", name, object);
        }
        result
    }
}

impl fmt::Debug for DyingStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DyingStorage").field("number", &self.number).finish_non_exhaustive()
    }
}

#[async_trait]
impl Storage for DyingStorage {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn adopt(&self, method: Option<&str>) -> bool {
        self.inner.adopt(method)
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        self.call("create", key, self.inner.create(key, bytes)).await
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        self.call("put", key, self.inner.put(key, payload)).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        self.call("get", key, self.inner.get(key, range)).await
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.call("list", folder, self.inner.list(folder, after)).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.call("delete", key, self.inner.delete(key)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_to_die_is_parsed() {
        assert_eq!("5".parse(), Ok(DieAt::Call { kind: None, number: 5, after: false }));
        assert_eq!("get:5+".parse(), Ok(DieAt::Call { kind: Some("get"), number: 5, after: true }));
        assert_eq!("file:7".parse(), Ok(DieAt::File(7)));
        assert!("x".parse::<DieAt>().is_err() && "x:1".parse::<DieAt>().is_err());
    }
}
