//! What the stages do with what was found in the place of the state.
//!
//! | found | then |
//! |---|---|
//! | nothing | one full comparison |
//! | ours | it is believed as far as the listing bears it out |
//! | another owner's | the end, exit 7, nothing touched |
//! | written in a newer form | the end, exit 7, nothing touched: what it holds could be lost by writing an older one |
//! | damaged or changed by hand | a warning that says what and where; it counts as lost |

use super::{Found, Owner, SCHEMA, State};
use crate::exit::Exit;
use crate::problem::{Code, Problem};
use crate::stop::Stop;
use crate::text;

/// What to go on with, and what to say about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accepted {
    /// The state; `None` where there is none that can be believed.
    pub state: Option<State>,
    /// What is odd about it.
    pub warning: Option<Problem>,
}

impl Found {
    /// Judges what was found in `file`, the state's path in the workspace; `me` is who deploys now.
    pub fn accept(self, file: &str, me: &Owner) -> Result<Accepted, Stop> {
        let stop = |problem| Err(Stop::because(Exit::Conflict, problem));
        match self {
            Found::Nothing => Ok(Accepted::default()),
            Found::Ours(state) => Ok(Accepted { state: Some(*state), warning: None }),
            Found::Unreadable(why) => {
                // What is quoted of it may be as long as it is.
                let why = text::excerpt(&why, text::EXCERPT);
                let problem = Problem::new(Code::DamagedState, format!("the target's state {why}; it counts as lost"))
                    .at(file)
                    .hint("nothing needs to be done: what is there is compared once, and `ON_DRIFT` decides about what differs");
                Ok(Accepted { state: None, warning: Some(problem) })
            }
            Found::Newer { schema, by } => {
                let by = by.map(|by| format!(" by version {}", text::excerpt(&by, text::EXCERPT))).unwrap_or_default();
                let message =
                    format!("the target's state was written{by} with schema {schema}, and this version knows {SCHEMA}");
                stop(
                    Problem::new(Code::NewerState, message)
                        .at(file)
                        .hint("update the pipe's tag in bitbucket-pipelines.yml; nothing was touched"),
                )
            }
            Found::Foreign(whose) => {
                let (owner, by) = *whose;
                let owner = text::excerpt(&owner.to_string(), text::EXCERPT);
                let problem = Problem::new(
                    Code::ForeignOwner,
                    format!("the target belongs to {owner}, and this is {me}"),
                )
                .at(file)
                .hint(
                    "give each a `WORKSPACE_PATH` of its own; only if the other one is gone for good, delete this file",
                );
                stop(Problem { link: by.page(), ..problem })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::DeployedBy;

    const FILE: &str = "/Workspace/Shared/etl/.databricks-deploy/state.json";

    fn me() -> Owner {
        Owner::new(Some("acme/etl"), Some("{ab}"), "notebooks", "production")
    }

    fn stopped(found: Found) -> Problem {
        let stop = found.accept(FILE, &me()).unwrap_err();
        assert_eq!(stop.exit, Exit::Conflict);
        assert_eq!(stop.problems.len(), 1);
        stop.problems.into_iter().next().unwrap()
    }

    #[test]
    fn another_owner_stops_and_both_are_named() {
        let other = Owner::new(Some("acme/other\n✔ Done"), Some("{cd}"), ".", "production");
        let by = |link: &str| DeployedBy { link: Some(link.into()), ..DeployedBy::default() };
        let problem = stopped(Found::Foreign(Box::new((other.clone(), by("https://bitbucket.org/x/7")))));
        assert_eq!(
            problem.to_string(),
            "/Workspace/Shared/etl/.databricks-deploy/state.json: the target belongs to `acme/other ✔ Done` \
             (`LOCAL_PATH` `.`, target `production`), and this is `acme/etl` (`LOCAL_PATH` `notebooks`, target \
             `production`) [foreign-owner]"
        );
        assert_eq!(problem.link.as_deref(), Some("https://bitbucket.org/x/7"));
        assert_eq!(stopped(Found::Foreign(Box::new((other, by("javascript:alert(1)"))))).link, None);
        let endless = Owner::new(Some(&"acme/other ".repeat(10_000)), Some("{cd}"), ".", "production");
        let problem = stopped(Found::Foreign(Box::new((endless, by("https://x/\u{1b}[2J")))));
        assert!(problem.message.len() < 500 && problem.link.is_none(), "{problem:?}");
    }

    #[test]
    fn a_newer_state_stops_and_says_what_to_update() {
        let problem = stopped(Found::Newer { schema: 2, by: Some("3.0.0".into()) });
        assert!(problem.message.ends_with("was written by version 3.0.0 with schema 2, and this version knows 1"));
        assert_eq!(problem.code, Code::NewerState);
        assert!(problem.hint.unwrap().contains("update the pipe's tag"));
    }

    #[test]
    fn a_damaged_state_counts_as_lost_and_says_so() {
        let Accepted { state, warning } = Found::Unreadable("ends in the middle".into()).accept(FILE, &me()).unwrap();
        assert_eq!(state, None);
        let warning = warning.unwrap();
        assert_eq!((warning.code, warning.place.as_deref()), (Code::DamagedState, Some(FILE)));
        assert_eq!(warning.message, "the target's state ends in the middle; it counts as lost");
        let quoted = Found::Unreadable(format!("has a `{}\u{202e}`", "name ".repeat(1_000)));
        let warning = quoted.accept(FILE, &me()).unwrap().warning.unwrap();
        assert!(warning.message.len() < 400 && !warning.message.contains('\u{202e}'), "{}", warning.message);
        assert_eq!(Found::Nothing.accept(FILE, &me()).unwrap(), Accepted::default());
        let ours = Found::Ours(Box::new(State::new(me())));
        assert_eq!(ours.accept(FILE, &me()).unwrap(), Accepted { state: Some(State::new(me())), warning: None });
    }
}
