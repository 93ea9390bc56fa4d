//! A history: who does what, and what befalls them. It is drawn from a seed before anything runs, so that it can be shrunk.

use std::fmt;

use longshore_core::LockPolicy;

use super::Options;
use super::fault::{Fault, Planned};
use super::large::LIMIT;
use super::machine::Clocks;
use super::mix;
use crate::dice::Dice;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// How many documents of a domain clients write: few, so that they meet.
const DOCUMENTS: u64 = 6;
/// Of a hundred histories, how many are over a storage that takes small objects only.
const LIMITED: u64 = 15;

#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) seed: u64,
    /// Whether replies carry the server's time.
    pub(super) timed: bool,
    /// The longest way of a request or a reply, in milliseconds.
    pub(super) latency: u64,
    /// The most bytes of an object, if the storage takes small ones only.
    pub(super) limit: Option<u64>,
    /// What the store's retention is, in milliseconds.
    pub(super) retention: u64,
    pub(super) clients: Vec<Client>,
}

#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) policy: LockPolicy,
    pub(super) clocks: Clocks,
    pub(super) script: Vec<Step>,
}

/// One thing that a client does.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// How long it waits before, in milliseconds.
    pub(super) gap: u64,
    /// In which domain: 0 or 1.
    pub(super) domain: usize,
    pub(super) deed: Deed,
    pub(super) faults: Vec<Planned>,
    /// What the app writes while the client syncs: at which poll, and what.
    pub(super) meanwhile: Vec<(u64, Write)>,
}

#[derive(Clone, Debug)]
pub(super) enum Deed {
    Write(Write),
    /// Several documents at once.
    WriteMany {
        first: u64,
        count: u64,
        bodies: Bodies,
    },
    Sync,
    /// The app takes the lease for a purpose of its own, and renews it, gives it back or forgets it after so long.
    Lease {
        ttl: u64,
        hold: u64,
        end: End,
    },
    /// Reads a piece of metadata and writes its next version.
    Metadata,
    /// The app ends and starts again.
    Restart,
    Reboot,
    Backup,
    Restore,
    /// This device becomes a copy of another.
    CopyOf(usize),
    /// For one sync, something else lies where the store was.
    WrongStore(Wrong),
    /// The server's clock moves by so many milliseconds.
    ServerClock(i64),
}

#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) document: u64,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Put,
    /// A body that others write too.
    PutCommon(u64),
    Delete,
}

/// How large several documents are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bodies {
    Small,
    /// They do not fit into an entry. Over a storage with a limit each needs an object of its own.
    Large,
    /// The same, and no object that the storage takes can hold the first.
    OneTooLarge,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    GiveBack,
    Renew,
    Forget,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    Emptied,
    Another,
    RolledBack,
    Forked,
    /// An object that this sync must read has a flipped bit.
    Damaged(u64),
}

pub(super) fn name(client: usize) -> &'static str {
    ["a", "b", "c", "d", "e", "f"].get(client).copied().unwrap_or("z")
}

/// The mood of a history: how much comes at once, and how rarely something else than writes and syncs.
struct Mood {
    hurry: u64,
    second_domain: bool,
    common: bool,
    large: bool,
    limit: Option<u64>,
}

impl Mood {
    fn draw(dice: &mut Dice, limit: Option<u64>) -> Self {
        Self {
            hurry: [0, 50, 95][dice.index(3)],
            second_domain: dice.chance(20),
            common: dice.chance(30),
            large: dice.chance(8),
            limit,
        }
    }
}

impl History {
    pub(super) fn draw(seed: u64, options: &Options) -> Self {
        let mut dice = Dice::new(mix(&[seed, 1]));
        let first = dice.between(options.clients.0 as u64, options.clients.1 as u64);
        let copies = u64::from(first < 6 && dice.chance(40));
        let limit = Dice::new(mix(&[seed, 5])).chance(LIMITED).then_some(LIMIT);
        let mood = Mood::draw(&mut dice, limit);
        let mut history = Self {
            seed,
            timed: dice.chance(60),
            latency: [0, 0, 30, 400][dice.index(4)],
            limit,
            retention: if dice.chance(50) { 30 * DAY } else { 2 * HOUR },
            clients: Vec::new(),
        };
        for client in 0..first + copies {
            let policy = if dice.chance(20) { LockPolicy::Always } else { LockPolicy::Contended };
            let clocks = Clocks {
                origin: dice.below(10 * DAY),
                drift: i64::try_from(dice.below(200)).unwrap_or(0) - 100,
                wall: i64::try_from(dice.below(2 * DAY)).unwrap_or(0) - i64::try_from(DAY).unwrap_or(0),
            };
            let mut script: Vec<Step> = (0..options.operations).map(|_| Step::draw(&mut dice, &mood)).collect();
            if client >= first {
                script.insert(0, Step::quiet(dice.below(30_000), Deed::CopyOf(dice.index(client_index(first)))));
            }
            history.clients.push(Client { policy, clocks, script });
        }
        history.plan_faults(&mut dice, options.faults, 0);
        history
    }

    /// Gives it more: each device does something more, and as many faults are planned for that as were for all before.
    pub(super) fn go_on(&mut self, options: &Options) {
        let mut dice = Dice::new(mix(&[self.seed, 2, self.size() as u64]));
        let mood = Mood::draw(&mut dice, self.limit);
        let from = self.clients.iter().map(|client| client.script.len()).max().unwrap_or(0);
        for client in &mut self.clients {
            let more = from + options.operations.div_ceil(5) - client.script.len();
            client.script.extend((0..more).map(|_| Step::draw(&mut dice, &mood)));
        }
        self.plan_faults(&mut dice, options.faults, from);
    }

    /// Plans so many faults for the steps from there on.
    fn plan_faults(&mut self, dice: &mut Dice, count: usize, from: usize) {
        let calls = self.clients.iter().enumerate().flat_map(|(client, c)| c.calls(client));
        let places: Vec<(usize, usize)> = calls.filter(|(_, step)| *step >= from).collect();
        for _ in 0..if places.is_empty() { 0 } else { count } {
            let (client, step) = places[dice.index(places.len())];
            self.clients[client].script[step].faults.push(Planned::draw(dice));
        }
    }

    /// How many steps and faults it has.
    pub(super) fn size(&self) -> usize {
        let steps = self.clients.iter().flat_map(|client| &client.script);
        steps.map(|step| 1 + step.faults.len() + step.meanwhile.len()).sum()
    }

    /// It in words, a line for each step.
    pub(super) fn lines(&self) -> Vec<String> {
        let time = if self.timed { "replies carry the server's time" } else { "replies carry no time" };
        let limit = self.limit.map_or_else(String::new, |limit| format!(", objects have at most {limit} bytes"));
        let mut lines = vec![format!("requests take up to {} ms, {time}{limit}", self.latency * 2)];
        for (at, client) in self.clients.iter().enumerate().filter(|(_, client)| !client.script.is_empty()) {
            lines.push(format!("device {} (lease: {:?})", name(at), client.policy));
            lines.extend(client.script.iter().map(|step| format!("  {step}")));
        }
        lines
    }
}

fn client_index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

impl Client {
    /// The steps that call the storage.
    fn calls(&self, client: usize) -> impl Iterator<Item = (usize, usize)> {
        let calls = |step: &Step| matches!(step.deed, Deed::Sync | Deed::Lease { .. } | Deed::Metadata);
        self.script.iter().enumerate().filter(move |(_, step)| calls(step)).map(move |(at, _)| (client, at))
    }
}

impl Step {
    fn quiet(gap: u64, deed: Deed) -> Self {
        Self { gap, domain: 0, deed, faults: Vec::new(), meanwhile: Vec::new() }
    }

    fn draw(dice: &mut Dice, mood: &Mood) -> Self {
        let deed = Deed::draw(dice, mood);
        let domain = usize::from(mood.second_domain && dice.chance(25));
        let meanwhile = match deed {
            Deed::Sync if dice.chance(30) => {
                (0..dice.between(1, 3)).map(|_| (dice.below(40), Write::draw(dice, mood))).collect()
            }
            _ => Vec::new(),
        };
        Self { gap: gap(dice, mood), domain, deed, faults: Vec::new(), meanwhile }
    }
}

/// How long a client waits: most often hardly at all, rarely for days.
fn gap(dice: &mut Dice, mood: &Mood) -> u64 {
    if dice.chance(mood.hurry) {
        return dice.below(100);
    }
    match dice.below(1000) {
        0..700 => dice.below(2_000),
        700..930 => dice.below(40_000),
        930..985 => dice.below(20 * MINUTE),
        985..996 => dice.below(5 * HOUR),
        _ => dice.below(25 * DAY),
    }
}

impl Deed {
    fn draw(dice: &mut Dice, mood: &Mood) -> Self {
        match dice.below(1000) {
            0..400 => Self::Write(Write::draw(dice, mood)),
            400..430 => {
                let large = mood.large && dice.chance(25);
                let (first, count) = (dice.below(DOCUMENTS), dice.between(2, 5));
                Self::WriteMany { first, count, bodies: Bodies::draw(dice, mood.limit.is_some(), large) }
            }
            430..860 => Self::Sync,
            860..890 => Self::Lease {
                ttl: dice.between(1, 40) * 1000,
                hold: dice.below(50_000),
                end: [End::GiveBack, End::Renew, End::Forget][dice.index(3)],
            },
            890..930 => Self::Metadata,
            930..950 => Self::Restart,
            950..960 => Self::Reboot,
            960..970 => Self::Backup,
            970..980 => Self::Restore,
            980..997 => Self::WrongStore(Wrong::draw(dice)),
            _ => Self::ServerClock(jump(dice)),
        }
    }
}

impl Bodies {
    fn draw(dice: &mut Dice, limited: bool, large: bool) -> Self {
        match (limited, large) {
            (true, _) => [Self::Small, Self::Large, Self::Large, Self::OneTooLarge][dice.index(4)],
            (false, true) => Self::Large,
            (false, false) => Self::Small,
        }
    }
}

fn jump(dice: &mut Dice) -> i64 {
    let size = i64::try_from([MINUTE, 3 * HOUR, 40 * DAY, 4000 * DAY][dice.index(4)]).unwrap_or(0);
    if dice.chance(50) { size } else { -size }
}

impl Write {
    fn draw(dice: &mut Dice, mood: &Mood) -> Self {
        let what = match dice.below(100) {
            0..22 => What::Delete,
            22..50 if mood.common => What::PutCommon(dice.below(3)),
            _ => What::Put,
        };
        Self { document: dice.below(DOCUMENTS), what }
    }
}

impl Wrong {
    fn draw(dice: &mut Dice) -> Self {
        match dice.below(6) {
            0 => Self::Emptied,
            1 => Self::Another,
            2 => Self::RolledBack,
            3 => Self::Forked,
            _ => Self::Damaged(dice.next()),
        }
    }
}

impl Planned {
    fn draw(dice: &mut Dice) -> Self {
        let fault = match dice.below(21) {
            0 => Fault::LostBefore,
            1 | 2 => Fault::LostAfter,
            3 => Fault::Cut,
            4 | 5 => Fault::Late { calls: dice.below(300) },
            6 => Fault::Twice,
            7 | 15 | 16 => Fault::Stale { millis: dice.below(60_000) },
            8 => Fault::Slow { millis: [31_000, 70_000, 15 * MINUTE, 40 * MINUTE][dice.index(4)] },
            9 => Fault::Refused { seconds: dice.between(1, 30) },
            10 => Fault::Outage { calls: dice.between(1, 12) },
            11 => Fault::DieBefore,
            12 => Fault::DieAfter,
            13 => Fault::Dropped { polls: dice.below(60) },
            // For less and for more than a create is tried.
            20 => Fault::Hidden { millis: dice.below(30_000) },
            // It has none when it begins, for more or fewer calls than one request is tried.
            18 | 19 => return Self { after: 0, fault: Fault::Offline { calls: dice.between(1, 12) } },
            _ => {
                let millis = [500, 40_000, 2 * MINUTE, HOUR][dice.index(4)];
                Fault::Suspended { polls: dice.below(60), millis }
            }
        };
        Self { after: dice.below(5), fault }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {} ms: {}", self.gap, self.deed)?;
        if self.domain > 0 {
            f.write_str(" (second domain)")?;
        }
        self.faults.iter().try_for_each(|fault| write!(f, "; {fault}"))?;
        self.meanwhile.iter().try_for_each(|(poll, write)| write!(f, "; at poll {poll} the app does: {write}"))
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(write) => write.fmt(f),
            Self::WriteMany { first, count, bodies } => {
                let (large, but) = match bodies {
                    Bodies::Small => ("", ""),
                    Bodies::Large => (" large", ""),
                    Bodies::OneTooLarge => (" large", ", the first larger than any object"),
                };
                write!(f, "write {count}{large} documents at once, from {first} on{but}")
            }
            Self::Sync => f.write_str("sync"),
            Self::Lease { ttl, hold, end } => {
                write!(f, "take the lease for {ttl} ms, hold it for {hold} ms, then {end:?}")
            }
            Self::Metadata => f.write_str("write the next version of the metadata"),
            Self::Restart => f.write_str("end the app and start it again"),
            Self::Reboot => f.write_str("reboot"),
            Self::Backup => f.write_str("make a backup of the replica"),
            Self::Restore => f.write_str("restore the replica from the backup"),
            Self::CopyOf(other) => write!(f, "become a copy of device {}", name(*other)),
            Self::WrongStore(wrong) => write!(f, "sync once with a store that is {wrong:?}"),
            Self::ServerClock(by) => write!(f, "the server's clock jumps by {by} ms"),
        }
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Put => write!(f, "write document {}", self.document),
            What::PutCommon(body) => write!(f, "write document {} with the common body {body}", self.document),
            What::Delete => write!(f, "delete document {}", self.document),
        }
    }
}
