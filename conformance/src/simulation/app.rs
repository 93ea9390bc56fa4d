//! The app of a simulation: what it writes, and how it decides conflicts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use longshore_core::{Action, Answer, Conflict, Document, DocumentId, Hash, Version};

use super::Broken;
use super::coverage::Counters;
use super::history::{What, Write};
use super::mix;
use super::shadow::Written;
use super::time::lock;
use crate::case::Rule;
use crate::dice::Dice;

pub(super) type Resolve = Arc<dyn Fn(&Conflict) -> Answer + Send + Sync>;
pub(super) type Keeps = Arc<dyn Fn(&Conflict, &Answer) -> Result<(), String> + Send + Sync>;
pub(super) type Edit = Arc<dyn Fn(&mut Dice, Option<&Document>) -> Bytes + Send + Sync>;

/// What an author brings; where nothing is brought, the simulation's own app does it.
#[derive(Clone, Default)]
pub(super) struct App {
    pub(super) resolve: Option<Resolve>,
    pub(super) keeps: Option<Keeps>,
    pub(super) edit: Option<Edit>,
}

/// How the app of one history decides: the same conflict of the same device gives the same answer.
pub(super) struct Decider {
    app: App,
    seed: u64,
    counters: Counters,
    asked: Mutex<BTreeMap<(u64, DocumentId), u64>>,
    copies: Copies,
}

#[derive(Default)]
struct Copies(AtomicU64);

impl Copies {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

impl App {
    /// What the app makes of a document: `number` is that of the write.
    pub(super) fn write(
        &self,
        (seed, number): (u64, u64),
        write: &Write,
        id: &DocumentId,
        before: Option<&Document>,
    ) -> Option<Written> {
        let body = match (write.what, &self.edit) {
            (What::Delete, _) if before.is_none() => return None,
            (What::Delete, _) => None,
            (_, Some(edit)) => Some(edit(&mut Dice::new(mix(&[seed, number, 9])), before)),
            (What::PutCommon(body), None) => Some(Bytes::from(format!("common {body}"))),
            (What::Put, None) => Some(Bytes::from(format!("written {number}"))),
        };
        let action = body.map_or(Action::Delete, Action::Put);
        Some(Written { id: id.clone(), action, revision: Some(format!("w{number}")) })
    }
}

impl Decider {
    pub(super) fn new(app: &App, seed: u64, counters: &Counters) -> Self {
        Self { app: app.clone(), seed, counters: counters.clone(), asked: Mutex::default(), copies: Copies::default() }
    }

    /// The answer; an error is a rule of the author's that it breaks.
    pub(super) fn decide(&self, device: u64, conflict: &Conflict, healing: bool) -> (Answer, Result<(), Broken>) {
        let answer = match &self.app.resolve {
            Some(resolve) => resolve(conflict),
            None => self.own(device, conflict, healing),
        };
        self.counters.count(match &answer {
            Answer::KeepLocal => "answer: keep local",
            Answer::TakeRemote => "answer: take remote",
            Answer::Merge { .. } => "answer: merge",
            Answer::KeepBoth { .. } => "answer: keep both",
            _ => "answer: later",
        });
        let verdict = self.judge(conflict, &answer);
        (answer, verdict)
    }

    fn judge(&self, conflict: &Conflict, answer: &Answer) -> Result<(), Broken> {
        let id = conflict.id.as_str();
        if let Some(resolve) = &self.app.resolve
            && resolve(conflict) != *answer
        {
            let seen = format!(
                "asked twice about one conflict of {id:?}, the resolver gives two answers: devices may never agree"
            );
            return Err(Broken::new(Rule::Invariant(5), seen));
        }
        let kept = self.app.keeps.as_ref().map_or(Ok(()), |keeps| keeps(conflict, answer));
        kept.map_err(|why| {
            let seen = format!("the resolver's answer to a conflict of {id:?} drops what it must keep: {why}");
            Broken::new(Rule::Invariant(4), seen)
        })
    }

    /// Any answer there is.
    fn own(&self, device: u64, conflict: &Conflict, healing: bool) -> Answer {
        let asked = {
            let mut asked = lock(&self.asked);
            let count = asked.entry((device, conflict.id.clone())).or_default();
            *count += 1;
            *count
        };
        let (sequence, row) = (conflict.sequence.get(), conflict.row.get());
        let mut dice = Dice::new(mix(&[self.seed, device, sequence, row]));
        let choice = dice.below(6);
        let patience = mix(&[self.seed, device, sequence, row, asked]) % 4;
        if choice == 5 && patience > 0 && !healing {
            return Answer::Later;
        }
        match (choice, &conflict.local) {
            (0, _) => Answer::KeepLocal,
            (1, _) => Answer::TakeRemote,
            // A restored device may be asked again what it answered before: each copy has an id of its own.
            (2, Version::Present(_)) => match DocumentId::new(format!("copy {device} {}", self.copies.next())) {
                Ok(copy) => Answer::KeepBoth { copy },
                Err(_) => Answer::KeepLocal,
            },
            _ => merge(conflict),
        }
    }
}

/// One body of both.
fn merge(conflict: &Conflict) -> Answer {
    let part = |version: &Version| match version {
        Version::Present(document) => Hash::of(&document.body).to_string()[..16].to_owned(),
        Version::Deleted => "deleted".to_owned(),
    };
    let mut parts = [part(&conflict.local), part(&conflict.remote)];
    parts.sort();
    Answer::Merge { revision: None, body: Bytes::from(parts.join(" and ")) }
}
