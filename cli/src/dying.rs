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
        let number = |digits: &str| digits.parse().map_err(|_| "write 5, 5+ or file:5".to_owned());
        if let Some(file) = text.strip_prefix("file:") {
            return Ok(Self::File(number(file)?));
        }
        let after = text.ends_with('+');
        Ok(Self::Call { number: number(text.trim_end_matches('+'))?, after })
    }
}

/// A storage around another, with the n-th call deadly.
pub(crate) struct DyingStorage {
    inner: Arc<dyn Storage>,
    number: u64,
    after: bool,
    calls: AtomicU64,
}

impl DyingStorage {
    pub(crate) fn new(inner: Arc<dyn Storage>, number: u64, after: bool) -> Self {
        Self { inner, number, after, calls: AtomicU64::new(0) }
    }

    /// Counts a call; true if it is the deadly one.
    fn count(&self) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1 == self.number
    }

    fn die(&self, when: &str, call: &str, object: impl fmt::Display) -> ! {
        let mut out = std::io::stdout();
        drop(writeln!(out, "died: {when} storage call {}: {call} {object}", self.number));
        drop(out.flush());
        platform::die()
    }

    async fn call<T: Send>(
        &self,
        name: &'static str,
        object: impl fmt::Display + Send,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let deadly = self.count();
        if deadly && !self.after {
            self.die("before", name, object);
        }
        let result = call.await;
        if deadly {
            self.die("after", name, object);
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
        assert_eq!("5".parse(), Ok(DieAt::Call { number: 5, after: false }));
        assert_eq!("5+".parse(), Ok(DieAt::Call { number: 5, after: true }));
        assert_eq!("file:7".parse(), Ok(DieAt::File(7)));
        assert!("x".parse::<DieAt>().is_err());
    }
}
