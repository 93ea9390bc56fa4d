//! The suite is worth what it catches: here are servers that are wrong in one way each, as real ones are, and the cases that must
//! catch them. Each goes through the entry point that every author of a `Server` uses.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use longshore_conformance::{Group, Harness, Site, Size, Suite, Verdict};
use longshore_core::format::SegmentRef;
use longshore_core::{
    Author, ByteRange, Capabilities, Change, ChangeStream, Content, Created, Document, DocumentId, Entry, Error,
    ErrorKind, FencingToken, Folder, Lease, Listing, LockRequest, Locked, MemoryStorage, Metadata, MetadataName,
    MetadataVersion, Object, ObjectKey, Payload, Prepared, Reply, Result, Runtime, Sequence, Server, Staged, Storage,
    StoreId, StoreInfo, StoreOptions, StoredServer, Tip, Traffic, Written,
};

/// In which one way a server is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wrong {
    /// Not at all.
    Nothing,
    /// `store` never knows the store.
    StoreIsNeverThere,
    /// `initialize` gives a new identity each time.
    NewIdentityEachTime,
    /// Looking for a store initialises one.
    LookingInitializes,
    /// The store's identity changes with every look.
    IdentityChanges,
    /// All domains share the log of the first.
    OneLogForAllDomains,
    /// A taken number is answered with `Committed`.
    TakenIsCommitted,
    /// A free number is answered with `Taken`, though the entry is in.
    OwnEntryIsTaken,
    /// The same bytes at the same number, sent again, are `Taken`.
    RepeatIsTaken,
    /// Acknowledged and thrown away.
    CommitIsForgotten,
    /// Reading leaves out every fourth entry.
    ReadSkips,
    /// Reading repeats the entry before in the place of every fourth.
    ReadRepeats,
    /// Reading does not see the newest entry.
    ReadHidesNewest,
    /// Reading past the head gives the newest entry again.
    ReadPastHeadGivesNewest,
    /// One reply fewer than numbers were asked for.
    ReadIsShort,
    /// A reader sees the first half of a large entry's changes.
    ReadTearsEntries,
    /// Of deletions in an entry nothing is seen.
    ReadDropsDeletions,
    /// Ids come back in lower case.
    IdsAreFolded,
    /// Bodies of no bytes are dropped.
    EmptyBodiesAreDropped,
    /// A segment is another one.
    SegmentSwapped,
    /// The bytes of a segment are not checked against the hash that its entry names.
    SegmentUnchecked,
    /// Large bodies are cut at 512 KiB.
    LargeBodiesAreCut,
    /// `get` of a deleted document answers the old one.
    GetFindsDeleted,
    /// `get` answers the first version.
    GetFindsFirst,
    /// `get` finds what is staged only.
    StagedIsSeen,
    /// A lease that is held is granted once more.
    GrantedTwice,
    /// Grants count from 1 again after a release.
    TokenReused,
    /// A renewal keeps the old token.
    RenewalKeepsToken,
    /// A lease that ran out is renewed.
    ExpiredIsRenewed,
    /// A lost lease is given back without a word, and the next holder's with it.
    LateUnlockFreesNext,
    /// A lease runs out for watchers at half its time.
    StaleTooSoon,
    /// A lease never runs out for watchers.
    NeverStale,
    /// A first look counts for whatever record comes next.
    SightingOfAnything,
    /// Force is not heard.
    ForceIsIgnored,
    /// Whoever asks for the same purpose resumes the lease.
    PurposeResumes,
    /// A release does nothing.
    UnlockDoesNothing,
    /// Times and purposes are not checked.
    RequestsUnchecked,
    /// Leases last by the wall clock.
    WallClock,
    /// The lease of all domains is one.
    CommitNeedsLease,
    /// A renewal that is sent again counts its time anew.
    RenewalCountsAnew,
    /// Metadata is written whatever version is expected.
    ExpectationIgnored,
    /// A conflict does not say the newest version.
    ConflictSaysNothing,
    /// Metadata of one first letter is one piece.
    MetadataNamesCollide,
    /// Metadata has no limit.
    MetadataUnlimited,
    /// Metadata keeps its first value.
    MetadataIsStale,
    /// Counters start anew with each call.
    TrafficShrinks,
    /// A dropped commit takes effect twice: behind itself.
    CommitDoubles,
    /// Entries come with another writer's name.
    WriterIsForgotten,
}

use Wrong as W;

/// Who must be caught, and by which cases among others.
const CAUGHT: &[(Wrong, &[&str])] = &[
    (W::StoreIsNeverThere, &["server::store::initialized_twice_it_is_one"]),
    (
        W::NewIdentityEachTime,
        &["server::store::initialized_twice_it_is_one", "server::store::all_that_initialize_at_once_agree"],
    ),
    (
        W::LookingInitializes,
        &["server::store::initialized_twice_it_is_one", "sync::replaced::an_empty_place_is_not_joined"],
    ),
    (
        W::IdentityChanges,
        &["server::store::initialized_twice_it_is_one", "sync::conflicts::told_once_with_all_three_sides"],
    ),
    (W::OneLogForAllDomains, &["server::store::another_domain_is_its_own", "sync::domains::two_beside_each_other"]),
    (
        W::TakenIsCommitted,
        &[
            "server::log::other_bytes_find_the_number_taken",
            "server::log::of_many_appenders_each_gets_in_once",
            "server::log::a_commit_in_one_call",
            "sync::fleet::syncing_at_once_they_converge",
        ],
    ),
    (W::OwnEntryIsTaken, &["server::log::entries_come_as_written"]),
    (W::RepeatIsTaken, &["server::log::the_same_bytes_again_are_the_same_commit"]),
    (W::CommitIsForgotten, &["server::log::entries_come_as_written", "sync::ids::of_all_shapes_arrive"]),
    (W::ReadSkips, &["server::log::twelve_hundred_entries"]),
    (W::ReadRepeats, &["server::log::twelve_hundred_entries", "sync::fleet::one_that_was_away_catches_up"]),
    (W::ReadHidesNewest, &["server::log::entries_come_as_written", "sync::commits::nothing_new_is_nothing_done"]),
    (W::ReadPastHeadGivesNewest, &["server::log::nothing_lies_past_the_head"]),
    (W::ReadIsShort, &["server::log::nothing_lies_past_the_head"]),
    (
        W::ReadTearsEntries,
        &["server::log::a_commit_is_seen_whole", "sync::commits::a_reader_sees_all_of_a_bulk_or_nothing"],
    ),
    (
        W::ReadDropsDeletions,
        &[
            "server::log::entries_come_as_written",
            "sync::pairs::on_the_same_document",
            "sync::pairs::on_different_documents",
            "sync::conflicts::told_once_with_all_three_sides",
            "sync::conflicts::equal_changes_are_none",
        ],
    ),
    (W::IdsAreFolded, &["sync::ids::of_all_shapes_arrive", "server::documents::ids_of_all_shapes"]),
    (W::EmptyBodiesAreDropped, &["sync::bodies::of_every_size_arrive"]),
    (W::SegmentSwapped, &["server::segments::around_512_kib", "sync::bodies::of_every_size_arrive"]),
    (W::SegmentUnchecked, &["server::segments::one_that_is_not_as_named_is_corrupt"]),
    (
        W::LargeBodiesAreCut,
        &[
            "server::segments::around_512_kib",
            "server::segments::a_large_commit_reads_back",
            "sync::bodies::of_every_size_arrive",
            "sync::bodies::together_larger_than_a_segment",
        ],
    ),
    (W::GetFindsDeleted, &["server::documents::get_of_a_deleted_one_is_none"]),
    (W::GetFindsFirst, &["server::documents::get_finds_the_newest"]),
    (W::StagedIsSeen, &["server::segments::what_is_staged_is_not_seen"]),
    (
        W::GrantedTwice,
        &["server::lease::granted_renewed_and_released", "server::lease::of_sixteen_contenders_one_has_it"],
    ),
    (W::TokenReused, &["server::lease::tokens_grow_over_fifty_grants"]),
    (
        W::RenewalKeepsToken,
        &["server::lease::granted_renewed_and_released", "server::lease::a_renewal_starts_the_wait_anew"],
    ),
    (W::ExpiredIsRenewed, &["server::lease::a_holder_that_slept_is_fenced"]),
    (
        W::LateUnlockFreesNext,
        &["server::lease::a_holder_that_slept_is_fenced", "server::lease::by_force_the_holder_is_fenced"],
    ),
    (W::StaleTooSoon, &["server::lease::taken_over_after_its_whole_time_only"]),
    (
        W::NeverStale,
        &[
            "server::lease::taken_over_after_its_whole_time_only",
            "server::lease::a_dead_holder_blocks_for_one_time_to_live",
            "server::lease::a_watcher_that_restarts_waits_no_longer",
            "sync::locking::a_dead_holder_delays_by_its_time_to_live",
        ],
    ),
    (W::SightingOfAnything, &["server::lease::a_sighting_of_something_else_steals_nothing"]),
    (W::ForceIsIgnored, &["server::lease::by_force_the_holder_is_fenced"]),
    (W::PurposeResumes, &["server::lease::a_restarted_holder_resumes_nothing"]),
    (
        W::UnlockDoesNothing,
        &[
            "server::lease::granted_renewed_and_released",
            "sync::locking::always_leaves_no_lease_held",
            "sync::locking::a_failed_sync_leaves_no_lease_held",
        ],
    ),
    (W::RequestsUnchecked, &["server::lease::wrong_calls_are_refused"]),
    (W::WallClock, &["server::lease::wrong_wall_clocks_change_nothing"]),
    (W::CommitNeedsLease, &["server::lease::it_holds_no_commit_back"]),
    (W::RenewalCountsAnew, &["server::lease::a_renewal_sent_again_lasts_no_longer"]),
    (
        W::ExpectationIgnored,
        &["server::metadata::a_wrong_expectation_is_a_conflict", "server::metadata::a_counter_adds_up"],
    ),
    (W::ConflictSaysNothing, &["server::metadata::a_wrong_expectation_is_a_conflict"]),
    (W::MetadataNamesCollide, &["server::metadata::names_of_all_shapes"]),
    (W::MetadataUnlimited, &["server::metadata::up_to_512_kib"]),
    (W::MetadataIsStale, &["server::metadata::versions_follow_each_other"]),
    (W::TrafficShrinks, &["server::traffic::counters_only_grow"]),
    (
        W::CommitDoubles,
        &[
            "sync::fleet::writing_in_turns_they_converge",
            "sync::interrupted::a_dropped_push_loses_nothing",
            "sync::interrupted::a_dropped_first_sync_loses_nothing",
            "sync::conflicts::every_answer_does_what_it_says",
            "sync::conflicts::an_open_one_holds_nothing_else_back",
            "sync::copies::a_pending_change_that_was_cloned_is_committed_once",
            "sync::copies::an_open_attempt_that_was_cloned_is_committed_once",
            "sync::copies::a_restored_backup_catches_up",
            "sync::locking::always_at_once_they_converge",
        ],
    ),
    (W::WriterIsForgotten, &["sync::copies::a_clone_takes_a_new_name"]),
];

/// Cases that look beneath the server: what must be refused there is hidden by [`Proxy`].
const HIDDEN_BY_A_PROXY: &[&str] = &[
    "server::damage::a_missing_entry_is_not_closed_up",
    "server::damage::a_store_without_its_format_is_corrupt",
    "server::damage::bytes_that_were_changed_are_corrupt",
    "sync::damage::no_wrong_document_comes_of_it",
    "sync::damage::removed_segments_are_corrupt",
    "sync::replaced::a_fork_is_refused",
    "sync::replaced::a_log_with_a_hole_is_corrupt",
    "sync::replaced::a_reset_store_is_refused",
    "sync::replaced::an_emptied_store_is_refused",
    "sync::replaced::an_older_copy_is_refused",
    "sync::replaced::another_store_is_refused",
    "sync::replaced::entries_of_two_histories_are_refused",
    "sync::replaced::what_comes_back_is_known_again",
];

/// Cases that nothing here fails.
const NOT_YET_SHOWN: &[&str] = &[];

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

fn harness(wrong: Wrong) -> Harness {
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
            W::IdsAreFolded => {
                for change in &mut changes {
                    change.id = change.id.as_str().to_lowercase().try_into().unwrap_or_else(|_| change.id.clone());
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
                    let staged = Staged { checkpoint: 0, content: written.content.clone() };
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
            W::IdsAreFolded => self.inner.get(&id.as_str().to_lowercase().try_into()?).await,
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
        match self.inner.unlock(&lease).await {
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

/// A proxy that keeps every answer for ever, deletions or not: what is done to a store behind it is not seen.
#[derive(Clone, Debug, Default)]
struct Proxy {
    origin: MemoryStorage,
    kept: Arc<Mutex<BTreeMap<ObjectKey, Bytes>>>,
}

impl Proxy {
    fn keep(&self, key: &ObjectKey, bytes: &Bytes) -> Bytes {
        self.kept.lock().unwrap().entry(key.clone()).or_insert_with(|| bytes.clone()).clone()
    }
}

#[async_trait]
impl Storage for Proxy {
    fn capabilities(&self) -> Capabilities {
        self.origin.capabilities()
    }

    async fn create(&self, key: &ObjectKey, bytes: Bytes) -> Result<Reply<Created>> {
        let reply = self.origin.create(key, bytes.clone()).await?;
        if reply.value == Created::Created {
            self.keep(key, &bytes);
        }
        Ok(reply)
    }

    async fn put(&self, key: &ObjectKey, payload: Payload) -> Result<Reply<()>> {
        let parts: Vec<Bytes> = payload.into_stream().try_collect().await?;
        let bytes = Bytes::from(parts.concat());
        self.keep(key, &bytes);
        self.origin.put(key, Payload::from(bytes)).await
    }

    async fn get(&self, key: &ObjectKey, range: ByteRange) -> Result<Reply<Option<Object>>> {
        let kept = self.kept.lock().unwrap().get(key).cloned();
        match kept {
            Some(bytes) if range == ByteRange::ALL => {
                let len = bytes.len() as u64;
                Ok(Reply::new(Some(Object::new(len, len, stream::iter([Ok(bytes)]).boxed()))))
            }
            _ => self.origin.get(key, range).await,
        }
    }

    async fn list(&self, folder: &Folder, after: Option<&str>) -> Result<Reply<Listing>> {
        self.origin.list(folder, after).await
    }

    async fn delete(&self, key: &ObjectKey) -> Result<Reply<()>> {
        self.origin.delete(key).await
    }
}

/// The cases of both groups that fail over this server.
fn failing(wrong: Wrong, only: &[&str]) -> BTreeMap<&'static str, String> {
    failing_over(harness(wrong), only)
}

fn failing_over(harness: Harness, only: &[&str]) -> BTreeMap<&'static str, String> {
    let mut suite = Suite::new(harness).size(Size::Quick).seed(1);
    for pattern in only {
        suite = suite.only(*pattern);
    }
    let reports = suite.run().unwrap();
    let failed = reports.into_iter().filter_map(|report| match report.verdict {
        Verdict::Failed { seen, .. } => Some((report.case.name(), seen)),
        _ => None,
    });
    failed.collect()
}

/// The right server passes, so what fails below fails for the wrong that was done.
#[test]
fn a_right_server_passes() {
    let failed = failing(W::Nothing, &["server::", "sync::"]);
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn each_wrong_server_is_caught() {
    let mut missed = Vec::new();
    for (wrong, cases) in CAUGHT {
        let failed = failing(*wrong, cases);
        for case in *cases {
            match failed.get(case) {
                Some(seen) => println!("{wrong:?}: {case}: {}", seen.chars().take(160).collect::<String>()),
                None => missed.push(format!("{wrong:?} passes {case}")),
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn a_proxy_that_hides_what_happens_is_caught() {
    let proxy = Proxy::default();
    let harness = Harness::storage("proxy", move |_| {
        let client = proxy.clone();
        async move { Ok(Arc::new(client) as Arc<dyn Storage>) }
    });
    let failed = failing_over(harness.in_this_process(), HIDDEN_BY_A_PROXY);
    for case in HIDDEN_BY_A_PROXY {
        let seen = failed.get(case).unwrap_or_else(|| panic!("{case} passes"));
        println!("proxy: {case}: {seen}");
        assert!(!seen.contains("cannot be removed"), "{case} fails for its litter only");
    }
}

/// The other way round: a case that nothing fails shows nothing.
#[test]
fn each_case_catches_something() {
    let groups = [Group::Server, Group::Sync];
    let all = Suite::cases().into_iter().filter(|case| groups.contains(&case.group()));
    let all: BTreeSet<&str> = all.map(|case| case.name()).collect();
    let shown = CAUGHT.iter().flat_map(|(_, cases)| *cases).chain(HIDDEN_BY_A_PROXY);
    let shown: BTreeSet<&str> = shown.copied().collect();
    let listed: BTreeSet<&str> = NOT_YET_SHOWN.iter().copied().collect();
    println!("not shown to catch anything yet: {listed:#?}");
    let unknown: Vec<_> = shown.union(&listed).filter(|name| !all.contains(*name)).collect();
    assert!(unknown.is_empty(), "there are no such cases: {unknown:#?}");
    let both: Vec<_> = shown.intersection(&listed).collect();
    assert!(both.is_empty(), "shown now, so not to be listed any more: {both:#?}");
    let neither: Vec<_> = all.difference(&shown).filter(|name| !listed.contains(*name)).collect();
    assert!(neither.is_empty(), "no server here fails these cases: {neither:#?}");
}
