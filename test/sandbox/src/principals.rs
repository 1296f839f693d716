//! Who may come in, and what each may do.

use crate::ids;
use crate::workspace::path;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether a personal access token, or an OAuth secret, is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It is.
    Valid,
    /// Its lifetime is over.
    Expired,
    /// It was deleted.
    Revoked,
}

/// What kind of identity a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// A person; the name is an e-mail address.
    User,
    /// A service principal; the name is its application id, a UUID.
    ServicePrincipal,
}

/// What a principal may do in a folder and below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderRight {
    /// Nothing: the folder looks as if it were not there (404).
    None,
    /// Read; writing is refused with 403.
    Read,
    /// Read, write and delete.
    Write,
}

impl FolderRight {
    pub(crate) fn may_read(self) -> bool {
        self >= FolderRight::Read
    }
}

/// What a principal may do with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobRight {
    /// Nothing, not even learn whether it exists (403 before existence).
    None,
    /// See it and its runs.
    View,
    /// See it, run it, cancel its runs.
    ManageRun,
    /// All of that, and change or delete it.
    Manage,
}

/// An identity known to the workspace.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The `userName`: an e-mail address, or the application id of a service principal.
    pub name: String,
    /// The name that people see.
    pub display_name: String,
    /// What it is.
    pub kind: PrincipalKind,
    /// A workspace admin may do everything, and learns that a missing job is missing.
    pub admin: bool,
    /// Whether it was let into this workspace; otherwise every call ends in 403 `PERMISSION_DENIED`.
    pub member: bool,
    /// Whether it belongs to the account, as all service principals of today do. One that is local to the workspace
    /// has no federation policies.
    pub account_level: bool,
    /// The state of its token.
    pub token: TokenState,
    /// Rights in folders; the longest path that holds the object decides. Without an entry: everything in its home
    /// and in `/Shared`, nothing in the homes of others, reading elsewhere.
    pub folders: BTreeMap<String, FolderRight>,
    /// Rights on jobs, by job id. Whoever made a job may do everything with it.
    pub jobs: BTreeMap<i64, JobRight>,
    /// The right on every job that `jobs` does not name.
    pub other_jobs: JobRight,
}

impl Principal {
    /// A user that is no admin, with a valid token.
    #[must_use]
    pub fn user(name: &str) -> Principal {
        Principal {
            name: name.to_owned(),
            display_name: name.to_owned(),
            kind: PrincipalKind::User,
            admin: false,
            member: true,
            account_level: true,
            token: TokenState::Valid,
            folders: BTreeMap::new(),
            jobs: BTreeMap::new(),
            other_jobs: JobRight::None,
        }
    }

    /// A workspace admin with a valid token.
    #[must_use]
    pub fn admin(name: &str) -> Principal {
        Principal { admin: true, ..Principal::user(name) }
    }

    /// A service principal that is no admin, with a valid token; `application_id` is a UUID.
    #[must_use]
    pub fn service(application_id: &str, display_name: &str) -> Principal {
        Principal {
            kind: PrincipalKind::ServicePrincipal,
            display_name: display_name.to_owned(),
            ..Principal::user(application_id)
        }
    }

    /// Sets the right in a folder and below; with or without `/Workspace`.
    #[must_use]
    pub fn in_folder(mut self, path: &str, right: FolderRight) -> Principal {
        self.folders.insert(path.to_owned(), right);
        self
    }

    /// Sets the right on a job.
    #[must_use]
    pub fn on_job(mut self, job_id: i64, right: JobRight) -> Principal {
        self.jobs.insert(job_id, right);
        self
    }

    /// Sets the state of the token.
    #[must_use]
    pub fn with_token(mut self, state: TokenState) -> Principal {
        self.token = state;
        self
    }

    /// The path of the home folder.
    #[must_use]
    pub fn home(&self) -> String {
        format!("/Workspace/Users/{}", self.name)
    }

    /// The right at a normal path.
    pub(crate) fn folder_right(&self, path: &str) -> FolderRight {
        if self.admin {
            return FolderRight::Write;
        }
        let longest = |folders: &mut dyn Iterator<Item = (&str, FolderRight)>| {
            folders.filter(|(folder, _)| holds(folder, path)).map(|(folder, right)| (folder.len(), right)).max()
        };
        let home = self.home();
        let users = if path == "/Workspace/Users" { FolderRight::Read } else { FolderRight::None };
        let defaults = [
            ("/Workspace", FolderRight::Read),
            ("/Workspace/Shared", FolderRight::Write),
            ("/Workspace/Users", users),
            (home.as_str(), FolderRight::Write),
        ];
        let given = longest(&mut self.folders.iter().map(|(folder, right)| (folder.as_str(), *right)));
        let default = longest(&mut defaults.into_iter());
        match (given, default) {
            (Some((length, right)), Some((default, _))) if length >= default => right,
            (_, Some((_, right))) | (Some((_, right)), None) => right,
            (None, None) => FolderRight::None,
        }
    }

    /// The right on a job made by `creator`.
    pub(crate) fn job_right(&self, job_id: i64, creator: Option<&str>) -> JobRight {
        if self.admin || creator == Some(self.name.as_str()) {
            return JobRight::Manage;
        }
        self.jobs.get(&job_id).copied().unwrap_or(self.other_jobs)
    }
}

fn holds(folder: &str, path: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// All principals, with their numeric SCIM ids and tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Principals {
    known: Vec<(i64, Arc<Principal>)>,
    tokens: BTreeMap<String, usize>,
}

impl Principals {
    /// Takes somebody in, and makes a token.
    pub(crate) fn add(&mut self, id: i64, mut principal: Principal) -> String {
        let folders = std::mem::take(&mut principal.folders);
        principal.folders = folders.into_iter().map(|(path, right)| (path::with_mount(&path), right)).collect();
        let token = ids::token();
        self.tokens.insert(token.clone(), self.known.len());
        self.known.push((id, Arc::new(principal)));
        token
    }

    /// The principal of this name.
    pub(crate) fn named(&self, name: &str) -> Option<(i64, Arc<Principal>)> {
        self.known.iter().find(|(_, known)| known.name == name).map(|(id, known)| (*id, Arc::clone(known)))
    }

    /// Everybody.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Principal> {
        self.known.iter().map(|(_, principal)| &**principal)
    }

    pub(crate) fn set_token_state(&mut self, name: &str, state: TokenState) {
        for (_, principal) in self.known.iter_mut().filter(|(_, principal)| principal.name == name) {
            Arc::make_mut(principal).token = state;
        }
    }

    /// The owner of a personal access token, if the token is good; the outer `None` if there never was such a token.
    pub(crate) fn with_token(&self, token: &str) -> Option<Option<(i64, Arc<Principal>)>> {
        let (id, principal) = self.known.get(*self.tokens.get(token)?)?;
        Some((principal.token == TokenState::Valid).then(|| (*id, Arc::clone(principal))))
    }
}
