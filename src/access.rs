//! Who may do what with a folder or a job of the workspace.

use std::fmt;

/// Somebody who can be given a right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// A user, by user name: an e-mail address.
    User(String),
    /// A service principal, by application id: a UUID.
    ServicePrincipal(String),
    /// A group, by name.
    Group(String),
}

/// What one may do with a folder and all that is in it; a later one holds the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// See it.
    Read,
    /// And run it.
    Run,
    /// And change it.
    Edit,
    /// And give rights on it.
    Manage,
}

/// A right that somebody shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub principal: Principal,
    /// At least this.
    pub level: Level,
}

impl Principal {
    /// The name, whatever it is the name of.
    pub fn name(&self) -> &str {
        match self {
            Principal::User(name) | Principal::ServicePrincipal(name) | Principal::Group(name) => name,
        }
    }

    /// Whether both are the same. Only the names of groups are told apart by case: that the workspace does so with them
    /// is not confirmed, and to take two for one would leave one of them without its right.
    pub fn is(&self, other: &Principal) -> bool {
        match (self, other) {
            (Principal::User(one), Principal::User(two))
            | (Principal::ServicePrincipal(one), Principal::ServicePrincipal(two)) => {
                one.to_lowercase() == two.to_lowercase()
            }
            _ => self == other,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Principal::User(name) => write!(f, "user `{name}`"),
            Principal::ServicePrincipal(id) => write!(f, "service principal `{id}`"),
            Principal::Group(name) => write!(f, "group `{name}`"),
        }
    }
}

impl Level {
    /// All of them, the lowest first.
    pub const ALL: [Level; 4] = [Level::Read, Level::Run, Level::Edit, Level::Manage];

    /// The service's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Read => "CAN_READ",
            Level::Run => "CAN_RUN",
            Level::Edit => "CAN_EDIT",
            Level::Manage => "CAN_MANAGE",
        }
    }
}

/// What one may do with a job; a later one holds the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobLevel {
    /// See it and its runs.
    View,
    /// And run it, and cancel its runs.
    ManageRun,
    /// And change it.
    Manage,
    /// And be the one that it belongs to.
    Owner,
}

impl JobLevel {
    /// All of them, the lowest first.
    pub const ALL: [JobLevel; 4] = [JobLevel::View, JobLevel::ManageRun, JobLevel::Manage, JobLevel::Owner];

    /// The service's word.
    pub fn as_str(self) -> &'static str {
        match self {
            JobLevel::View => "CAN_VIEW",
            JobLevel::ManageRun => "CAN_MANAGE_RUN",
            JobLevel::Manage => "CAN_MANAGE",
            JobLevel::Owner => "IS_OWNER",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
