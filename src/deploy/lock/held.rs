//! A lock that is ours: renewed until it is released, or lost.

use super::MARGIN;
use super::claim::Claim;
use crate::databricks::Workspace;
use crate::databricks::error::Error;
use crate::databricks::objects::{Export, Exported, Format, Put};
use crate::deploy::create::{Created, LONGEST_PAUSE, create};
use crate::exit::Exit;
use crate::http::Fence;
use crate::problem::{Code, Problem};
use crate::settings::WorkspacePath;
use crate::state::{LEASE, Lock};
use crate::stop::Stop;
use crate::target::{Records, list_records};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// How often a lock is renewed.
const RENEWAL: Duration = Duration::from_secs(30);

/// How long the pause is before another attempt to renew it.
const RENEW_AGAIN: Duration = Duration::from_secs(3);

/// How long a release waits for a renewal that is under way, and looks for what may arrive yet.
const LANDING: Duration = Duration::from_secs(2);

/// How often it looks.
const LANDED: Duration = Duration::from_millis(250);

/// A lock that is ours.
pub struct Held {
    shared: Arc<Shared>,
    /// Sends nothing while the lock may be somebody else's.
    fenced: Workspace,
    renewal: Mutex<Option<Renewal>>,
}

/// The task that renews the lock; ends with whoever waits for it.
struct Renewal(JoinHandle<()>);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Shared {
    workspace: Workspace,
    folder: WorkspacePath,
    generation: AtomicU64,
    lock: Lock,
    writes: AtomicU64,
    fence: Fence,
    /// Under which generations there may be a lock of ours.
    traces: Mutex<BTreeMap<u64, Trace>>,
    /// Why it is lost.
    lost: Mutex<Option<Problem>>,
    ending: Notify,
}

/// What is known of a lock that we have sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trace {
    /// It was written.
    There,
    /// How that ended is not known: it may be there, and may arrive yet.
    UnderWay,
}

impl Held {
    /// The lock of a generation that is about to be created.
    pub(super) fn new(claim: &Claim<'_>, generation: u64) -> Held {
        let (target, fence) = (&claim.target, Fence::until(Instant::now() + LEASE - MARGIN));
        let shared = Arc::new(Shared {
            workspace: target.workspace.urgent(),
            folder: target.records_folder(),
            generation: AtomicU64::new(generation),
            lock: claim.lock(),
            writes: AtomicU64::new(0),
            fence: fence.clone(),
            traces: Mutex::default(),
            lost: Mutex::default(),
            ending: Notify::new(),
        });
        Held { shared, fenced: target.workspace.within(fence), renewal: Mutex::default() }
    }

    /// Creates it; `false` where another one was quicker.
    pub(super) async fn create(&self) -> Result<bool, Error> {
        self.shared.create(self.generation()).await
    }

    /// Renews it, if the workspace kept us waiting for so long that its lease says too little. `false` where the lease has
    /// ended meanwhile: what has the number now may be somebody else's, and is not written over.
    pub(super) async fn refresh(&self) -> Result<bool, Error> {
        if !self.shared.due().is_zero() {
            return Ok(true);
        }
        if self.shared.fence.is_open() {
            self.shared.write(&self.shared.workspace, self.generation(), true).await?;
        }
        Ok(self.shared.fence.is_open())
    }

    /// Takes it away, if it is still ours.
    pub(super) async fn withdraw(&self) -> Result<(), Error> {
        self.shared.withdraw(&self.shared.workspace, self.generation(), false).await
    }

    /// Renews it from now on.
    pub(super) fn keep_renewing(&self) {
        *self.slot() = Some(Renewal(tokio::spawn(renew(Arc::clone(&self.shared)))));
    }

    /// The workspace for whoever works under the lock: it is sent nothing while the lock may be somebody else's.
    pub fn workspace(&self) -> &Workspace {
        &self.fenced
    }

    /// The generation: higher than that of everybody who held the lock before.
    pub fn generation(&self) -> u64 {
        self.shared.generation.load(Relaxed)
    }

    /// Ends when the lock is lost for good.
    pub async fn lost(&self) -> Stop {
        self.shared.fence.fallen().await;
        self.why_lost().unwrap_or_else(|| Stop::bug("a lock was lost for no reason"))
    }

    /// Why the lock is lost, if it is.
    pub fn why_lost(&self) -> Option<Stop> {
        self.shared.lost().clone().map(|problem| Stop::because(Exit::Conflict, problem))
    }

    /// Gives the lock back, within `budget`: every lock of ours, whatever was being done when the work ended. An error comes
    /// with the lock that it is about.
    pub(super) async fn release(&self, budget: Duration) -> Result<(), (WorkspacePath, Error)> {
        let until = Instant::now() + budget;
        self.shared.ending.notify_one();
        let renewal = self.slot().take();
        let renewed = renewal.is_some();
        if let Some(mut renewal) = renewal {
            // A renewal that is under way would make the lock anew that is being deleted.
            if timeout(LANDING.min(budget / 2), &mut renewal.0).await.is_err() {
                renewal.0.abort();
                // What it was doing is known when it is gone.
                let _ = (&mut renewal.0).await;
            }
        }
        let workspace = self.shared.workspace.until(until);
        let generation = self.generation();
        if renewed && self.shared.fence.is_open() && self.shared.is_settled(generation) {
            let removed = self.shared.withdraw(&workspace, generation, true).await;
            return removed.map_err(|error| (self.shared.file(generation), error));
        }
        let landed = Instant::now() + LANDING.min(until.saturating_duration_since(Instant::now()) / 2);
        loop {
            self.shared.withdraw_all(&workspace).await?;
            if self.shared.traces().is_empty() || landed <= Instant::now() {
                return Ok(());
            }
            sleep(LANDED).await;
        }
    }

    /// Where it is.
    pub(super) fn file(&self) -> WorkspacePath {
        self.shared.file(self.generation())
    }

    fn slot(&self) -> MutexGuard<'_, Option<Renewal>> {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn file(&self, generation: u64) -> WorkspacePath {
        self.folder.join(&Lock::file(generation))
    }

    /// Creates the lock of a generation; `false` where somebody else's is.
    async fn create(&self, generation: u64) -> Result<bool, Error> {
        let file = self.file(generation);
        let write = || self.write(&self.workspace, generation, false);
        let ours = match create(&self.workspace, file.as_str(), EXPORT, write).await? {
            Created::Written => true,
            Created::Found(there) => self.wrote(&there),
        };
        self.note(generation, ours.then_some(Trace::There));
        Ok(ours)
    }

    /// Writes the lock with a lease that begins now: over itself, or only where nothing is.
    async fn write(&self, workspace: &Workspace, generation: u64, over_itself: bool) -> Result<Put, Error> {
        let (begun, expires_at) = (Instant::now(), workspace.time_at_most().map(Lock::lease_from));
        let lock = Lock { writes: self.writes.fetch_add(1, Relaxed) + 1, expires_at, ..self.lock.clone() };
        let file = self.file(generation);
        // Whatever breaks this off leaves it so.
        let before = self.note(generation, Some(Trace::UnderWay));
        let put = workspace.put(file.as_str(), lock.to_json().into(), Format::Auto, over_itself).await;
        let known = match &put {
            Ok(Put::Written) => Some(Trace::There),
            Err(error) if error.is_uncertain() => Some(Trace::UnderWay),
            Ok(Put::Exists) | Err(_) => before,
        };
        self.note(generation, known);
        // Where the answer was lost, the lease may still be the one from before.
        if over_itself && matches!(put, Ok(Put::Written)) {
            self.fence.move_to(begun + LEASE - MARGIN);
        }
        put
    }

    /// In what time it is to be renewed. A lease begins when its lock is sent, and the answer may have taken long.
    fn due(&self) -> Duration {
        self.fence.left().saturating_sub(LEASE - MARGIN - RENEWAL)
    }

    /// Notes what is known of a generation; returns what was known before.
    fn note(&self, generation: u64, trace: Option<Trace>) -> Option<Trace> {
        let mut traces = self.traces();
        match trace {
            Some(trace) => traces.insert(generation, trace),
            None => traces.remove(&generation),
        }
    }

    /// Whether this is the one lock of ours that there is, and nothing of us is under way.
    fn is_settled(&self, generation: u64) -> bool {
        self.traces().iter().eq([(&generation, &Trace::There)])
    }

    /// Takes every lock away that is ours. What may arrive yet stays noted.
    async fn withdraw_all(&self, workspace: &Workspace) -> Result<(), (WorkspacePath, Error)> {
        let mut failed = None;
        // The highest keeps others waiting.
        let generations: Vec<u64> = self.traces().keys().rev().copied().collect();
        for generation in generations {
            if let Err(error) = self.withdraw(workspace, generation, false).await {
                failed.get_or_insert((self.file(generation), error));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Takes the lock of a generation away, if it is ours: `known` where that needs no look. One that was deleted, but no
    /// answer said so, may be somebody else's when it is looked at again: where nothing was deployed, numbers begin anew.
    async fn withdraw(&self, workspace: &Workspace, generation: u64, known: bool) -> Result<(), Error> {
        let (began, mut attempts, mut pause) = (Instant::now(), 0, LANDED);
        let mut uncertain = None;
        loop {
            if !known || attempts > 0 {
                match (self.is_ours(workspace, generation).await, uncertain.take()) {
                    (Ok(true), _) => {}
                    (Ok(false), _) => break,
                    // It says more than that there was no time for a look.
                    (Err(_), Some(error)) => return Err(Error::repeated(error, attempts, began.elapsed())),
                    (Err(error), None) => return Err(error),
                }
            }
            attempts += 1;
            match workspace.delete_record_once(self.file(generation).as_str()).await {
                Err(error) if error.is_uncertain() && began.elapsed() + pause < workspace.patience() => {
                    uncertain = Some(error);
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error.repeated(attempts, began.elapsed())),
                Ok(()) => break,
            }
        }
        self.gone(generation);
        Ok(())
    }

    /// Takes the lock of a generation away, which is below one that holds.
    async fn remove(&self, workspace: &Workspace, generation: u64) -> Result<(), Error> {
        remove(workspace, &self.file(generation)).await?;
        self.gone(generation);
        Ok(())
    }

    /// There is no lock of ours under this generation, or none yet.
    fn gone(&self, generation: u64) {
        self.traces().retain(|one, trace| *one != generation || *trace == Trace::UnderWay);
    }

    async fn is_ours(&self, workspace: &Workspace, generation: u64) -> Result<bool, Error> {
        Ok(self.wrote(&workspace.export(self.file(generation).as_str(), EXPORT).await?))
    }

    /// Whether we have written this: nobody else has our nonce.
    fn wrote(&self, there: &Exported) -> bool {
        let ours = |lock: Lock| lock.nonce == self.lock.nonce && lock.step == self.lock.step;
        matches!(there, Exported::Content(bytes) if Lock::read(bytes).is_ok_and(ours))
    }

    async fn records(&self, workspace: &Workspace) -> Result<Records, Error> {
        Ok(list_records(workspace, &self.folder).await?.unwrap_or_default())
    }

    fn traces(&self) -> MutexGuard<'_, BTreeMap<u64, Trace>> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock is somebody else's, or nobody's.
    fn lose(&self, message: &str) {
        let hint = "run the step again: the next deploy knows what this one has changed, and goes on from there";
        let file = self.file(self.generation.load(Relaxed)).to_string();
        *self.lost() = Some(Problem::new(Code::LockLost, message).at(file).hint(hint));
        self.fence.fall();
    }

    fn lost(&self) -> MutexGuard<'_, Option<Problem>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const EXPORT: Export = Export::File { size: None };

/// Renews a lock until it is released or lost.
async fn renew(shared: Arc<Shared>) {
    let mut pause = shared.due();
    loop {
        tokio::select! {
            () = shared.ending.notified() => return,
            () = sleep(pause) => {}
        }
        let renewed = if shared.fence.is_open() { renew_in_time(&shared).await } else { regain(&shared).await };
        match renewed {
            Ok(None) => pause = shared.due(),
            Ok(Some(why)) => return shared.lose(why),
            Err(error) => {
                tracing::debug!("the lock is not renewed yet: {error}");
                pause = RENEW_AGAIN;
            }
        }
    }
}

/// Renews the lock before its lease ends, or tells why it is lost.
async fn renew_in_time(shared: &Shared) -> Result<Option<&'static str>, Error> {
    let workspace = shared.workspace.until(shared.fence.end());
    let there = shared.records(&workspace).await?;
    if let Some(why) = why_lost(&there, shared.generation.load(Relaxed)) {
        return Ok(Some(why));
    }
    shared.write(&workspace, shared.generation.load(Relaxed), true).await?;
    Ok(None)
}

/// The lease has ended: the process was stopped for a while, or the workspace did not answer. Whoever wanted the lock
/// meanwhile has taken the next generation. If nobody has, we take it, and the work that waits goes on.
async fn regain(shared: &Shared) -> Result<Option<&'static str>, Error> {
    let mut mine = shared.generation.load(Relaxed);
    let before = shared.records(&shared.workspace).await?;
    let late = mine.saturating_add(1);
    if before.locks.contains(&late) && shared.is_ours(&shared.workspace, late).await? {
        // An attempt before this one has created it after all.
        mine = late;
        shared.generation.store(mine, Relaxed);
    }
    if let Some(why) = why_lost(&before, mine) {
        return Ok(Some(why));
    }
    // Numbers begin anew where everything was taken away meanwhile: it may be somebody else's.
    if !shared.is_ours(&shared.workspace, mine).await? {
        return Ok(Some(TAKEN));
    }
    let (begun, next) = (Instant::now(), mine.saturating_add(1));
    if !shared.create(next).await? {
        return Ok(Some(TAKEN));
    }
    shared.generation.store(next, Relaxed);
    let there = shared.records(&shared.workspace).await?;
    // What was there before is ours, or was passed over by us.
    let others = there.locks.difference(&before.locks).any(|one| *one != next);
    if others || !there.locks.contains(&next) {
        shared.withdraw(&shared.workspace, next, false).await?;
        return Ok(Some(TAKEN));
    }
    shared.fence.move_to(begun + LEASE - MARGIN);
    // As long as it holds: below the lock of whoever comes after us there may be anybody's.
    let workspace = shared.workspace.within(shared.fence.clone()).until(shared.fence.end());
    for passed in there.locks.range(..next) {
        if let Err(error) = shared.remove(&workspace, *passed).await {
            // It is in nobody's way: the next claim takes it away.
            tracing::debug!("lock {passed}, which was passed over, stays: {error}");
        }
    }
    Ok(None)
}

const TAKEN: &str = "another build has taken the target's lock, because this one did not renew it in time";

fn why_lost(there: &Records, mine: u64) -> Option<&'static str> {
    if there.locks.range(mine.saturating_add(1)..).next().is_some() {
        Some(TAKEN)
    } else if there.locks.contains(&mine) {
        None
    } else {
        Some("the target's lock is not there any longer: somebody has deleted it, or another build had it meanwhile")
    }
}

/// Deletes a lock; one that is not there is no error.
pub(super) async fn remove(workspace: &Workspace, file: &WorkspacePath) -> Result<(), Error> {
    workspace.delete_record(file.as_str()).await
}
