//! Judges a list of rights: what somebody may certainly do, and what hangs on groups whose members nobody tells.

use crate::access::Principal;
use crate::databricks::identity::Me;
use crate::databricks::permissions::{HeldLevel, Holding};

/// Everybody whom the workspace knows, service principals too.
const EVERYBODY: &str = "users";

/// Whose rights are judged.
pub(super) enum Who<'a> {
    /// We ourselves: the workspace says which groups we are in.
    Me(&'a Me),
    /// Somebody else, whose groups nobody tells.
    Other(&'a Principal),
}

/// What somebody may do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing<L> {
    /// At least what is wanted; by a group, where it is not by name.
    Enough { by: Option<String> },
    /// Less, and there is nothing that could give more.
    Less(Option<L>),
    /// Less by all that is told, but these may give more: groups that the judged one may be in, or levels that this
    /// version does not know.
    Perhaps(Vec<String>),
}

enum Membership {
    Itself,
    Certain,
    Unknown,
    None,
}

pub(super) fn standing<L: Copy + Ord>(held: &[Holding<L>], who: &Who<'_>, wanted: L) -> Standing<L> {
    let mut best: Option<(L, Option<String>)> = None;
    let mut perhaps = Vec::new();
    for holding in held {
        let name = holding.principal.to_string();
        match (who.membership(&holding.principal), &holding.level) {
            (Membership::None, _) => {}
            (membership @ (Membership::Itself | Membership::Certain), HeldLevel::Known(level)) => {
                if best.as_ref().is_none_or(|(highest, _)| level > highest) {
                    best = Some((*level, matches!(membership, Membership::Certain).then_some(name)));
                }
            }
            (Membership::Unknown, HeldLevel::Known(level)) if *level < wanted => {}
            (Membership::Unknown, HeldLevel::Known(_)) => perhaps.push(format!("the {name}")),
            (_, HeldLevel::Other(word)) => perhaps.push(format!("{word} of the {name}")),
        }
    }
    match best {
        Some((level, by)) if level >= wanted => Standing::Enough { by },
        best if perhaps.is_empty() => Standing::Less(best.map(|(level, _)| level)),
        _ => {
            perhaps.dedup();
            Standing::Perhaps(perhaps)
        }
    }
}

impl Who<'_> {
    fn membership(&self, holder: &Principal) -> Membership {
        let itself = match self {
            Who::Me(me) => super::identity::principal(me),
            Who::Other(principal) => (*principal).clone(),
        };
        if itself.is(holder) {
            return Membership::Itself;
        }
        let Principal::Group(group) = holder else { return Membership::None };
        if group == EVERYBODY {
            return Membership::Certain;
        }
        match self {
            Who::Me(me) if me.groups.contains(group) => Membership::Certain,
            // The workspace names this group of whoever is in it; of others it may name only those that are one's own
            // directly (whether those that hold them too, no document says).
            Who::Me(me) if group == "admins" && !me.groups.is_empty() => Membership::None,
            Who::Me(_) | Who::Other(_) => Membership::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Level;

    fn me(groups: &[&str]) -> Me {
        Me {
            user_name: "5f5e8b6a-0000-4000-8000-00000000a001".into(),
            display_name: None,
            id: None,
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            workspace_id: None,
        }
    }

    fn holding(principal: Principal, level: HeldLevel) -> Holding {
        Holding { principal, level, inherited: false }
    }

    fn group(name: &str, level: Level) -> Holding {
        holding(Principal::Group(name.into()), HeldLevel::Known(level))
    }

    #[test]
    fn what_is_told_is_certain_and_the_rest_is_not_guessed() {
        let me = me(&["users", "deployers"]);
        let mine = |held: &[Holding]| standing(held, &Who::Me(&me), Level::Manage);
        let itself = Principal::ServicePrincipal(me.user_name.to_uppercase());
        assert_eq!(mine(&[]), Standing::Less(None));
        let own = holding(itself.clone(), HeldLevel::Known(Level::Manage));
        assert_eq!(mine(&[own]), Standing::Enough { by: None });
        let by = |name: &str| Standing::Enough { by: Some(format!("group `{name}`")) };
        assert_eq!(mine(&[group("deployers", Level::Manage)]), by("deployers"));
        assert_eq!(mine(&[group("users", Level::Manage)]), by("users"));
        assert_eq!(
            mine(&[group("users", Level::Read), group("admins", Level::Manage)]),
            Standing::Less(Some(Level::Read))
        );
        assert_eq!(mine(&[group("team", Level::Edit)]), Standing::Less(None));
        assert_eq!(mine(&[group("team", Level::Manage)]), Standing::Perhaps(vec!["the group `team`".into()]));
        let odd = holding(itself, HeldLevel::Other("CAN_REIGN".into()));
        assert!(matches!(mine(&[odd]), Standing::Perhaps(_)));
    }

    #[test]
    fn the_groups_of_others_are_not_known() {
        let robot = Principal::ServicePrincipal("5f5e8b6a-0000-4000-8000-00000000a002".into());
        let theirs = |held: &[Holding]| standing(held, &Who::Other(&robot), Level::Read);
        assert_eq!(theirs(&[group("admins", Level::Manage)]), Standing::Perhaps(vec!["the group `admins`".into()]));
        assert_eq!(theirs(&[group("users", Level::Read)]), Standing::Enough { by: Some("group `users`".into()) });
        assert_eq!(theirs(&[holding(robot.clone(), HeldLevel::Known(Level::Read))]), Standing::Enough { by: None });
        let user = holding(Principal::User("a@example.com".into()), HeldLevel::Known(Level::Manage));
        assert_eq!(theirs(&[user]), Standing::Less(None));
    }
}
