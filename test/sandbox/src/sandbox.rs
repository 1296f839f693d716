//! The handle that tests hold.

use crate::clock::Clock;
use crate::compute::Compute;
use crate::entra::Entra;
use crate::faults::{Fault, Faults};
use crate::freeze::Freezer;
use crate::host::HostSettings;
use crate::ids::Ids;
use crate::issuer::Issuers;
use crate::jobs::Jobs;
use crate::limits::{Bucket, Conditions, RateLimit};
use crate::oauth::{FederatedLifetime, OAuth};
use crate::permissions::{Grantee, PermissionLevel, Permissions};
use crate::principals::{Principal, PrincipalKind, Principals, TokenState};
use crate::record::Recorded;
use crate::runs::{Match, Run, Runs, Script, View};
use crate::state::State;
use crate::workspace::path::{ROOT, with_mount};
use crate::workspace::{Detected, Kind, Language, Object, Tree};
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

const FIRST_USER: &str = "ci@example.com";

/// A fake workspace. Clones share it; a [fork](Sandbox::fork) is another one.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) shared: Arc<Shared>,
    token: Arc<str>,
}

/// What clones share.
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    /// Told whenever a request was answered or held, or a connection ended.
    pub(crate) moved: Condvar,
}

impl fmt::Debug for Sandbox {
    /// Shows nothing of what it keeps: there are tokens and secrets in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").finish_non_exhaustive()
    }
}

impl Default for Sandbox {
    fn default() -> Sandbox {
        Sandbox::new()
    }
}

impl Sandbox {
    /// A workspace with one user, `ci@example.com`, who is an admin and has one token; with `/Users`, this user's
    /// home, and `/Shared`. Its clock starts at 2026-03-02 09:00:00 UTC and follows tokio's time.
    #[must_use]
    pub fn new() -> Sandbox {
        Sandbox::with(Clock::fixed())
    }

    /// The same, with a clock that starts at a given time.
    #[must_use]
    pub fn starting_at(base: SystemTime) -> Sandbox {
        Sandbox::with(Clock::starting_at(base))
    }

    fn with(clock: Clock) -> Sandbox {
        let mut state = State {
            clock,
            ids: Ids::new(),
            workspace_id: 1_234_567_890_123_456,
            principals: Principals::default(),
            host: HostSettings::default(),
            issuers: Issuers::default(),
            oauth: OAuth::default(),
            entra: Entra::default(),
            tree: Tree::default(),
            permissions: Permissions::default(),
            jobs: Jobs::default(),
            runs: Runs::default(),
            compute: Compute::default(),
            faults: Faults::default(),
            freezer: Freezer::default(),
            buckets: Vec::new(),
            requests: Vec::new(),
            unknown_routes: Vec::new(),
            connections: 0,
            open_connections: 0,
        };
        let now = state.clock.millis();
        for folder in [ROOT, "/Workspace/Users", "/Workspace/Shared"] {
            state.tree.plant(folder, &mut state.ids, now);
        }
        let mut sandbox = Sandbox::of(state, Arc::from(""));
        sandbox.token = Arc::from(sandbox.add_principal(Principal::admin(FIRST_USER)));
        sandbox
    }

    fn of(state: State, token: Arc<str>) -> Sandbox {
        Sandbox { shared: Arc::new(Shared { state: Mutex::new(state), moved: Condvar::new() }), token }
    }

    /// Another workspace in which everything is as it is in this one now, whatever becomes of either: objects and ids,
    /// principals and tokens, jobs and runs, troubles, the record of requests, what is held. Nobody is connected to it.
    /// Its clock goes on from the same moment of tokio's time, so that forks of a sandbox in paused time belong into the
    /// same runtime.
    #[must_use]
    pub fn fork(&self) -> Sandbox {
        let mut state = self.state().clone();
        state.clock = state.clock.fork();
        state.open_connections = 0;
        state.freezer.forget_under_way();
        Sandbox::of(state, Arc::clone(&self.token))
    }

    /// Moves the clock on, as if so much time had passed in which nobody asked for anything: `Date` and the times of
    /// objects, the lives of tokens, runs and rate limits. Tokio's time stays where it is, and with it every pause that
    /// a fault has ordered.
    pub fn let_time_pass(&self, time: Duration) {
        self.state().clock.skip(time);
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A test that failed while it held the lock must not hide its failure behind another one.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token of `ci@example.com`.
    #[must_use]
    pub fn token(&self) -> String {
        self.token.to_string()
    }

    /// The id of the workspace, as `X-Databricks-Org-Id` tells it.
    #[must_use]
    pub fn workspace_id(&self) -> i64 {
        self.state().workspace_id
    }

    /// What time it is there.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        self.state().clock.wall()
    }

    /// Lets somebody else in: makes the home folder and returns a new token.
    pub fn add_principal(&self, principal: Principal) -> String {
        let mut state = self.state();
        let state = &mut *state;
        let (id, now) = (state.ids.next(), state.clock.millis());
        state.tree.plant(&principal.home(), &mut state.ids, now);
        state.principals.add(id, principal)
    }

    /// Makes a group, so that rights can be given to it. `admins` and `users` are there.
    pub fn add_group(&self, name: &str) {
        self.state().permissions.add_group(name);
    }

    /// Gives somebody a right on a folder or another object, as if it had been done in the browser: a principal that was
    /// added, or else a group.
    pub fn give(&self, path: &str, to: &str, level: PermissionLevel) {
        let mut state = self.state();
        let state = &mut *state;
        let name = to.to_owned();
        let grantee = match state.principals.named(to).map(|(_, known)| known.kind) {
            Some(PrincipalKind::User) => Grantee::User(name),
            Some(PrincipalKind::ServicePrincipal) => Grantee::ServicePrincipal(name),
            None => Grantee::Group(name),
        };
        if let Some(object) = state.tree.at(&with_mount(path)) {
            state.permissions.merge(object.object_id, [(grantee, level)]);
        }
    }

    /// What was given on an object itself, by name.
    #[must_use]
    pub fn given(&self, path: &str) -> BTreeMap<String, PermissionLevel> {
        let state = self.state();
        let given = state.tree.at(&with_mount(path)).map(|object| state.permissions.on(object.object_id));
        given.unwrap_or_default().into_iter().map(|(grantee, level)| (grantee.field().1.to_owned(), level)).collect()
    }

    /// Changes the state of every token of a principal.
    pub fn set_token_state(&self, principal: &str, token: TokenState) {
        self.state().principals.set_token_state(principal, token);
    }

    /// Makes another OAuth secret for a service principal that was added, and returns it. Several are good at the same
    /// time.
    pub fn add_client_secret(&self, application_id: &str) -> String {
        self.state().oauth.add_secret(application_id)
    }

    /// Changes the state of an OAuth secret. Access tokens that were issued for it stay good.
    pub fn set_client_secret_state(&self, secret: &str, state: TokenState) {
        self.state().oauth.set_secret_state(secret, state);
    }

    /// How long access tokens are good that are issued from now on, in tokio time; an hour at first.
    pub fn set_access_token_lifetime(&self, lifetime: Duration) {
        self.state().oauth.lifetime = lifetime;
    }

    /// By which rule the access tokens live that are issued for federated tokens from now on.
    pub fn set_federated_lifetime(&self, lifetime: FederatedLifetime) {
        self.state().oauth.federated_lifetime = lifetime;
    }

    /// Whether `expires_in` is sent as a string from now on, as some servers do.
    pub fn send_expires_in_as_text(&self, as_text: bool) {
        self.state().oauth.expires_in_as_text = as_text;
    }

    /// Revokes every access token that was issued so far.
    pub fn revoke_access_tokens(&self) {
        self.state().oauth.tokens.revoke_all();
    }

    /// Every access token that was issued so far, so that a test can look for it where it must not be.
    #[must_use]
    pub fn access_tokens(&self) -> Vec<String> {
        self.state().oauth.tokens.all()
    }

    /// Puts a notebook where it should be, with the folders above it, as if somebody had made it there: no request, no
    /// rights, no limits. `path` has no extension; `/Workspace` may be left out.
    pub fn put_notebook(&self, path: &str, language: Language, content: impl Into<Bytes>) {
        self.put(path, Kind::Notebook, Some(language), content.into());
    }

    /// Puts a file somewhere, likewise.
    pub fn put_file(&self, path: &str, content: impl Into<Bytes>) {
        self.put(path, Kind::File, None, content.into());
    }

    fn put(&self, path: &str, kind: Kind, language: Option<Language>, content: Bytes) {
        let mut state = self.state();
        let state = &mut *state;
        let now = state.clock.millis();
        let made = Detected { kind, language, jupyter: false, name: String::new() };
        state.tree.put(&with_mount(path), made, content, &mut state.ids, now);
    }

    /// Makes a folder and those above it, likewise.
    pub fn put_folder(&self, path: &str) {
        let mut state = self.state();
        let state = &mut *state;
        let now = state.clock.millis();
        state.tree.plant(&with_mount(path), &mut state.ids, now);
    }

    /// Takes an object away, with what lies below it, as if somebody had deleted it.
    pub fn remove(&self, path: &str) {
        self.state().tree.uproot(&with_mount(path));
    }

    /// Moves an object, with what lies below it, as if somebody had done so in the browser: it keeps its id. The folder
    /// that it goes to must be there.
    pub fn rename(&self, from: &str, to: &str) {
        self.state().tree.rename(&with_mount(from), &with_mount(to));
    }

    /// Cancels a run, as if somebody had done so in the browser.
    pub fn cancel_run(&self, run_id: i64) {
        let mut state = self.state();
        let state = &mut *state;
        let now = state.clock.now();
        state.runs.advance(&state.tree, now);
        if let Some(run) = state.runs.get_mut(run_id) {
            run.cancel(now);
        }
    }

    /// Makes a job, as `ci@example.com`; `settings` as for `jobs/create`. Settings that `jobs/create` would refuse
    /// are taken as they are.
    pub fn create_job(&self, settings: Value) -> i64 {
        let mut state = self.state();
        let (job_id, now) = (state.ids.next(), state.clock.millis());
        state.jobs.add(job_id, FIRST_USER, now, settings);
        job_id
    }

    /// Makes the runs that match, from now on, play a script. Of several that match, the one given last is played.
    pub fn script(&self, which: Match, script: Script) {
        self.state().runs.add_script(which, script);
    }

    /// Orders a trouble. Faults count the requests from now on.
    pub fn fault(&self, fault: Fault) {
        self.state().faults.arm(fault);
    }

    /// Ends all troubles.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Limits the rate of some requests from now on.
    pub fn rate_limit(&self, limit: RateLimit) {
        self.rate_limit_under(limit, Conditions::default());
    }

    /// The same where the limit changes, or somebody else uses it up.
    pub fn rate_limit_under(&self, limit: RateLimit, conditions: Conditions) {
        let mut state = self.state();
        let now = state.clock.now();
        state.buckets.push(Bucket::new(limit, conditions, now));
    }

    /// Every request so far, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.state().requests.clone()
    }

    /// Requests that no route took, and demands that the sandbox cannot meet, such as an import as HTML. A test that
    /// finds one here has found either a bug or a hole in the sandbox.
    #[must_use]
    pub fn unknown_routes(&self) -> Vec<String> {
        self.state().unknown_routes.clone()
    }

    /// Every object, by its path with `/Workspace` in front.
    #[must_use]
    pub fn objects(&self) -> BTreeMap<String, Object> {
        self.state().tree.all().clone()
    }

    /// The settings of every job, by its id, with the server's defaults filled in.
    #[must_use]
    pub fn jobs(&self) -> BTreeMap<i64, Value> {
        self.state().jobs.all.iter().map(|(id, job)| (*id, job.settings.clone())).collect()
    }

    /// Every run so far, in the order in which they were triggered.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        let mut state = self.state();
        let state = &mut *state;
        let now = state.clock.now();
        state.runs.advance(&state.tree, now);
        let view = View { clock: &state.clock, origin: "https://localhost", workspace_id: state.workspace_id, now };
        let seen = state.runs.in_order().map(|run| Run {
            run_id: run.run_id,
            job_id: (!run.one_time).then_some(run.job_id),
            name: run.name.clone(),
            by: run.by.clone(),
            created_at: state.clock.millis_at(run.created),
            request: run.request.clone(),
            idempotency_token: run.token.clone(),
            cancel_requested: run.cancelled,
            ended: run.ended(),
            seen: view.run(run),
        });
        seen.collect()
    }

    /// How many connections were accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.state().connections
    }
}
