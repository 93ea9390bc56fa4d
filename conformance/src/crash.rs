//! Child processes of the adapter under test: this very program once more, told by a variable to sync one replica and to kill
//! itself at a chosen call, of the server or of its own replica; or to race others.

mod mortal;
mod race;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use longshore_core::{
    Client, DomainName, Folder, LockPolicy, Runtime as _, Server, StoreOptions, StoredServer, TokioRuntime,
};
use longshore_replica::{SqliteReplica, Synchronous};
use serde::{Deserialize, Serialize};

use crate::case::Size;
use crate::clock::VirtualClock;
use crate::context::Context;
use crate::dice::Dice;
use crate::faults::{self, Call, Fault, FaultServer, FaultStorage, Plan, When};
use crate::harness::{Harness, Scratch, Subject};
use crate::pace::Pace;
use crate::platform;
use crate::release::Releases;
use crate::verdict::Failure;
use mortal::Mortal;
pub(crate) use race::{WON, body, prize};

/// What tells a process that it is a child.
const VARIABLE: &str = "LONGSHORE_CONFORMANCE_CHILD";
/// How a line of a child's output begins that is for its parent.
const SAYS: &str = "longshore-child";
/// What a child ends with that failed, and one that tells nothing of any rule.
const FAILED: i32 = 3;
const UNJUDGED: i32 = 4;
/// After how long a child that hangs ends itself.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a child has to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    scratch: PathBuf,
    root: String,
    slot: usize,
    seed: u64,
    /// The replica that it syncs, or the folder where racers meet.
    replica: PathBuf,
    work: Work,
    /// Where it dies; nowhere if there is no such call.
    at: Option<Place>,
}

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Pushing and pulling.
    Sync,
    /// The same with the lease around it.
    SyncUnderLease,
    /// Creating what others create, too.
    Race(Race),
}

/// A race of creators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Race {
    /// Which of them this one is.
    pub(crate) racer: usize,
    pub(crate) racers: usize,
    pub(crate) rounds: usize,
}

/// A place in a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The call, counted from 0.
    pub(crate) call: usize,
    /// Where in it.
    pub(crate) moment: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Moment {
    Before,
    During,
    After,
}

/// What became of a child.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// It died in this call, as its own last words say.
    Died { call: usize, words: String },
    /// It came to its end after these calls, those to its replica included.
    Ended { calls: Vec<String> },
}

impl Work {
    pub(crate) fn policy(self) -> LockPolicy {
        match self {
            Self::Sync | Self::Race(_) => LockPolicy::Contended,
            Self::SyncUnderLease => LockPolicy::Always,
        }
    }
}

impl Moment {
    fn when(self) -> When {
        match self {
            Self::Before => When::Before,
            Self::During => When::During,
            Self::After => When::After,
        }
    }
}

impl Order {
    pub(crate) fn new(cx: &Context, replica: PathBuf, work: Work, at: Option<Place>, seed: u64) -> Self {
        let (scratch, root) = (cx.scratch.path().to_owned(), cx.root.to_string());
        Self { scratch, root, slot: cx.slot, seed, replica, work, at }
    }

    fn context(&self, harness: &Harness) -> Result<Context, Failure> {
        Ok(Context {
            harness: harness.clone(),
            scratch: Scratch::new(self.scratch.clone()),
            root: Folder::new(self.root.clone())?,
            slot: self.slot,
            next: Arc::new(AtomicUsize::new(self.slot + 1)),
            size: Size::default(),
            seed: self.seed,
            clock: VirtualClock::new(),
            pace: Pace::new(harness.rate, Arc::new(TokioRuntime)),
            opened: Arc::default(),
            releases: Releases::default(),
            #[cfg(feature = "network")]
            via: None,
        })
    }
}

/// The replica of this path.
pub(crate) async fn replica(path: PathBuf) -> Result<Arc<SqliteReplica>, Failure> {
    // Processes die here, not machines.
    Ok(Arc::new(SqliteReplica::builder(path).synchronous(Synchronous::Normal).open().await?))
}

/// Whether a call of this name was to the replica, not to the server.
pub(crate) fn is_local(operation: &str) -> bool {
    operation.starts_with(mortal::PREFIX)
}

/// Whether a call of this name changes something, on the server or here.
pub(crate) fn is_write(operation: &str) -> bool {
    operation == mortal::APPLY || faults::is_write(operation)
}

/// A client of the case's place for this replica; its calls, and those to the replica, meet this plan.
pub(crate) async fn client(
    cx: &Context,
    plan: &Plan,
    replica: &Arc<SqliteReplica>,
    work: Work,
) -> Result<Client, Failure> {
    let runtime = cx.clock().runtime();
    let server: Arc<dyn Server> = match &cx.harness.subject {
        Subject::Storage(_) => {
            let storage = Arc::new(FaultStorage::new(cx.storage().await?, plan));
            Arc::new(StoredServer::new(storage, Arc::clone(&runtime), &DomainName::default())?)
        }
        Subject::Server(_) => Arc::new(FaultServer::new(cx.server().await?, plan)),
    };
    let replica = Mortal::new(replica, plan);
    let builder = Client::builder_on(runtime, server, Arc::new(replica)).lock_policy(work.policy());
    Ok(builder.store_options(StoreOptions::default().with_probe(false)).build())
}

/// Starts a child and waits for its end.
pub(crate) async fn run(order: Order) -> Result<Fate, Failure> {
    let (send, receive) = futures::channel::oneshot::channel();
    TokioRuntime.offload(Box::new(move || drop(send.send(spawn(&order)))));
    let ended = receive.await.map_err(|_| Failure::unjudged("nobody waited for the child"))?;
    ended.and_then(|output| fate(&output))
}

fn spawn(order: &Order) -> Result<Output, Failure> {
    let failed =
        |what: &str, error: &dyn std::fmt::Display| Failure::unjudged(format!("no child process: {what}: {error}"));
    let order = serde_json::to_string(order).map_err(|error| failed("its order", &error))?;
    let program = std::env::current_exe().map_err(|error| failed("this program's file", &error))?;
    let mut command = Command::new(program);
    command.args(std::env::args_os().skip(1)).env(VARIABLE, order);
    command.stdin(Stdio::null()).output().map_err(|error| failed("it cannot be started", &error))
}

fn fate(output: &Output) -> Result<Fate, Failure> {
    let said = String::from_utf8_lossy(&output.stdout);
    let words = said.lines().find_map(|line| line.strip_prefix(SAYS)).unwrap_or_default().trim().to_owned();
    let rest: Vec<&str> = words.split(' ').skip(1).collect();
    let number = rest.first().and_then(|number| number.parse().ok());
    // A process that was killed has no code to end with, where the system knows signals.
    let killed = !output.status.success() && (output.status.code().is_none() || !platform::TELLS_SIGNALS);
    match (words.split(' ').next(), number) {
        (Some("died"), Some(call)) if killed => Ok(Fate::Died { call, words }),
        (Some("ended"), _) if output.status.success() => {
            Ok(Fate::Ended { calls: rest.into_iter().map(str::to_owned).collect() })
        }
        _ => {
            let errors = String::from_utf8_lossy(&output.stderr);
            let why = format!("a child process ended with {} and said {words:?}; {}", output.status, errors.trim());
            let told = Failure::new(why);
            Err(if output.status.code() == Some(UNJUDGED) { told.without_rule() } else { told })
        }
    }
}

/// Does a child's work and ends the process, if this one is a child.
pub(crate) fn act_if_child(harness: &Harness) {
    let Ok(text) = std::env::var(VARIABLE) else { return };
    // In a thread of its own: this one may be inside a runtime already.
    let acted = std::thread::scope(|scope| {
        let acting = std::thread::Builder::new().spawn_scoped(scope, || act(harness, &text));
        let acted = acting.map(std::thread::ScopedJoinHandle::join);
        acted.unwrap_or_else(|error| Ok(Err(Failure::unjudged(format!("no thread could be started: {error}")))))
    });
    let code = match acted.unwrap_or_else(|_| Err(Failure::unjudged("the child panicked"))) {
        Ok(()) => 0,
        Err(failure) => {
            eprintln!("{failure}");
            if failure.is_judged() { FAILED } else { UNJUDGED }
        }
    };
    std::process::exit(code)
}

fn act(harness: &Harness, text: &str) -> Result<(), Failure> {
    let order: Order =
        serde_json::from_str(text).map_err(|error| Failure::new(format!("{VARIABLE} is no order: {error}")))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::unjudged(format!("no runtime could be started: {error}")))?;
    runtime.block_on(async {
        tokio::time::timeout(DEADLINE, work(&order, &order.context(harness)?))
            .await
            .map_err(|_| Failure::unjudged("the child hangs"))?
    })
}

async fn work(order: &Order, cx: &Context) -> Result<(), Failure> {
    let Work::Race(race) = order.work else { return sync(order, cx).await };
    let words = race::run(cx, race, &order.replica).await?;
    say(format_args!("ended {}", words.join(" ")));
    Ok(())
}

async fn sync(order: &Order, cx: &Context) -> Result<(), Failure> {
    let plan = Plan::new(cx.clock());
    if let Some(place) = order.at {
        plan.arm(place.call as u64, Fault::Die(place.moment.when()));
    }
    let patience = Dice::for_purpose(order.seed, "patience").index(400);
    plan.at_death(move |call| die(call, patience));
    let replica = replica(order.replica.clone()).await?;
    client(cx, &plan, &replica, order.work).await?.sync().await?;
    let calls: Vec<&str> = plan.trace().iter().map(|call| call.operation).collect();
    say(format_args!("ended {}", calls.join(" ")));
    Ok(())
}

/// Says its last words. A call that is under way may go on a little.
fn die(call: &Call, patience: usize) {
    say(format_args!("died {} {} {}", call.number, call.operation, call.on));
    for _ in 0..patience {
        std::thread::yield_now();
    }
    platform::die()
}

fn say(words: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout();
    drop(writeln!(out, "{SAYS} {words}"));
    drop(out.flush());
}
