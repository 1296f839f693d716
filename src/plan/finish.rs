//! What follows from all paths together: folders, guards, and what becomes of the records.

use super::draft::Draft;
use super::{Because, DeletionReason, End, Intent, LeftAlone, Obstacle, Plan, Prune, SeenKind};
use crate::order;
use crate::settings::WorkspacePath;
use crate::state::RelativePath;
use std::collections::BTreeSet;
use std::ops::Bound;

/// So many recorded objects make a share of them worth a guard: below it half is a handful.
const GUARDED_FROM: usize = 20;

/// Completes the plan.
pub(super) fn finish(mut draft: Draft<'_>) -> Plan {
    folders(&mut draft);
    let gone = emptied(&mut draft);
    if draft.inputs.intent == Intent::Destroy {
        foreign(&mut draft, &gone);
        end_of_destroy(&mut draft, &gone);
    }
    sort(&mut draft);
    guards(&mut draft);
    draft.plan
}

/// The folders to make, and those to list after the uploads.
fn folders(draft: &mut Draft<'_>) {
    let missing = &draft.missing;
    let plan = &mut draft.plan;
    // Sorted order puts a folder's first descendant anywhere behind it ("a", "a-b", "a/b"), so it is sought by its
    // prefix and not by looking at the next one.
    let deepest = missing.iter().filter(|folder| {
        let below = folder.as_prefix();
        let mut behind = missing.range::<str, _>((Bound::Excluded(below.as_str()), Bound::Unbounded));
        !behind.next().is_some_and(|next| next.as_str().starts_with(&below))
    });
    plan.folders = deepest.map(|folder| plan.root.join(folder.as_str())).collect();
    if plan.folders.is_empty() && !plan.uploads.is_empty() && !draft.inputs.remote.root_exists {
        plan.folders.push(plan.root.clone());
    }
    let parents = plan
        .uploads
        .iter()
        .map(|upload| upload.path.parent().map_or_else(|| plan.root.clone(), |parent| plan.at(&parent)));
    let parents: BTreeSet<WorkspacePath> = order::gathered(parents);
    plan.verify = parents.into_iter().collect();
}

/// The folders that held ours and hold nothing any more. Returns all that is gone in the end.
fn emptied(draft: &mut Draft<'_>) -> BTreeSet<RelativePath> {
    let plan = &mut draft.plan;
    let deleted = plan.deletions.iter().chain(&plan.replaced).map(|deletion| deletion.path.clone());
    let folders = plan.replaced_folders.iter().cloned();
    let mut gone: BTreeSet<RelativePath> =
        order::gathered(deleted.chain(folders).chain(draft.vanished.iter().cloned()));
    if draft.inputs.intent == Intent::Deploy && draft.inputs.policy.prune == Prune::None {
        return gone;
    }
    let held: BTreeSet<RelativePath> =
        order::gathered(draft.dropped.iter().flat_map(RelativePath::ancestors).map(RelativePath::of_ancestor));
    // What lies deeper comes later in the order of texts.
    for folder in held.into_iter().rev() {
        let remote = draft.inputs.remote;
        let is_there = remote.objects.get(&folder).is_some_and(|seen| seen.kind == SeenKind::Folder);
        if is_there
            && remote.listed.contains(&folder)
            && !draft.implied.contains(&folder)
            && !gone.contains(&folder)
            && remote.below(&folder).all(|(path, _)| gone.contains(path))
        {
            plan.emptied.push(folder.clone());
            gone.insert(folder);
        }
    }
    gone
}

/// Names what a destroy leaves because it was never ours: of a folder that is not ours, the folder.
fn foreign(draft: &mut Draft<'_>, gone: &BTreeSet<RelativePath>) {
    let mut within: Option<String> = None;
    let because = if draft.inputs.ours.known { Because::NeverOurs } else { Because::OwnerUnknown };
    let told: BTreeSet<RelativePath> = order::gathered(draft.plan.left_alone.iter().map(|left| left.path.clone()));
    for (path, seen) in &draft.inputs.remote.objects {
        if gone.contains(path) || told.contains(path) {
            continue;
        }
        if within.as_ref().is_some_and(|within| path.as_str().starts_with(within)) {
            continue;
        }
        if seen.kind == SeenKind::Folder {
            if draft.holds_ours(path) {
                continue;
            }
            within = Some(path.as_prefix());
        }
        draft.plan.left_alone.push(LeftAlone { path: path.clone(), because: because.clone() });
    }
}

/// What is still ours when a destroy ends keeps its record, so that another one can go on.
fn end_of_destroy(draft: &mut Draft<'_>, gone: &BTreeSet<RelativePath>) {
    let remote = draft.inputs.remote;
    if draft.plan.kept.is_empty() {
        let then_root = remote.root_exists && remote.objects.keys().all(|path| gone.contains(path));
        draft.plan.end = End::RemoveRecords { then_root };
    }
}

fn sort(draft: &mut Draft<'_>) {
    let plan = &mut draft.plan;
    order::by_text(&mut plan.backups, |one| one.path.as_str());
    order::by_text(&mut plan.replaced, |one| one.path.as_str());
    order::by_text(&mut plan.drifted, |one| one.path.as_str());
    order::by_text(&mut plan.left_alone, |one| one.path.as_str());
    plan.left_alone.dedup_by(|a, b| a.path == b.path);
    order::by_text(&mut draft.stopping, |one| one.path.as_str());
    order::by_text(&mut draft.conflicts, |one| one.path.as_str());
    draft.conflicts.dedup();
}

/// What stops a plan as a whole. The guards against mass deletion do not bind a destroy: deleting all is what was asked
/// for, and by its own word, while a deploy deletes on the side.
fn guards(draft: &mut Draft<'_>) {
    let inputs = draft.inputs;
    // What a deploy that did not end has sent was deployed, too; what it did not come to send was not.
    let is_sent = |path: &&RelativePath| {
        !inputs.ours.records.contains_key(*path)
            && inputs.remote.objects.get(*path).is_some_and(|seen| seen.kind != SeenKind::Folder)
    };
    let recorded = inputs.ours.records.len() + inputs.ours.accepted.keys().filter(is_sent).count();
    let in_folders = draft.plan.replaced.iter().filter(|one| one.reason == DeletionReason::FolderGoes).count();
    let deleting = draft.plan.deletions.len() + in_folders;
    let obstacles = &mut draft.plan.obstacles;
    if inputs.intent == Intent::Deploy {
        if inputs.local.is_empty() && recorded > 0 {
            obstacles.push(Obstacle::NothingLeft { recorded });
        } else if recorded > GUARDED_FROM && deleting * 2 > recorded && inputs.policy.prune != Prune::Force {
            obstacles.push(Obstacle::TooManyDeletions { deleting, recorded });
        }
    }
    if !draft.stopping.is_empty() {
        obstacles.push(Obstacle::Drift(std::mem::take(&mut draft.stopping)));
    }
    if !draft.conflicts.is_empty() {
        obstacles.push(Obstacle::Conflicts(std::mem::take(&mut draft.conflicts)));
    }
}
