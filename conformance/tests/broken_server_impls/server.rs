//! A server that does as the core's does, but for one thing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_conformance::{Harness, Site};
use longshore_core::format::SegmentRef;
use longshore_core::{
    Author, Change, ChangeStream, Content, Document, DocumentId, Entry, Error, ErrorKind, FencingToken, Lease,
    LockRequest, Locked, MemoryStorage, Metadata, MetadataName, MetadataVersion, Prepared, Reply, Result, Runtime,
    SealedSnapshot, Sequence, Server, Snapshot, Staged, StoreId, StoreInfo, StoreOptions, StoredServer, Tip, Traffic,
    Written,
};

use super::wrong::Wrong;
use super::wrong::Wrong as W;

/// One store: its objects, and what the wrong servers of it share.
#[derive(Clone, Debug, Default)]
struct Place {
    storage: MemoryStorage,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    staged: Mutex<BTreeMap<DocumentId, Document>>,
    first: Mutex<BTreeMap<MetadataName, Metadata>>,
    segments: Mutex<Vec<SegmentRef>>,
    holder: Mutex<Option<Lease>>,
    renewed: Mutex<BTreeSet<FencingToken>>,
    released: AtomicU64,
    locked: AtomicBool,
}

#[derive(Debug)]
struct Broken {
    inner: StoredServer,
    wrong: Wrong,
    runtime: Arc<dyn Runtime>,
    shared: Arc<Shared>,
    calls: AtomicU64,
}

pub fn harness(wrong: Wrong) -> Harness {
    let places = Arc::<Mutex<BTreeMap<String, Place>>>::default();
    Harness::server(format!("{wrong:?}"), move |site: Site| {
        let place = places.lock().unwrap().entry(site.store).or_default().clone();
        async move {
            let domain =
                if wrong == W::OneLogForAllDomains { longshore_core::DomainName::default() } else { site.domain };
            let inner = StoredServer::new(Arc::new(place.storage), site.runtime.clone(), &domain)?;
            let (shared, calls) = (place.shared, AtomicU64::new(0));
            Ok(Arc::new(Broken { inner, wrong, runtime: site.runtime, shared, calls }) as Arc<dyn Server>)
        }
    })
}

fn random_id(runtime: &dyn Runtime) -> Result<StoreId> {
    let mut bytes = [0; 16];
    runtime.random(&mut bytes)?;
    Ok(StoreId::from_bytes(bytes))
}

impl Broken {
    fn is(&self, wrong: Wrong) -> bool {
        self.wrong == wrong
    }

    fn changes(&self, mut changes: Vec<Change>) -> Vec<Change> {
        match self.wrong {
            W::ReadTearsEntries if changes.len() > 100 => changes.truncate(changes.len() / 2),
            W::ReadDropsDeletions => changes.retain(|change| !change.action.is_delete()),
            W::EmptyBodiesAreDropped => changes.retain(|change| change.action.is_delete() || !change.action.is_empty()),
            W::IdsAreFolded | W::IdsAreComposed | W::TrailingDotsAreDropped => {
                for change in &mut changes {
                    change.id = self.id(&change.id);
                }
            }
            W::LargeBodiesAreCut => {
                for change in &mut changes {
                    if let Some(body) = change.action.body() {
                        let body = body.slice(..body.len().min(512 << 10).min(190 << 10));
                        change.action = longshore_core::Action::Put(body);
                    }
                }
            }
            _ => {}
        }
        changes
    }

    /// The id as this server keeps it.
    fn id(&self, id: &DocumentId) -> DocumentId {
        let text = id.as_str();
        let kept = match self.wrong {
            W::IdsAreFolded => text.to_lowercase(),
            // Of all that is composed, what the cases have.
            W::IdsAreComposed => text.replace("e\u{301}", "\u{e9}").replace("A\u{30a}", "\u{c5}"),
            W::TrailingDotsAreDropped => text.trim_end_matches('.').to_owned(),
            _ => text.to_owned(),
        };
        // No id is empty.
        kept.try_into().unwrap_or_else(|_| id.clone())
    }

    /// As many entries from this number on, where 10 stands before 2.
    async fn read_by_text(&self, from: Sequence, count: usize) -> Result<Vec<Reply<Option<Entry>>>> {
        let mut sorted = BTreeMap::new();
        let mut next = Sequence::FIRST;
        loop {
            let Some(entry) = self.inner.changes_read(next, 1).await?.pop().and_then(|reply| reply.value) else {
                break;
            };
            sorted.insert(next.get().to_string(), entry);
            next = next.next()?;
        }
        let found = sorted.range(from.get().to_string()..).map(|(_, entry)| Some(entry.clone()));
        Ok(found.chain(std::iter::repeat(None)).take(count).map(Reply::new).collect())
    }

    fn entry(&self, mut entry: Entry) -> Entry {
        if self.is(W::WriterIsForgotten) {
            entry.client = longshore_core::ClientId::from_bytes([0; 16]);
        }
        if let Content::Changes(changes) = entry.content {
            entry.content = Content::Changes(self.changes(changes));
        }
        entry
    }

    /// The wrong lock requests that the server beneath is sent in the place of this one.
    fn request(&self, request: &LockRequest) -> LockRequest {
        let mut request = request.clone();
        match self.wrong {
            W::ForceIsIgnored => request.force = false,
            W::NeverStale => request.sighting = None,
            W::GrantedTwice => request.force = true,
            W::RequestsUnchecked => {
                request.ttl = request.ttl.clamp(Duration::from_secs(1), Duration::from_secs(3600));
                request.purpose = request.purpose.chars().take(200).collect();
            }
            _ => {}
        }
        request
    }

    /// What a watcher that errs about time or records does.
    async fn impatient(&self, request: &LockRequest, locked: Locked) -> Result<Locked> {
        let Locked::Held(held) = &locked else { return Ok(locked) };
        let Some(seen) = &request.sighting else { return Ok(locked) };
        let waited = self.runtime.now().since(seen.at);
        let wall = Duration::from_millis(self.runtime.wall().abs_diff(real_wall()));
        let over = match self.wrong {
            W::StaleTooSoon => waited >= held.ttl / 2,
            W::SightingOfAnything => waited >= held.ttl,
            W::WallClock => wall > Duration::from_secs(3600),
            _ => false,
        };
        if over { self.inner.lock(&request.clone().with_force()).await } else { Ok(locked) }
    }

    async fn find(&self, id: &DocumentId, first: bool) -> Result<Option<Document>> {
        let mut found = None;
        for reply in self.inner.changes_read(Sequence::FIRST, 64).await? {
            let Some(entry) = reply.value else { break };
            let changes = match entry.content {
                Content::Changes(changes) => changes,
                Content::Segments(segments) => self.inner.segment(&segments[0]).await?,
                _ => Vec::new(),
            };
            let here = changes.into_iter().rfind(|change| change.id == *id).and_then(|change| change.document());
            found = if first { found.or(here) } else { here.or(found) };
        }
        Ok(found)
    }
}

fn real_wall() -> u64 {
    longshore_core::TokioRuntime.wall()
}

#[async_trait]
impl Server for Broken {
    async fn store(&self) -> Result<Reply<Option<StoreInfo>>> {
        let mut reply = self.inner.store().await?;
        match self.wrong {
            W::StoreIsNeverThere => reply.value = None,
            W::LookingInitializes => reply.value = Some(self.inner.initialize(&StoreOptions::default()).await?),
            W::IdentityChanges => {
                if let Some(info) = &mut reply.value {
                    info.id = random_id(&*self.runtime)?;
                }
            }
            _ => {}
        }
        Ok(reply)
    }

    async fn initialize(&self, options: &StoreOptions) -> Result<StoreInfo> {
        let mut info = self.inner.initialize(options).await?;
        if self.is(W::NewIdentityEachTime) {
            info.id = random_id(&*self.runtime)?;
        }
        Ok(info)
    }

    async fn floor(&self) -> Result<Option<Sequence>> {
        self.inner.floor().await
    }

    async fn changes_read(&self, from: Sequence, count: usize) -> Result<Vec<Reply<Option<Entry>>>> {
        if self.is(W::NumbersAreText) {
            return self.read_by_text(from, count).await;
        }
        let mut replies = self.inner.changes_read(from, count).await?;
        let whole: Vec<Option<Entry>> = replies.iter().map(|reply| reply.value.clone()).collect();
        for (at, reply) in replies.iter_mut().enumerate() {
            let number = from.get() + at as u64;
            match self.wrong {
                W::ReadSkips if number.is_multiple_of(4) => reply.value = whole.get(at + 1).cloned().flatten(),
                W::ReadRepeats if number.is_multiple_of(4) && at > 0 && reply.value.is_some() => {
                    reply.value.clone_from(&whole[at - 1]);
                }
                W::ReadHidesNewest if reply.value.is_some() => {
                    let next = self.inner.changes_read(number.try_into()?, 2).await?.pop().and_then(|next| next.value);
                    reply.value = reply.value.take().filter(|_| next.is_some());
                }
                W::ReadPastHeadGivesNewest if reply.value.is_none() && at > 0 => {
                    reply.value = whole[..at].iter().flatten().last().cloned();
                }
                _ => {}
            }
            reply.value = reply.value.take().map(|entry| self.entry(entry));
        }
        if self.is(W::ReadIsShort) && count > 1 {
            replies.pop();
        }
        Ok(replies)
    }

    async fn segment(&self, segment: &SegmentRef) -> Result<Vec<Change>> {
        let wanted = match self.wrong {
            W::SegmentSwapped => {
                let mut known = self.shared.segments.lock().unwrap();
                known.push(segment.clone());
                known[0].clone()
            }
            W::SegmentUnchecked => {
                let mut known = self.shared.segments.lock().unwrap();
                let found = known.iter().find(|known| known.name == segment.name).cloned();
                known.push(segment.clone());
                found.unwrap_or_else(|| segment.clone())
            }
            _ => segment.clone(),
        };
        Ok(self.changes(self.inner.segment(&wanted).await?))
    }

    async fn put(&self, checkpoint: u64, changes: ChangeStream<'_>) -> Result<Staged> {
        let staged = self.inner.put(checkpoint, changes).await?;
        match &staged.content {
            Content::Changes(changes) if self.is(W::StagedIsSeen) => {
                let documents = changes.iter().filter_map(Change::document);
                self.shared.staged.lock().unwrap().extend(documents.map(|document| (document.id.clone(), document)));
            }
            Content::Segments(segments) if self.is(W::SegmentUnchecked) => {
                self.shared.segments.lock().unwrap().extend(segments.clone());
            }
            _ => {}
        }
        Ok(staged)
    }

    async fn snapshot(&self) -> Result<Option<Snapshot>> {
        self.inner.snapshot().await
    }

    async fn snapshot_put(&self, checkpoint: u64, documents: ChangeStream<'_>) -> Result<Vec<SegmentRef>> {
        self.inner.snapshot_put(checkpoint, documents).await
    }

    async fn snapshot_seal(&self, checkpoint: u64, snapshot: &Snapshot) -> Result<SealedSnapshot> {
        self.inner.snapshot_seal(checkpoint, snapshot).await
    }

    async fn snapshot_write(&self, snapshot: &SealedSnapshot) -> Result<Written> {
        self.inner.snapshot_write(snapshot).await
    }

    async fn trim(&self, through: Sequence, dry_run: bool) -> Result<u64> {
        self.inner.trim(through, dry_run).await
    }

    fn prepare(&self, after: &Tip, author: &Author, staged: &Staged) -> Result<Prepared> {
        self.inner.prepare(after, author, staged)
    }

    async fn changes_write(&self, entry: &Prepared) -> Result<Reply<Written>> {
        if self.is(W::CommitIsForgotten) {
            return Ok(Reply::new(Written::Committed));
        }
        if self.is(W::CommitNeedsLease) && self.shared.locked.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Locked, "take the lease first"));
        }
        let there = self.inner.changes_read(entry.sequence, 1).await?.pop().and_then(|reply| reply.value);
        let mut reply = self.inner.changes_write(entry).await?;
        match self.wrong {
            W::TakenIsCommitted => reply.value = Written::Committed,
            W::OwnEntryIsTaken => reply.value = Written::Taken,
            W::RepeatIsTaken if there.is_some() => reply.value = Written::Taken,
            W::CommitDoubles if reply.value == Written::Committed && there.is_none() => {
                let written = self.inner.changes_read(entry.sequence, 1).await?.pop().and_then(|reply| reply.value);
                if let Some(written) = written.filter(|written| matches!(written.content, Content::Changes(_))) {
                    let author = Author { client: written.client, attempt: written.attempt, lease: None, time: None };
                    let staged = Staged { checkpoint: 0, content: written.content.clone(), too_large: Vec::new() };
                    let again = self.inner.prepare(&written.tip(), &author, &staged)?;
                    self.inner.changes_write(&again).await?;
                }
            }
            _ => {}
        }
        Ok(reply)
    }

    async fn get(&self, id: &DocumentId) -> Result<Option<Document>> {
        match self.wrong {
            W::GetFindsDeleted => self.find(id, false).await,
            W::GetFindsFirst => self.find(id, true).await,
            W::IdsAreFolded | W::IdsAreComposed | W::TrailingDotsAreDropped => self.inner.get(&self.id(id)).await,
            W::StagedIsSeen => {
                let staged = self.shared.staged.lock().unwrap().get(id).cloned();
                Ok(self.inner.get(id).await?.or(staged))
            }
            _ => self.inner.get(id).await,
        }
    }

    async fn lock(&self, request: &LockRequest) -> Result<Locked> {
        let held = self.shared.holder.lock().unwrap().clone();
        if let Some(held) = held.filter(|held| self.is(W::PurposeResumes) && held.purpose == request.purpose) {
            return Ok(Locked::Granted(held));
        }
        let locked = self.inner.lock(&self.request(request)).await?;
        let mut locked = self.impatient(request, locked).await?;
        if let Locked::Granted(lease) = &mut locked {
            *self.shared.holder.lock().unwrap() = Some(lease.clone());
            self.shared.locked.store(true, Ordering::SeqCst);
            if self.is(W::TokenReused) {
                lease.token = FencingToken::new(lease.token.get() - self.shared.released.load(Ordering::SeqCst))?;
            }
            if self.is(W::RequestsUnchecked) {
                (lease.ttl, lease.purpose) = (request.ttl, request.purpose.clone());
            }
        }
        Ok(locked)
    }

    async fn renew(&self, lease: &Lease) -> Result<Lease> {
        match self.wrong {
            W::RenewalKeepsToken => {
                let until = self.runtime.now().after(lease.ttl);
                Ok(Lease { until, ..lease.clone() })
            }
            W::ExpiredIsRenewed => {
                let now = self.runtime.now();
                self.inner.renew(&Lease { until: now.after(lease.ttl), ..lease.clone() }).await
            }
            W::RenewalCountsAnew => {
                let now = self.runtime.now();
                let again = !self.shared.renewed.lock().unwrap().insert(lease.token);
                let renewed = self.inner.renew(lease).await?;
                Ok(if again { Lease { until: now.after(lease.ttl), ..renewed } } else { renewed })
            }
            W::RenewalLandsLate => {
                let renewed = self.inner.renew(lease).await?;
                self.shared.renewed.lock().unwrap().insert(renewed.token);
                Ok(renewed)
            }
            _ => self.inner.renew(lease).await,
        }
    }

    async fn unlock(&self, lease: &Lease) -> Result<()> {
        if self.is(W::UnlockDoesNothing) {
            return Ok(());
        }
        *self.shared.holder.lock().unwrap() = None;
        self.shared.locked.store(false, Ordering::SeqCst);
        let mut lease = lease.clone();
        if self.is(W::TokenReused) {
            lease.token = FencingToken::new(lease.token.get() + self.shared.released.fetch_add(2, Ordering::SeqCst))?;
        }
        let renewed = self.is(W::RenewalLandsLate) && self.shared.renewed.lock().unwrap().contains(&lease.token);
        match self.inner.unlock(&lease).await {
            Ok(()) if renewed => self.inner.lock(&LockRequest::new(&lease.purpose).with_force()).await.map(drop),
            Err(error) if error.kind() == ErrorKind::Fenced && self.is(W::LateUnlockFreesNext) => {
                if let Locked::Granted(next) = self.inner.lock(&LockRequest::new("free").with_force()).await? {
                    self.inner.unlock(&next).await?;
                }
                Ok(())
            }
            result => result,
        }
    }

    async fn metadata_read(&self, name: &MetadataName) -> Result<Option<Metadata>> {
        let name =
            if self.is(W::MetadataNamesCollide) { MetadataName::new(&name.as_str()[..1])? } else { name.clone() };
        let read = self.inner.metadata_read(&name).await?;
        if let Some(read) = read.clone().filter(|_| self.is(W::MetadataIsStale)) {
            return Ok(Some(self.shared.first.lock().unwrap().entry(name).or_insert(read).clone()));
        }
        Ok(read)
    }

    async fn metadata_write(
        &self,
        name: &MetadataName,
        expected: Option<MetadataVersion>,
        bytes: Bytes,
    ) -> Result<MetadataVersion> {
        let mut name = name.clone();
        let mut expected = expected;
        match self.wrong {
            W::MetadataNamesCollide => {
                name = MetadataName::new(&name.as_str()[..1])?;
                expected = self.inner.metadata_read(&name).await?.map(|read| read.version);
            }
            W::ExpectationIgnored => expected = self.inner.metadata_read(&name).await?.map(|read| read.version),
            W::MetadataUnlimited if bytes.len() > 512 << 10 => return MetadataVersion::new(1),
            _ => {}
        }
        let written = self.inner.metadata_write(&name, expected, bytes).await;
        written.map_err(|error| {
            if self.is(W::ConflictSaysNothing) { Error::new(error.kind(), "somebody was faster") } else { error }
        })
    }

    fn traffic(&self) -> Traffic {
        if self.is(W::TrafficShrinks) {
            let call = self.calls.fetch_add(1, Ordering::SeqCst);
            return if call.is_multiple_of(2) { self.inner.traffic() } else { Traffic::default() };
        }
        self.inner.traffic()
    }
}
