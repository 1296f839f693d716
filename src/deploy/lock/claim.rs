//! Takes the lock, or waits for it.

use super::held::{Held, remove};
use super::{Keeper, MARGIN};
use crate::databricks::error::{Error, Meaning};
use crate::deploy::parallel;
use crate::digest::Digest;
use crate::event::Event;
use crate::exit::Exit;
use crate::plan::Seen;
use crate::problem::{Code, Problem};
use crate::settings::WorkspacePath;
use crate::state::{DeployedBy, LEASE, Lock, RelativePath, StepId};
use crate::stop::Stop;
use crate::target::{Holder, Observed, Records, Target};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, sleep_until};

/// How often somebody who waits looks.
const LOOK: Duration = Duration::from_secs(5);

/// How often the log says that we still wait.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Who wants the lock, and until when.
pub struct Claim<'a> {
    /// The target.
    pub target: Target<'a>,
    /// Who deploys.
    pub by: DeployedBy,
    /// Which step it is.
    pub step: StepId,
    /// Different in every process.
    pub nonce: u64,
    /// When everything ends.
    pub deadline: Instant,
    /// Keeps the lock for whoever has to release it when the work is broken off.
    pub keeper: &'a Keeper,
}

/// The lock is ours.
pub struct Taken {
    /// The lock.
    pub held: Arc<Held>,
    /// Whether nobody has changed anything in the target since it was observed.
    pub unchanged: bool,
}

impl Claim<'_> {
    /// Takes the lock, however long somebody else holds it. `observed` is what the target was like before that.
    pub async fn take(&self, observed: &Observed) -> Result<Taken, Stop> {
        let mut look = Look { records: observed.records.clone(), holder: None, asked: Instant::now(), time: None };
        let mut wait = Wait::default();
        if observed.holder.is_some() {
            // Observing may take longer than a lease: who looks dead by what was read then may have renewed it since.
            look = self.look().await?;
            wait.waited = look.holder != observed.holder;
        }
        loop {
            wait.highest = wait.highest.max(look.records.highest().unwrap_or_default());
            let dead = look.holder.as_ref().map(|holder| (holder, self.why_dead(holder, &look, &mut wait)));
            let (blocked, pause) = match dead {
                Some((holder, None)) => {
                    wait.tell(self, holder);
                    wait.raced = false;
                    (Some(holder), LOOK)
                }
                _ => {
                    if let Some(taken) = self.create(&look.records, wait.highest, observed).await? {
                        if let Some((holder, Some(from))) = dead {
                            self.target.events.emit(Event::LockPassedOver { from, link: holder.link() });
                        }
                        return Ok(Taken { unchanged: taken.unchanged && !wait.waited, ..taken });
                    }
                    // Whoever was quicker is seen at once, or has ended already. That the name is taken, and nobody to
                    // be seen, again and again, is no race.
                    (None, if std::mem::replace(&mut wait.raced, true) { LOOK } else { Duration::ZERO })
                }
            };
            wait.waited = true;
            // Those who wait for the same holder must not all come in the same moment.
            let spread = Duration::from_millis(self.nonce % 1_000);
            sleep_until((Instant::now() + pause + spread).min(self.deadline)).await;
            if self.deadline <= Instant::now() {
                return Err(self.never_free(blocked));
            }
            look = match self.look().await {
                // The look that was under way then said nothing of its own.
                Err(_) if self.deadline <= Instant::now() => return Err(self.never_free(blocked)),
                looked => looked?,
            };
        }
    }

    /// Which records are there now, and who holds the lock.
    async fn look(&self) -> Result<Look, Stop> {
        let (asked, time) = (Instant::now(), self.target.workspace.time());
        let records = self.target.records().await?;
        let holder = self.target.holder(&records).await?;
        Ok(Look { records, holder, asked, time })
    }

    /// What has become of whoever holds the lock, if he may be passed over. It is judged by when it was asked: what the
    /// answer says may have changed since. Who is dead by that stays so: whose lease is over takes the next generation, and
    /// who was only about to hold his lock sees ours, and steps back. So nothing needs to be looked at again before the lock
    /// is deleted, however late that is.
    fn why_dead(&self, holder: &Holder, look: &Look, wait: &mut Wait) -> Option<&'static str> {
        const STOPPED: &str = "a build that stopped without releasing it";
        let since = wait.since(holder);
        match &holder.lock {
            Ok(lock) if lock.owner == *self.target.owner && self.step.comes_after(&lock.step) => {
                Some("an earlier run of this step")
            }
            Ok(lock) if look.time.is_some_and(|then| lock.is_over(then)) => Some(STOPPED),
            // Nobody has renewed it before our eyes, whatever any clock says.
            _ if look.asked.saturating_duration_since(since) >= LEASE + MARGIN => Some(STOPPED),
            _ => None,
        }
    }

    /// Creates the next generation; `None` where another one was quicker.
    async fn create(&self, records: &Records, highest: u64, observed: &Observed) -> Result<Option<Taken>, Stop> {
        let serial = observed.state.as_ref().map_or(0, |state| state.serial);
        // Beyond every generation that was seen, also of those that have been released: a deletion that was sent twice and
        // arrives late finds no lock of ours. And beyond every one that has written the state: what a process that was
        // passed over writes late is lower than whoever holds the lock then.
        let generation = highest.max(serial).saturating_add(1);
        if generation > Lock::LAST {
            return Err(self.no_number_left(highest));
        }
        if !records.folder {
            self.make_folder().await?;
        }
        let held = Arc::new(Held::new(self, generation));
        // Whatever breaks this off now, what may have been created is looked for and taken away.
        self.keeper.keep(&held);
        let created = match self.put(&held).await {
            Ok(true) => self.settle(&held, records, observed).await,
            Ok(false) => Ok(None),
            Err(stop) => Err(stop),
        };
        if let Ok(None) = created {
            self.keeper.forget();
        }
        created
    }

    /// Creates the lock; `false` where another one was quicker.
    async fn put(&self, held: &Held) -> Result<bool, Stop> {
        match held.create().await {
            // Somebody has destroyed what was deployed, and the folder with it.
            Err(error) if error.meaning() == Some(Meaning::ParentMissing) => {
                self.make_folder().await?;
                held.create().await.map_err(|error| refused(&error, held))
            }
            created => created.map_err(|error| refused(&error, held)),
        }
    }

    /// Sees whether the generation that was created holds, and takes those away that it passed over.
    async fn settle(&self, held: &Arc<Held>, basis: &Records, observed: &Observed) -> Result<Option<Taken>, Stop> {
        let (target, generation) = (&self.target, held.generation());
        let failed = |error: Error| refused(&error, held);
        if !held.refresh().await.map_err(failed)? {
            held.withdraw().await.map_err(failed)?;
            return Ok(None);
        }
        let state = async {
            match observed.state_digest {
                Some(_) => target.state_digest().await,
                None => Ok(None),
            }
        };
        let (there, state, top) = tokio::join!(target.records(), state, target.top());
        let (there, state, top) = (there?, state?, top?);
        // One that was not there when we decided to pass over the highest may hold too: both step back.
        let unjudged = there.locks.difference(&basis.locks).any(|one| *one != generation);
        if unjudged || !there.locks.contains(&generation) {
            tracing::debug!("lock {generation} does not hold: of {:?} some came meanwhile", there.locks);
            held.withdraw().await.map_err(failed)?;
            return Ok(None);
        }
        held.keep_renewing();
        // By their numbers: nobody lives below a lock that holds, and nothing is sent when ours holds no longer.
        for passed in there.locks.range(..generation) {
            let file = target.lock_file(*passed);
            remove(held.workspace(), &file).await.map_err(|error| not_removed(&error, &file))?;
        }
        Ok(Some(Taken { held: Arc::clone(held), unchanged: is_unchanged(observed, &there, state, &top) }))
    }

    async fn make_folder(&self) -> Result<(), Stop> {
        let folder = self.target.records_folder();
        let made = self.target.workspace.make_folder(folder.as_str()).await;
        made.map_err(|error| parallel::stop(vec![(folder.to_string(), error)], 0))
    }

    /// The lock as it is written, but for what each time is new.
    pub(super) fn lock(&self) -> Lock {
        Lock {
            owner: self.target.owner.clone(),
            held_by: self.by.clone(),
            nonce: format!("{:016x}", self.nonce),
            step: self.step.clone(),
            writes: 0,
            expires_at: None,
        }
    }

    /// Nobody deploys so often: somebody has put it there.
    fn no_number_left(&self, highest: u64) -> Stop {
        let message =
            "has the highest number that a lock can have, and was not made by a deploy: the target cannot be locked";
        let problem = Problem::new(Code::Locked, message).at(self.target.lock_file(highest).to_string());
        Stop::because(Exit::Conflict, problem.hint("delete it, and run the step again; nothing was changed"))
    }

    fn never_free(&self, holder: Option<&Holder>) -> Stop {
        let (message, hint) = match holder.map(|holder| self.target.whom(holder)) {
            Some(whom) => (format!("{whom} deploys to the target, and did not end before `TIMEOUT` did"), FREE_HINT),
            None => {
                let message = "the target's lock could not be created before `TIMEOUT` ended: the workspace said that it \
                               exists already, and did not show it";
                (message.to_owned(), "see what is in the folder of the target's records; nothing was changed")
            }
        };
        let problem = Problem::new(Code::Locked, message).at(self.target.root.to_string()).hint(hint);
        let link = holder.and_then(Holder::link);
        Stop::because(Exit::Conflict, Problem { link, ..problem })
    }
}

const FREE_HINT: &str = "run the step again when that build has ended, or raise `TIMEOUT`; nothing was changed";

/// Whether what was observed without the lock is what is there with it, where the state is `state` now and `top` lies in the
/// root: every deploy that changed something has written the state, or has left its journal.
fn is_unchanged(
    observed: &Observed,
    there: &Records,
    state: Option<Digest>,
    top: &BTreeMap<RelativePath, Seen>,
) -> bool {
    let same_state = match observed.state_digest {
        Some(digest) => state == Some(digest),
        // None, before and now; one that is too large to be read is another matter.
        None => !observed.records.state && !there.state,
    };
    // The root was listed while the state was read, so that what it showed may be older.
    let before = observed.remote.objects.iter().filter(|(path, _)| path.depth() == 0);
    same_state && !observed.records.journal && !there.journal && before.eq(top)
}

/// What a look has shown.
struct Look {
    records: Records,
    holder: Option<Holder>,
    /// When it was begun.
    asked: Instant,
    /// What time it was at the service then.
    time: Option<SystemTime>,
}

/// Whom we wait for.
#[derive(Default)]
struct Wait {
    waited: bool,
    /// The highest generation that was seen so far.
    highest: u64,
    /// Whether another one was quicker when we last tried.
    raced: bool,
    began: Option<Instant>,
    /// Of whom the log spoke last, and when.
    told: Option<(u64, Instant)>,
    /// The holder that was seen last, and since when it has looked like this.
    seen: Option<(Holder, Instant)>,
}

impl Wait {
    /// Since when the holder has not renewed the lock, as far as we have looked.
    fn since(&mut self, holder: &Holder) -> Instant {
        match &self.seen {
            Some((seen, since)) if seen == holder => *since,
            _ => {
                let now = Instant::now();
                self.seen = Some((holder.clone(), now));
                now
            }
        }
    }

    /// Says whom we wait for: once, then now and again.
    fn tell(&mut self, claim: &Claim<'_>, holder: &Holder) {
        let (now, whom) = (Instant::now(), claim.target.whom(holder));
        let began = *self.began.get_or_insert(now);
        match self.told {
            Some((generation, at)) if generation == holder.generation && at.elapsed() < HEARTBEAT => return,
            Some((generation, _)) if generation == holder.generation => {
                claim.target.events.emit(Event::LockStillHeld { whom, elapsed: began.elapsed() });
            }
            _ => {
                let to = claim.target.root.to_string();
                claim.target.events.emit(Event::LockWait { to, whom, link: holder.link() });
            }
        }
        self.told = Some((holder.generation, now));
    }
}

fn refused(error: &Error, held: &Held) -> Stop {
    parallel::stop(vec![(held.file().to_string(), error.clone())], 0)
}

/// The lock of somebody who was passed over stays.
fn not_removed(error: &Error, file: &WorkspacePath) -> Stop {
    if error.meaning() != Some(Meaning::NotEmpty) {
        return parallel::stop(vec![(file.to_string(), error.clone())], 0);
    }
    let message = "is a folder that is not empty, and the pipe keeps its lock in a file of this name";
    let problem = Problem::new(Code::TypeMismatch, message).at(file.to_string());
    Stop::because(
        Exit::Conflict,
        problem.hint("move it away or delete it, and run the step again; nothing was changed"),
    )
}
