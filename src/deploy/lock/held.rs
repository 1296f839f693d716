//! A lock that is ours: renewed until it is released, or lost.

use super::MARGIN;
use super::claim::Claim;
use crate::databricks::Workspace;
use crate::databricks::error::Error;
use crate::databricks::objects::{Export, Exported, Format, Put};
use crate::event::{Emit, Event};
use crate::exit::Exit;
use crate::http::Fence;
use crate::problem::{Code, Problem};
use crate::settings::WorkspacePath;
use crate::state::{LEASE, Lock};
use crate::stop::Stop;
use crate::target::list_records;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// How often a lock is renewed.
const RENEWAL: Duration = Duration::from_secs(30);

/// How long the pause is before another attempt to renew it.
const RENEW_AGAIN: Duration = Duration::from_secs(3);

/// A lock that is ours.
pub struct Held {
    shared: Arc<Shared>,
    /// Sends nothing once the lock may be somebody else's.
    fenced: Workspace,
    renewal: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    workspace: Workspace,
    folder: WorkspacePath,
    file: WorkspacePath,
    generation: u64,
    lock: Lock,
    fence: Fence,
    /// Why it is lost, where somebody took it.
    taken: Mutex<Option<Problem>>,
    /// Why it was not renewed last time.
    trouble: Mutex<Option<String>>,
    lost: Notify,
    ending: Notify,
}

impl Held {
    /// The lock of a generation that is about to be created.
    pub(super) fn new(claim: &Claim<'_>, generation: u64) -> Held {
        let (target, fence) = (&claim.target, Fence::until(Instant::now() + LEASE - MARGIN));
        let shared = Arc::new(Shared {
            workspace: target.workspace.clone(),
            folder: target.records_folder(),
            file: target.lock_file(generation),
            generation,
            lock: claim.lock(),
            fence: fence.clone(),
            taken: Mutex::default(),
            trouble: Mutex::default(),
            lost: Notify::new(),
            ending: Notify::new(),
        });
        Held { shared, fenced: target.workspace.within(fence), renewal: Mutex::default() }
    }

    /// Writes the lock with a lease that begins now: over itself, or only where nothing is.
    pub(super) async fn write(&self, over_itself: bool) -> Result<Put, Error> {
        self.shared.write(&self.shared.workspace, over_itself).await
    }

    /// Whether what lies in the place of the lock is ours; `None` where nothing does.
    pub(super) async fn is_there(&self, workspace: &Workspace) -> Result<Option<bool>, Error> {
        self.shared.is_there(workspace).await
    }

    /// Whether it should have been renewed by now.
    pub(super) fn is_late(&self) -> bool {
        self.shared.fence.left() < LEASE - MARGIN - RENEWAL
    }

    /// Renews it from now on.
    pub(super) fn keep_renewing(&self) {
        *self.slot() = Some(tokio::spawn(renew(Arc::clone(&self.shared))));
    }

    /// The workspace for whoever works under the lock: it is sent nothing once the lock may be somebody else's.
    pub fn workspace(&self) -> &Workspace {
        &self.fenced
    }

    /// The generation: higher than that of everybody who held the lock before.
    pub fn generation(&self) -> u64 {
        self.shared.generation
    }

    /// Ends when the lock is lost.
    pub async fn lost(&self) -> Stop {
        tokio::select! {
            () = self.shared.fence.closed() => {}
            () = self.shared.lost.notified() => {}
        }
        self.why_lost().unwrap_or_else(|| self.shared.ended())
    }

    /// Why the lock is lost, if it is.
    pub fn why_lost(&self) -> Option<Stop> {
        let taken = self.shared.taken().clone();
        match taken {
            Some(problem) => Some(Stop::because(Exit::Conflict, problem)),
            None if self.shared.fence.is_closed() => Some(self.shared.ended()),
            None => None,
        }
    }

    /// Gives the lock back, within `budget`.
    async fn release(&self, budget: Duration) -> Result<(), Error> {
        let until = Instant::now() + budget;
        self.shared.ending.notify_one();
        let renewal = self.slot().take();
        let certain = renewal.is_some() && self.why_lost().is_none();
        if let Some(mut renewal) = renewal {
            // A renewal that is under way would make the lock anew that is being deleted.
            if timeout(budget / 2, &mut renewal).await.is_err() {
                renewal.abort();
            }
        }
        let workspace = self.shared.workspace.until(until);
        if !certain && self.shared.is_there(&workspace).await? != Some(true) {
            return Ok(());
        }
        remove(&workspace, &self.shared.file).await
    }

    fn slot(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(renewal) = self.slot().take() {
            renewal.abort();
        }
    }
}

impl Shared {
    /// Somebody else has the lock, or has deleted it.
    fn lose(&self, problem: Problem) {
        *self.taken() = Some(problem);
        self.fence.move_to(Instant::now());
        self.lost.notify_one();
    }

    fn ended(&self) -> Stop {
        let mut message = "the target's lock could not be renewed in time, and may be another build's by now".to_owned();
        if let Some(trouble) = &*self.trouble.lock().unwrap_or_else(PoisonError::into_inner) {
            message = format!("{message}: {trouble}");
        }
        Stop::because(Exit::Conflict, lost(self, message))
    }

    async fn write(&self, workspace: &Workspace, over_itself: bool) -> Result<Put, Error> {
        let (begun, expires_at) = (Instant::now(), workspace.time().map(Lock::lease_from));
        let lock = Lock { expires_at, ..self.lock.clone() };
        let put = workspace.put(self.file.as_str(), lock.to_json().into(), Format::Auto, over_itself).await;
        // Where the answer was lost, the lease may still be the one from before.
        if matches!(put, Ok(Put::Written)) {
            self.fence.move_to(begun + LEASE - MARGIN);
        }
        put
    }

    async fn is_there(&self, workspace: &Workspace) -> Result<Option<bool>, Error> {
        Ok(match workspace.export(self.file.as_str(), Export::File { size: None }).await? {
            Exported::Content(bytes) => {
                let ours = |lock: Lock| lock.nonce == self.lock.nonce && lock.step == self.lock.step;
                Some(Lock::read(&bytes).is_ok_and(ours))
            }
            Exported::TooLarge => Some(false),
            Exported::Missing => None,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Option<Problem>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lost(shared: &Shared, message: String) -> Problem {
    let hint = "run the step again: the next deploy knows what this one has changed, and goes on from there";
    Problem::new(Code::LockLost, message).at(shared.file.to_string()).hint(hint)
}

/// Renews a lock until it is released or lost.
async fn renew(shared: Arc<Shared>) {
    let workspace = shared.workspace.within(shared.fence.clone());
    let mut pause = RENEWAL;
    loop {
        tokio::select! {
            () = shared.ending.notified() => return,
            () = sleep(pause) => {}
        }
        // It ends in time to tell what stopped it.
        let renewed = renew_once(&shared, &workspace.until(Instant::now() + RENEWAL)).await;
        let trouble = renewed.as_ref().err().map(|error| error.problem().message);
        *shared.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        match renewed {
            Ok(None) => pause = RENEWAL,
            Ok(Some(message)) => return shared.lose(lost(&shared, message)),
            Err(_) if shared.fence.is_closed() => return,
            Err(error) => {
                tracing::debug!("the lock is not renewed yet: {error}");
                pause = RENEW_AGAIN;
            }
        }
    }
}

/// Renews a lock, or tells why it is lost.
async fn renew_once(shared: &Shared, workspace: &Workspace) -> Result<Option<String>, Error> {
    let there = list_records(workspace, &shared.folder).await?.unwrap_or_default();
    if there.locks.range(shared.generation + 1..).next().is_some() {
        return Ok(Some(
            "another build has taken the target's lock, because this one did not renew it in time".to_owned(),
        ));
    }
    if !there.locks.contains(&shared.generation) {
        return Ok(Some("somebody has deleted the target's lock".to_owned()));
    }
    shared.write(workspace, true).await?;
    Ok(None)
}

/// Keeps the lock for whoever releases it: the deploy when it has ended, or the end of the process.
#[derive(Default)]
pub struct Keeper(Mutex<Option<Arc<Held>>>);

impl Keeper {
    pub(super) fn keep(&self, held: &Arc<Held>) {
        *self.slot() = Some(Arc::clone(held));
    }

    /// There is nothing to release any longer.
    pub(super) fn forget(&self) {
        self.slot().take();
    }

    /// Releases the lock, if one is held. One that cannot be released ends with its lease.
    pub async fn release(&self, budget: Duration, events: &dyn Emit) {
        let Some(held) = self.slot().clone() else { return };
        if let Err(error) = held.release(budget).await {
            let problem = error.problem();
            let message = format!("the target's lock could not be released: {}", problem.message);
            let hint = format!("nothing needs to be done: it ends by itself within {}", crate::text::duration(LEASE));
            events.emit(Event::Warned(Problem::new(problem.code, message).at(held.shared.file.to_string()).hint(hint)));
        }
        // Not before: who breaks this off has to begin anew.
        self.forget();
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Held>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Deletes a lock; one that is not there is no error.
pub(super) async fn remove(workspace: &Workspace, file: &WorkspacePath) -> Result<(), Error> {
    workspace.delete_record(file.as_str()).await
}
