//! A client whose bytes go through a proxy of its own, and one beside it that sees what came of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use longshore_core::{ObjectKey, Storage};

use super::deed::{Deed, Ended, Left};
use crate::context::{Context, put, read};
use crate::dice::Dice;
use crate::proxy::{Cut, Passed, Proxy};
use crate::verdict::{Failure, ensure};

/// How long a call may take whose connection was cut: much longer than any needs, so that one that hangs is told by its name.
const LONGEST: Duration = Duration::from_secs(60);
/// How often a client is asked again that meets what is left of the cut.
const TRIES: usize = 5;
/// What is in the object that every call in between reads.
const ANCHOR: &[u8] = b"there from the beginning";

/// A client under test.
pub(super) struct Wire {
    pub(super) proxy: Proxy,
    pub(super) client: Arc<dyn Storage>,
    /// It does not go through the proxy.
    pub(super) straight: Arc<dyn Storage>,
    anchor: ObjectKey,
    names: usize,
    left: Vec<(Deed, String, Left)>,
}

/// Starts a proxy for the harness's server.
pub(super) async fn proxy(cx: &Context) -> Result<Proxy, Failure> {
    let network = cx.harness.network.as_ref();
    let network = network.ok_or_else(|| Failure::ignored("the harness has no clients through a proxy"))?;
    Proxy::start(network.server)
        .await
        .map_err(|error| Failure::unjudged(format!("the proxy cannot be started: {error}")))
}

impl Wire {
    pub(super) async fn new(cx: &Context) -> Result<Self, Failure> {
        let proxy = proxy(cx).await?;
        let client = cx.via(proxy.address()).storage().await?;
        let (straight, anchor) = (cx.storage().await?, cx.blob("anchor")?);
        put(&*straight, &anchor, ANCHOR).await?;
        // The first call may need more requests than those that follow.
        let seen = read(&*client, &anchor).await?;
        ensure!(
            seen.as_deref() == Some(ANCHOR),
            "through the proxy, {anchor} reads as {seen:?}: is it the same store?"
        );
        Ok(Self { proxy, client, straight, anchor, names: 0, left: Vec::new() })
    }

    /// A name that was not used yet; all are of one length.
    pub(super) fn name(&mut self) -> String {
        self.names += 1;
        self.last()
    }

    /// The next names are those behind this many.
    pub(super) fn skip_to(&mut self, names: usize) {
        self.names = names;
    }

    /// The name of the last call.
    pub(super) fn last(&self) -> String {
        format!("n-{:06}", self.names)
    }

    /// What an undisturbed call sends and gets.
    pub(super) async fn lengths(&mut self, deed: Deed) -> Result<Vec<Passed>, Failure> {
        let name = self.name();
        deed.prepare(&*self.straight, &name).await?;
        let before = self.proxy.requests();
        let ended = deed.act(&*self.client, &name).await;
        deed.succeeded(&ended).map_err(|failure| failure.within(format!("{deed}, undisturbed")))?;
        let passed = self.proxy.passed_since(before);
        ensure!(
            !passed.is_empty(),
            "{deed} sent nothing through the proxy: is the client opened at the given address?"
        );
        Ok(passed)
    }

    /// A call whose request of this number meets the cut.
    pub(super) async fn call(&mut self, deed: Deed, request: usize, cut: &Cut) -> Result<(String, Ended), Failure> {
        let name = self.name();
        deed.prepare(&*self.straight, &name).await?;
        for _ in 0..request {
            self.proxy.plan(Cut::None);
        }
        self.proxy.plan(cut.clone());
        let ended = tokio::time::timeout(LONGEST, deed.act(&*self.client, &name)).await;
        self.proxy.clear();
        let ended = ended.map_err(|_| Failure::new(format!("{deed}: the call did not end within {LONGEST:?}")))?;
        Ok((name, ended))
    }

    /// As [`call`](Self::call): what came of it is judged, now and [at the end](Self::end), and the client works on.
    pub(super) async fn disturbed(&mut self, deed: Deed, request: usize, cut: &Cut) -> Result<Ended, Failure> {
        let told = |failure: Failure| failure.within(format!("{deed}, its request {}: {cut:?}", request + 1));
        let (name, ended) = self.call(deed, request, cut).await.map_err(told)?;
        let left = deed.judge(&ended).map_err(told)?;
        deed.look(&*self.straight, &name, left).await.map_err(told)?;
        self.left.push((deed, name, left));
        self.works_on().await.map_err(told)?;
        Ok(ended)
    }

    /// What was left of a connection must not reach the next call.
    async fn works_on(&self) -> Result<(), Failure> {
        let mut last = None;
        for _ in 0..TRIES {
            match read(&*self.client, &self.anchor).await {
                Ok(seen) if seen.as_deref() == Some(ANCHOR) => return Ok(()),
                Ok(seen) => {
                    let len = seen.map(|bytes| bytes.len());
                    return Err(Failure::new(format!("the next call reads another object: {len:?} bytes")));
                }
                Err(failure) => last = Some(failure),
            }
        }
        let last = last.map(|failure| failure.to_string()).unwrap_or_default();
        Err(Failure::new(format!("{TRIES} calls later the client still fails: {last}")))
    }

    /// Looks at everything once more: what lands late must be as right.
    pub(super) async fn end(self) -> Result<(), Failure> {
        for (deed, name, left) in &self.left {
            let seen = deed.look(&*self.straight, name, *left).await;
            seen.map_err(|failure| failure.within(format!("{deed}, at the end of the case")))?;
        }
        Ok(())
    }
}

/// After how many of so many bytes to cut: at both ends, and as many between as this run has time for.
pub(super) fn places(cx: &Context, purpose: &str, len: u64) -> Vec<u64> {
    let between: Vec<u64> = (2..len.saturating_sub(1)).collect();
    let mut dice = Dice::for_purpose(cx.seed(), purpose);
    let mut places = dice.sample(&between, cx.size().pick(3, 16, usize::MAX));
    places.extend([0, 1, len.saturating_sub(1), len]);
    places.sort_unstable();
    places.dedup();
    places
}

/// Bytes that no other name has.
pub(super) fn body(name: &str) -> Bytes {
    Bytes::from(format!("the whole of {name}; ").repeat(12))
}
