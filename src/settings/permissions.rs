//! `PERMISSIONS`: who shall be able to do what with the deployed folder.

use super::choices::Spelled;
use super::echo::Echo;
use super::parse::{choice, map, unresolved, unresolved_problem};
use super::token::is_uuid;
use crate::access::{Grant, Level, Principal};
use crate::problem::{Code, Problem};

/// Reads a map from principals to levels. Everything that is wrong with it is one problem, with the first one's hint.
pub(super) fn permissions(text: &str, echo: Echo<'_>) -> Result<Vec<Grant>, Problem> {
    let mut grants: Vec<Grant> = Vec::new();
    let mut wrong: Option<Problem> = None;
    for (name, level) in map(text, echo)? {
        let read = grant(&name, &level, echo).and_then(|grant| {
            match grants.iter().find(|g| g.principal.is(&grant.principal)) {
                None => Ok(grant),
                Some(earlier) => {
                    let (one, two) = (echo.show(earlier.principal.name()), echo.show(&name));
                    let message = format!("{one} and {two} are the same principal");
                    Err(Problem::new(Code::InvalidValue, message).hint("give each principal one level"))
                }
            }
        });
        match (read, &mut wrong) {
            (Ok(grant), _) => grants.push(grant),
            (Err(problem), None) => wrong = Some(problem),
            (Err(problem), Some(first)) => first.message.push_str(&format!("; {}", problem.message)),
        }
    }
    match wrong {
        Some(problem) => Err(problem),
        None if grants.is_empty() => Err(Problem::new(Code::InvalidValue, "names nobody")
            .hint("write `principal=level`, one a line, or leave the variable out")),
        None => Ok(grants),
    }
}

fn grant(name: &str, level: &str, echo: Echo<'_>) -> Result<Grant, Problem> {
    let name = name.trim();
    for (part, what) in [(name, "a principal is "), (level, "a level is ")] {
        if let Some(missing) = unresolved(part) {
            let missing = Some(missing).filter(|_| !echo.hides(part));
            return Err(unresolved_problem(what, &echo.show(part), missing));
        }
    }
    let level = choice::<Level>(level, echo).map_err(|problem| {
        // `read` is so likely meant for CAN_READ that the reader needs no list.
        let meant = Level::spelled(&format!("CAN_{level}")).filter(|_| !echo.hides_all());
        let message = format!("the level of {}, {}", echo.show(name), problem.message);
        match meant {
            Some(meant) => Problem { message, ..problem }.hint(format!("did you mean `{meant}`?")),
            None => Problem { message, ..problem },
        }
    })?;
    Ok(Grant { principal: principal(name), level })
}

/// What a name is the name of: its shape says it, as in the workspace no group is called like a person.
fn principal(name: &str) -> Principal {
    let name = name.to_owned();
    if name.contains('@') {
        Principal::User(name)
    } else if is_uuid(&name) {
        Principal::ServicePrincipal(name)
    } else {
        Principal::Group(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Grant>, Problem> {
        permissions(text, Echo::new(text, &[]))
    }

    #[test]
    fn the_shape_of_a_name_says_whose_it_is() {
        let uuid = "01234567-89AB-cdef-0123-456789abcdef";
        let text = format!("me@example.com = can_manage\n{uuid}=CAN_EDIT\ndata team=Can_Run\nadmins=CAN_READ");
        let expected = [
            (Principal::User("me@example.com".into()), Level::Manage),
            (Principal::ServicePrincipal(uuid.into()), Level::Edit),
            (Principal::Group("data team".into()), Level::Run),
            (Principal::Group("admins".into()), Level::Read),
        ];
        let expected = expected.map(|(principal, level)| Grant { principal, level });
        assert_eq!(read(&text).unwrap(), expected);
        assert_eq!(read(r#"{"a=b": "CAN_READ"}"#).unwrap()[0].principal, Principal::Group("a=b".into()));
    }

    #[test]
    fn what_is_wrong_is_told_at_once() {
        for (text, message, hint) in [
            ("{}", "names nobody", "write `principal=level`, one a line, or leave the variable out"),
            (
                "a=read",
                "the level of `a`, `read` is none of `CAN_READ`, `CAN_RUN`, `CAN_EDIT`, `CAN_MANAGE`",
                "did you mean `CAN_READ`?",
            ),
            (
                "a=CAN_EDT",
                "the level of `a`, `CAN_EDT` is none of `CAN_READ`, `CAN_RUN`, `CAN_EDIT`, `CAN_MANAGE`",
                "did you mean `CAN_EDIT`?",
            ),
            (
                "a=owner\nb=CAN_READ\nc=",
                "the level of `a`, `owner` is none of `CAN_READ`, `CAN_RUN`, `CAN_EDIT`, `CAN_MANAGE`; \
                 the level of `c`, `` is none of `CAN_READ`, `CAN_RUN`, `CAN_EDIT`, `CAN_MANAGE`",
                "use one of `CAN_READ`, `CAN_RUN`, `CAN_EDIT`, `CAN_MANAGE`",
            ),
            (
                "Me@example.com=CAN_READ\nme@EXAMPLE.com=CAN_RUN",
                "`Me@example.com` and `me@EXAMPLE.com` are the same principal",
                "give each principal one level",
            ),
            ("a=CAN_READ\na=CAN_RUN", "`a` is given twice", "give each name one value"),
            (
                "$TEAM=CAN_READ",
                "a principal is the literal `$TEAM`, because the step never defined `TEAM`",
                "define `TEAM` as a repository, workspace or deployment variable; a deployment variable is there only in \
                 a step with that `deployment:`",
            ),
        ] {
            let problem = read(text).unwrap_err();
            assert_eq!((problem.message.as_str(), problem.hint.as_deref()), (message, Some(hint)), "{text}");
        }
        assert_eq!(read("Team=CAN_READ\nteam=CAN_RUN").unwrap().len(), 2, "groups are told apart by case");
    }
}
