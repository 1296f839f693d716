//! Sees that everything that was sent is there.

use super::{Work, parallel, upload};
use crate::databricks::Workspace;
use crate::exit::Exit;
use crate::order;
use crate::plan::{Mismatch, Plan, Seen};
use crate::problem::{Code, Problem};
use crate::settings::WorkspacePath;
use crate::state::{FileRecord, RelativePath};
use crate::stop::Stop;
use crate::target::list_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

type Listing = BTreeMap<RelativePath, Seen>;
type Written = BTreeMap<RelativePath, SystemTime>;

/// How much later than its upload's answer an object may say that it was changed, and count as just uploaded: the answer's
/// date leaves out the rest of its second, and the clocks of the service's parts need not agree to the second.
const LEEWAY: Duration = Duration::from_secs(3);

/// The folders that objects are sent to. Each is looked at as soon as the last object has arrived in it, while others are
/// still on their way: so the looks cost no time of their own.
pub(super) struct Arrivals {
    root: WorkspacePath,
    /// How many objects each folder still waits for.
    waiting: BTreeMap<WorkspacePath, AtomicUsize>,
    seen: Mutex<Looked>,
}

/// What was seen so far.
#[derive(Default)]
struct Looked {
    /// When each object was written, by the service's own clock, as far as it said so.
    written: Written,
    listing: Listing,
    folders: BTreeSet<WorkspacePath>,
}

impl Arrivals {
    pub(super) fn of(plan: &Plan) -> Arrivals {
        let mut waiting: BTreeMap<WorkspacePath, AtomicUsize> = BTreeMap::new();
        for upload in &plan.uploads {
            *waiting.entry(folder_of(plan, &upload.path)).or_default().get_mut() += 1;
        }
        Arrivals { root: plan.root.clone(), waiting, seen: Mutex::default() }
    }

    /// One more object has arrived in `folder`, at this `date` of the service.
    pub(super) async fn arrived(
        &self,
        workspace: &Workspace,
        folder: &WorkspacePath,
        path: RelativePath,
        date: Option<SystemTime>,
    ) {
        self.seen().written.extend(date.map(|date| (path, date)));
        let Some(waiting) = self.waiting.get(folder) else { return };
        if waiting.fetch_sub(1, AcqRel) != 1 {
            return;
        }
        // Trouble is told where all folders are asked for that have not been seen.
        if let Ok(listing) = list_all(workspace, &self.root, std::slice::from_ref(folder)).await {
            let mut seen = self.seen();
            seen.listing.extend(listing);
            seen.folders.insert(folder.clone());
        }
    }

    /// What all folders of [`Plan::verify`] hold, and when what was sent there was written.
    async fn listed(self, workspace: &Workspace, plan: &Plan) -> Result<(Listing, Written), Stop> {
        let Looked { written, mut listing, folders } = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let unseen: Vec<WorkspacePath> = plan.verify.iter().filter(|one| !folders.contains(one)).cloned().collect();
        let rest = list_all(workspace, &plan.root, &unseen).await;
        listing.extend(rest.map_err(|(path, error)| parallel::stop(vec![(path, error)], 0))?);
        Ok((listing, written))
    }

    fn seen(&self) -> MutexGuard<'_, Looked> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folder that an object of a plan lies in.
pub(super) fn folder_of(plan: &Plan, path: &RelativePath) -> WorkspacePath {
    path.parent().map_or_else(|| plan.root.clone(), |parent| plan.at(&parent))
}

/// Sees that everything that was sent is there, and returns the records of what is ours now.
pub(super) async fn all(work: &Work<'_>, arrivals: Arrivals) -> Result<BTreeMap<RelativePath, FileRecord>, Stop> {
    let plan = work.plan;
    let (mut listing, written) = arrivals.listed(work.target.workspace, plan).await?;
    let unwritten = unwritten(work, &listing).await;
    forget_later_times(plan, &mut listing, &written);
    let (files, mut mismatches) = match plan.next_files(&listing) {
        Ok(files) => (files, Vec::new()),
        Err(mismatches) => (BTreeMap::new(), mismatches),
    };
    mismatches.extend(
        unwritten.into_iter().filter(|one| !mismatches.iter().any(|known| known.path == one.path)).collect::<Vec<_>>(),
    );
    if mismatches.is_empty() { Ok(files) } else { Err(not_verified(plan, mismatches)) }
}

/// The uploads over something that looks as it did before, its time included: whether anything was written is known only
/// by its content. (Every write was seen to move the time; that it always does is not documented.) They are so few that
/// one is looked at after the other.
async fn unwritten(work: &Work<'_>, listing: &Listing) -> Vec<Mismatch> {
    let mut unwritten = Vec::new();
    for upload in &work.plan.uploads {
        let as_before = upload.over.as_ref().is_some_and(|over| listing.get(&upload.path) == Some(&over.seen));
        let at = work.plan.at(&upload.path);
        if as_before && !upload::has_arrived(work.target.workspace, at.as_str(), &upload.local).await {
            let what = "was sent, and does not hold what was sent".to_owned();
            unwritten.push(Mismatch { path: upload.path.clone(), what });
        }
    }
    unwritten
}

/// Takes out the times of objects that were changed since their upload, or may have been: recorded, such a time would pass
/// somebody's edit for what was sent, and without one the next deploy looks at the content. The time of an upload whose
/// answer was lost is not known.
fn forget_later_times(plan: &Plan, listing: &mut Listing, written: &Written) {
    for upload in &plan.uploads {
        let Some(seen) = listing.get_mut(&upload.path) else { continue };
        let latest = written.get(&upload.path).and_then(|date| (*date + LEEWAY).duration_since(UNIX_EPOCH).ok());
        seen.modified_at = seen.modified_at.filter(|changed| {
            let changed = u64::try_from(*changed).map(Duration::from_millis).unwrap_or_default();
            latest.is_some_and(|latest| changed <= latest)
        });
    }
}

fn not_verified(plan: &Plan, mut mismatches: Vec<Mismatch>) -> Stop {
    const SHOWN: usize = 10;
    let hint = "somebody else may be changing the folder: run the step again";
    order::by_text(&mut mismatches, |one| one.path.as_str());
    let mut problems: Vec<Problem> = mismatches
        .iter()
        .take(SHOWN)
        .map(|one| Problem::new(Code::NotVerified, one.what.clone()).at(plan.at(&one.path).to_string()).hint(hint))
        .collect();
    if let Some(more) = mismatches.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        problems.push(Problem::new(Code::NotVerified, format!("… and {more} more")).hint(hint));
    }
    Stop { exit: Exit::Deploy, problems }
}
