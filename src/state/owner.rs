//! Whose target it is.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Who deploys to a target: one pipe of one repository, to one target.
///
/// Two are the same if the repository, `LOCAL_PATH` and the target are. A repository is known by its UUID, which outlives
/// a new name; only where one side has none (outside Bitbucket), by its name. Where neither has a name either, two
/// laptops with the same `LOCAL_PATH` and target cannot be told apart, and count as the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Owner {
    /// `workspace/repository`, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repository: Option<String>,
    /// The repository's UUID, in lower case and without braces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repository_uuid: Option<String>,
    /// `LOCAL_PATH` from the root of the clone; `.` for the root itself.
    local_path: String,
    /// The target's name.
    target: String,
}

impl Owner {
    /// The owner of what this step deploys. `local_path` may be spelt in any way.
    pub fn new(repository: Option<&str>, repository_uuid: Option<&str>, local_path: &str, target: &str) -> Owner {
        Owner {
            repository: repository.map(str::to_owned),
            repository_uuid: repository_uuid.map(uuid),
            local_path: normal(local_path),
            target: target.to_owned(),
        }
    }

    /// The same with everything in its normal form, for an owner that was read.
    pub(super) fn normalised(self) -> Owner {
        Owner::new(self.repository.as_deref(), self.repository_uuid.as_deref(), &self.local_path, &self.target)
    }

    /// The target's name.
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl PartialEq for Owner {
    fn eq(&self, other: &Owner) -> bool {
        let same_repository = match (&self.repository_uuid, &other.repository_uuid) {
            (Some(one), Some(two)) => one == two,
            _ => self.repository == other.repository,
        };
        same_repository && self.local_path == other.local_path && self.target == other.target
    }
}

/// As it is named in messages, which name both sides.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.repository, &self.repository_uuid) {
            (Some(name), _) => write!(f, "`{name}`")?,
            (None, Some(uuid)) => write!(f, "repository {uuid}")?,
            (None, None) => f.write_str("a checkout outside Bitbucket")?,
        }
        write!(f, " (`LOCAL_PATH` `{}`, target `{}`)", self.local_path, self.target)
    }
}

fn uuid(text: &str) -> String {
    text.trim_matches(['{', '}']).to_ascii_lowercase()
}

/// `./notebooks//etl/` and `notebooks/etl` are one folder.
fn normal(local_path: &str) -> String {
    let names: Vec<&str> = local_path.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    if names.is_empty() { ".".to_owned() } else { names.join("/") }
}

#[cfg(test)]
mod tests {
    use super::Owner;

    #[test]
    fn the_same_repository_path_and_target_in_any_spelling() {
        let ours = Owner::new(Some("acme/etl"), Some("{AB-1}"), "./notebooks//x/", "production");
        assert_eq!(ours, Owner::new(Some("acme/renamed"), Some("ab-1"), "notebooks/x", "production"));
        assert_eq!(ours, Owner::new(Some("acme/etl"), None, "notebooks/x", "production"));
        for other in [
            Owner::new(Some("acme/etl"), Some("{AB-2}"), "notebooks/x", "production"),
            Owner::new(Some("acme/etl"), Some("{AB-1}"), "notebooks", "production"),
            Owner::new(Some("acme/etl"), Some("{AB-1}"), "notebooks/x", "test"),
            Owner::new(None, None, "notebooks/x", "production"),
            Owner::new(Some("acme/other"), None, "notebooks/x", "production"),
        ] {
            assert_ne!(ours, other, "{other}");
        }
        let laptop = Owner::new(None, None, ".", "dev");
        assert_eq!(laptop, Owner::new(None, None, "", "dev"));
    }

    #[test]
    fn both_sides_of_a_conflict_are_told_apart_by_their_words() {
        let one = Owner::new(Some("acme/etl"), Some("{ab}"), "notebooks", "production");
        assert_eq!(one.to_string(), "`acme/etl` (`LOCAL_PATH` `notebooks`, target `production`)");
        let laptop = Owner::new(None, None, "./", "dev");
        assert_eq!(laptop.to_string(), "a checkout outside Bitbucket (`LOCAL_PATH` `.`, target `dev`)");
        assert_eq!(Owner::new(None, Some("{ab}"), "", "x").to_string(), "repository ab (`LOCAL_PATH` `.`, target `x`)");
    }
}
