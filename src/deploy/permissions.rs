//! Gives the rights that the settings name on the deployed folder: merged into what is there, never less than somebody
//! has, and nothing is ever taken.

use crate::access::{Grant, Level, Principal};
use crate::databricks::Workspace;
use crate::databricks::error::{Error, Meaning};
use crate::databricks::permissions::{HeldLevel, Holding};
use crate::event::{Emit, Event};
use crate::exit::Exit;
use crate::problem::{Code, Problem};
use crate::stop::Stop;

/// Sees to it that everybody in `wanted` has at least the level that is wanted on the folder of this object id. Who has
/// it already, be it from a folder above, is left alone, and so is everybody else, the deployer among them.
pub async fn apply(
    workspace: &Workspace,
    root_object_id: i64,
    wanted: &[Grant],
    events: &dyn Emit,
) -> Result<(), Stop> {
    if wanted.is_empty() {
        return Ok(());
    }
    let held =
        workspace.folder_permissions(root_object_id).await.map_err(|error| stop(vec![(refused(&error), error)]))?;
    let mut missing = Vec::new();
    for grant in wanted {
        match standing(&held, grant) {
            Standing::Enough => {}
            Standing::Less => missing.push(grant),
            Standing::Unknown(word) => events.emit(Event::Warned(unknown_level(grant, word))),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let held = match workspace.give_on_folder(root_object_id, &missing).await {
        Ok(held) => held,
        Err(error) if may_be_about_somebody(&error) => one_by_one(workspace, root_object_id, &missing).await?,
        Err(error) => return Err(stop(vec![(refused(&error), error)])),
    };
    let without: Vec<Problem> =
        missing.iter().filter(|grant| standing(&held, grant) != Standing::Enough).map(|grant| ignored(grant)).collect();
    if !without.is_empty() {
        return Err(Stop { exit: Exit::Deploy, problems: without });
    }
    for grant in missing {
        events.emit(Event::PermissionGiven { to: grant.principal.to_string(), level: grant.level.as_str() });
    }
    Ok(())
}

/// Where somebody stands.
#[derive(Debug, PartialEq, Eq)]
enum Standing<'a> {
    /// There, or above.
    Enough,
    /// Below.
    Less,
    /// On a level of this name, which this version cannot compare: a right that replaced it might be a lower one.
    Unknown(&'a str),
}

fn standing<'a>(held: &'a [Holding], grant: &Grant) -> Standing<'a> {
    let own = || held.iter().filter(|holding| holding.principal.is(&grant.principal));
    let level = |holding: &Holding| match &holding.level {
        HeldLevel::Known(level) => Some(*level),
        HeldLevel::Other(_) => None,
    };
    let highest: Option<Level> = own().filter_map(level).max();
    if highest >= Some(grant.level) {
        return Standing::Enough;
    }
    // What is inherited stays, whatever is given here.
    own()
        .find_map(|holding| match &holding.level {
            HeldLevel::Other(word) if !holding.inherited => Some(Standing::Unknown(word.as_str())),
            _ => None,
        })
        .unwrap_or(Standing::Less)
}

/// Whether the refusal may come from one of those who were named. Status and code of it are not confirmed: 404 or 400.
fn may_be_about_somebody(error: &Error) -> bool {
    matches!(error.meaning(), Some(Meaning::NotFound | Meaning::Malformed))
}

/// Gives to one after the other, so that it is known whom the workspace does not take. The others get what is theirs.
async fn one_by_one(workspace: &Workspace, root_object_id: i64, grants: &[&Grant]) -> Result<Vec<Holding>, Stop> {
    let mut held = Vec::new();
    let mut failures = Vec::new();
    for grant in grants {
        match workspace.give_on_folder(root_object_id, &[grant]).await {
            Ok(after) => held = after,
            Err(error) if may_be_about_somebody(&error) => failures.push((not_taken(grant, &error), error)),
            Err(error) => {
                failures.push((refused(&error), error));
                break;
            }
        }
    }
    if failures.is_empty() { Ok(held) } else { Err(stop(failures)) }
}

fn stop(failures: Vec<(Problem, Error)>) -> Stop {
    let identity = failures.iter().any(|(_, error)| error.is_about_identity());
    let exit = if identity { Exit::Identity } else { Exit::Deploy };
    Stop { exit, problems: failures.into_iter().map(|(problem, _)| problem.at("PERMISSIONS")).collect() }
}

/// The request failed whoever was named in it.
fn refused(error: &Error) -> Problem {
    let problem = error.problem();
    match error.meaning() {
        Some(Meaning::PermissionDenied) => {
            problem.hint("give the identity that deploys CAN_MANAGE on the folder or on one above it, or leave it out")
        }
        _ => problem,
    }
}

fn not_taken(grant: &Grant, error: &Error) -> Problem {
    let said = error.said().unwrap_or_default();
    let message = format!("the workspace does not take the {}: {said}", grant.principal);
    let kind = match &grant.principal {
        Principal::User(_) => "a name with `@` is taken for a user",
        Principal::ServicePrincipal(_) => "a UUID is taken for the application id of a service principal",
        Principal::Group(_) => "a name without `@` that is no UUID is taken for a group",
    };
    let code = if error.meaning() == Some(Meaning::NotFound) { Code::NotFound } else { Code::UnexpectedAnswer };
    Problem::new(code, message).hint(format!("check the name; {kind}"))
}

fn ignored(grant: &Grant) -> Problem {
    let message = format!("the {} was given {}, and the workspace does not show it", grant.principal, grant.level);
    Problem::new(Code::UnexpectedAnswer, message)
        .at("PERMISSIONS")
        .hint("look at the folder's permissions in the workspace, then run again")
}

fn unknown_level(grant: &Grant, word: &str) -> Problem {
    let message = format!(
        "the {} has {word}, which this version cannot compare with {}: nothing was changed",
        grant.principal, grant.level
    );
    Problem::new(Code::NoEffect, message).at("PERMISSIONS").hint("change it in the workspace, if it is too little")
}
