//! What is wrong with the tree as a whole: names that collide or cannot be, and a tree of nothing.

use super::LocalFile;
use crate::problem::{Code, Problem};
use std::collections::{BTreeMap, HashMap};

/// Every name that the workspace cannot have.
pub(super) fn names(files: &[LocalFile]) -> Vec<Problem> {
    let mut problems = BTreeMap::new();
    for file in files {
        let name = file.remote.rsplit('/').next().unwrap_or_default();
        let (place, message) = if let Some(at) = file.relative.find(char::is_control) {
            // The name that is to blame may be a folder's, which holds many files.
            let (before, rest) = file.relative.split_at_checked(at).unwrap_or_default();
            let to_blame = rest.split('/').next().unwrap_or_default();
            (format!("{before}{to_blame}").escape_debug().to_string(), "the name contains a control character")
        } else if matches!(name, "" | "." | "..") {
            (file.relative.clone(), "without its extension, as the workspace names notebooks, no name is left")
        } else if file.remote == ".databricks-deploy" {
            (file.relative.clone(), "the target keeps its state under the name `.databricks-deploy`")
        } else {
            continue;
        };
        problems
            .entry(place.clone())
            .or_insert_with(|| Problem::new(Code::InvalidName, message).at(place).hint("rename it"));
    }
    problems.into_values().collect()
}

/// Every name that two files claim, or a file and a folder. `files` are sorted by remote path. Names are compared with
/// their case: the workspace tells `A` from `a`.
pub(super) fn collisions(files: &[LocalFile]) -> Vec<Problem> {
    let mut claims: BTreeMap<&str, Vec<&LocalFile>> = BTreeMap::new();
    let mut folders: HashMap<&str, &LocalFile> = HashMap::new();
    for file in files {
        claims.entry(&file.remote).or_default().push(file);
        for (end, _) in file.remote.match_indices('/') {
            if let Some(folder) = file.remote.get(..end) {
                folders.entry(folder).or_insert(file);
            }
        }
    }
    let mut problems = Vec::new();
    for (remote, claimants) in claims {
        let Some(first) = claimants.first() else { continue };
        let mut names: Vec<String> = claimants.iter().map(|file| format!("`{}`", file.relative)).collect();
        if let Some(inside) = folders.get(remote) {
            names.push(format!("the folder of `{}`", inside.relative));
        }
        if names.len() > 1 {
            let message = format!("the workspace name `{remote}` is claimed by {}", listed(&names));
            problems.push(
                Problem::new(Code::NameCollision, message)
                    .at(&first.relative)
                    .hint("rename one of them: the workspace names a notebook without its extension"),
            );
        }
    }
    problems
}

/// The problem of a tree that has nothing to deploy.
pub(super) fn empty(shown: &str, ignored: &[(String, String)]) -> Problem {
    let problem = |message| Problem::new(Code::EmptyTree, message).at("LOCAL_PATH");
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, reason) in ignored {
        *reasons.entry(reason).or_default() += 1;
    }
    let Some((reason, count)) = reasons.into_iter().max_by_key(|(_, count)| *count) else {
        return problem(format!("`{shown}` has no files"))
            .hint("if an earlier step builds them, declare them there under `artifacts:`");
    };
    let most = match ignored.len() {
        1 => format!("the one entry is left out ({reason})"),
        all if all == count => format!("all {all} entries are left out ({reason})"),
        all => format!("all {all} entries are left out, {count} of them by one rule ({reason})"),
    };
    problem(format!("`{shown}` has no file to deploy: {most}"))
        .hint("`INCLUDE` adds ignored files back; `DEBUG: true` says why each was left out")
}

fn listed(names: &[String]) -> String {
    match names {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        _ => names.concat(),
    }
}
