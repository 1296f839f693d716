//! Who was given what on which object, beside the rights that a [`Principal`](crate::Principal) comes with. What is given
//! here is remembered and told; it opens no folder to anybody.

use std::collections::{BTreeMap, BTreeSet};

/// What one may do with a folder; a later one holds the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PermissionLevel {
    /// `CAN_READ`
    Read,
    /// `CAN_RUN`
    Run,
    /// `CAN_EDIT`
    Edit,
    /// `CAN_MANAGE`
    Manage,
}

impl PermissionLevel {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            PermissionLevel::Read => "CAN_READ",
            PermissionLevel::Run => "CAN_RUN",
            PermissionLevel::Edit => "CAN_EDIT",
            PermissionLevel::Manage => "CAN_MANAGE",
        }
    }

    /// Reads the name on the wire. Case counts.
    pub(crate) fn from_name(name: &str) -> Option<PermissionLevel> {
        let all = [PermissionLevel::Read, PermissionLevel::Run, PermissionLevel::Edit, PermissionLevel::Manage];
        all.into_iter().find(|level| level.name() == name)
    }
}

/// Somebody who can be given something, by the field that names them on the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grantee {
    User(String),
    Group(String),
    ServicePrincipal(String),
}

impl Grantee {
    /// The field and the name.
    pub(crate) fn field(&self) -> (&'static str, &str) {
        match self {
            Grantee::User(name) => ("user_name", name),
            Grantee::Group(name) => ("group_name", name),
            Grantee::ServicePrincipal(name) => ("service_principal_name", name),
        }
    }

    /// As the service names it in refusals (seen in issues of the Terraform provider).
    pub(crate) fn shown(&self) -> String {
        match self {
            Grantee::User(name) => format!("UserName({name})"),
            Grantee::Group(name) => format!("GroupName({name})"),
            Grantee::ServicePrincipal(name) => format!("ServicePrincipalName({name})"),
        }
    }
}

/// Everything that was given.
#[derive(Clone, Debug)]
pub(crate) struct Permissions {
    groups: BTreeSet<String>,
    /// By object id: an object that is deleted and made again has lost what was given on it.
    direct: BTreeMap<i64, BTreeMap<Grantee, PermissionLevel>>,
}

impl Default for Permissions {
    fn default() -> Permissions {
        // Every workspace has these two.
        let groups = ["admins", "users"].map(str::to_owned).into();
        Permissions { groups, direct: BTreeMap::new() }
    }
}

impl Permissions {
    pub(crate) fn add_group(&mut self, name: &str) {
        self.groups.insert(name.to_owned());
    }

    pub(crate) fn knows_group(&self, name: &str) -> bool {
        self.groups.contains(name)
    }

    /// What was given on the object itself.
    pub(crate) fn on(&self, object_id: i64) -> BTreeMap<Grantee, PermissionLevel> {
        self.direct.get(&object_id).cloned().unwrap_or_default()
    }

    /// Gives, in place of what the same ones were given before: also less.
    pub(crate) fn merge(&mut self, object_id: i64, given: impl IntoIterator<Item = (Grantee, PermissionLevel)>) {
        self.direct.entry(object_id).or_default().extend(given);
    }

    /// Takes away all that was given on the object, and gives this.
    pub(crate) fn replace(&mut self, object_id: i64, given: impl IntoIterator<Item = (Grantee, PermissionLevel)>) {
        self.direct.insert(object_id, given.into_iter().collect());
    }
}
