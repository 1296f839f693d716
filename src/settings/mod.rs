//! What the user typed, turned into what the program uses: `RawVariables` → [`Settings`], every problem at once.

mod authorities;
mod choices;
mod custody;
mod destination;
mod echo;
mod folder;
mod host;
mod login;
mod near_miss;
mod parse;
mod parts;
mod path;
mod patient;
mod permissions;
mod proxy;
mod raw;
mod reach;
mod reader;
mod target;
mod token;
mod trust;
mod validate;
mod variables;

pub use path::WorkspacePath;
pub use patient::{OtherBuilds, Patient, StepToken, Way};
pub use trust::{AzureCloud, Cloud, TrustedHosts, is_account_console};
pub use variables::{Fallback, Kind, Need, Split, VARIABLES, Variable};

use crate::access::Grant;
use crate::pipeline::{Environment, Pipeline};
use crate::problem::Problem;
use crate::secrets::Secret;
use rustls::pki_types::CertificateDer;
use std::path::PathBuf;
use std::time::Duration;

/// All settings of a run, valid by construction.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How far the walk goes.
    pub action: Action,
    /// What is connected to, and how it is reached.
    pub route: Route,
    /// The way to log in.
    pub login: Chosen,
    /// What is deployed to: names the default path.
    pub target: Option<String>,
    /// Where the tree goes; `None` means `/Workspace/Users/<me>/<repository>/<target>`.
    pub workspace_path: Option<WorkspacePath>,
    /// `LOCAL_PATH` from the clone's root, `.` for the root itself: a part of what a target is known by, also where it is
    /// destroyed and the folder is no longer there. `None` where no files are deployed and nothing is destroyed.
    pub local_path: Option<String>,
    /// What is deployed and how; `None` when there are no files to deploy.
    pub files: Option<Files>,
    /// What becomes of what an earlier deploy put there.
    pub prune: Prune,
    /// What becomes of an edit in the workspace.
    pub on_drift: OnDrift,
    /// Who shall be able to do what with the deployed folder, in the order it was written; each principal once.
    pub permissions: Vec<Grant>,
    /// The file of the plan that a deploy is held to; absolute.
    pub plan: Option<PathBuf>,
    /// What is run, in this order; nothing where `action` neither deploys nor runs.
    pub run: Vec<String>,
    /// Parameters of the runs, in the order they were written; names are unique.
    pub params: Vec<(String, String)>,
    /// The cluster for notebooks that `RUN` names by path; `None` means serverless.
    pub run_cluster_id: Option<String>,
    /// Whether to wait for the runs' end.
    pub wait: bool,
    /// One deadline for everything, counted from the process' start.
    pub timeout: Duration,
    /// What becomes of a run that outlives `timeout`.
    pub on_timeout: OnTimeout,
    /// Whether SUCCESS_WITH_FAILURES is a success.
    pub on_partial_success: OnPartialSuccess,
    /// Whether to print what a notebook returned.
    pub show_output: bool,
    /// Where the pipe's own files go; absolute. Never deployed.
    pub output_dir: PathBuf,
    /// Whether to say more.
    pub debug: bool,
}

/// The host, and how it is reached.
#[derive(Clone, Debug)]
pub struct Route {
    /// The workspace's address: scheme and authority only, `https` unless it is a loopback address.
    pub host: url::Url,
    /// The cloud that its name tells.
    pub cloud: Option<Cloud>,
    /// Where a credential may be sent to.
    pub trusted: TrustedHosts,
    /// The workspace's id, for a host that serves several.
    pub workspace_id: Option<String>,
    /// The account's id, for a host that serves a whole account.
    pub account_id: Option<String>,
    /// Certificates, in DER form, of authorities that are trusted beside the built-in ones.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The proxy on the way to Databricks.
    pub proxy: Option<Proxy>,
}

/// How far the walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Deploy, then run.
    Deploy,
    /// Tell what a deploy would do, and change nothing.
    Plan,
    /// Run, and deploy nothing.
    Run,
    /// Remove what was deployed.
    Destroy,
    /// Examine all that the others need, and change nothing.
    Doctor,
}

/// What becomes of objects that an earlier deploy of this target put there and that the local tree no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prune {
    /// They stay.
    None,
    /// They are deleted.
    Files,
    /// They are deleted, and jobs too once jobs are deployed.
    All,
    /// They are deleted, however many they are.
    Force,
}

/// What becomes of an edit that somebody made in the workspace since the last deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDrift {
    /// It is copied first.
    Backup,
    /// Nothing is changed at all.
    Fail,
    /// It is lost.
    Overwrite,
}

/// The way to log in that was chosen, and why.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Its name.
    pub way: AuthType,
    /// What it takes.
    pub login: Login,
    /// Why this one, and why not a better one, in words for the log.
    pub because: String,
}

/// The ways to log in, by the names that the official SDKs have for them; the first is this pipe's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType {
    /// The step's own identity token.
    BitbucketOidc,
    /// An identity token in a variable.
    EnvOidc,
    /// An identity token in a file.
    FileOidc,
    /// A service principal's OAuth secret.
    OauthM2m,
    /// An Entra ID application's secret.
    AzureClientSecret,
    /// A personal access token.
    Pat,
}

impl AuthType {
    /// As in `DATABRICKS_AUTH_TYPE`.
    pub fn name(self) -> &'static str {
        choices::name_of(self)
    }

    /// Whether an identity token is exchanged, and no secret stored.
    pub fn is_keyless(self) -> bool {
        matches!(self, AuthType::BitbucketOidc | AuthType::EnvOidc | AuthType::FileOidc)
    }
}

/// What a way to log in takes.
#[derive(Clone, Debug)]
pub enum Login {
    /// An identity token, which is exchanged for an access token.
    IdToken {
        /// The application id of the service principal; `None` means that a policy of the whole account decides.
        client_id: Option<String>,
        /// Where the token is.
        token: IdToken,
    },
    /// The secret of an application in Entra ID.
    AzureClientSecret(AzureLogin),
    /// A personal access token.
    Token(Secret),
    /// OAuth machine-to-machine.
    OauthM2m {
        /// The application id of the service principal.
        client_id: String,
        /// An OAuth secret of it.
        secret: Secret,
    },
}

/// Where an identity token is.
#[derive(Clone, Debug)]
pub enum IdToken {
    /// In a variable; it stays the same as long as the process lives.
    Variable {
        /// The variable's name.
        name: String,
        /// The token.
        token: Secret,
    },
    /// In a file, absolute; whoever writes it may write a newer one.
    File(PathBuf),
}

/// Log-in through Microsoft Entra ID.
#[derive(Clone, Debug)]
pub struct AzureLogin {
    /// The directory: its id, or one of its domains.
    pub tenant: String,
    /// The application's id.
    pub client_id: String,
    /// A secret of it.
    pub secret: Secret,
    /// Whose Entra ID is asked.
    pub cloud: AzureCloud,
    /// The workspace as a resource of Azure, where the application has rights on that and is no member of the workspace.
    pub resource_id: Option<String>,
}

/// A proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Scheme, host and port.
    pub url: url::Url,
    /// User and password, decoded.
    pub login: Option<(String, Secret)>,
    /// The hosts that are reached without it, separated by commas.
    pub except: String,
}

/// The local side of a deploy.
#[derive(Clone, Debug)]
pub struct Files {
    /// The folder that is deployed: absolute, not resolved.
    pub local: PathBuf,
    /// `local` as the user wrote it, for messages.
    pub shown: String,
    /// The root of the clone (or the working directory outside Bitbucket): ignore rules start here.
    pub clone_root: PathBuf,
    /// Patterns that add ignored files back.
    pub include: Vec<String>,
    /// Patterns that leave files out.
    pub exclude: Vec<String>,
    /// What a token found in a file does.
    pub secret_scan: SecretScan,
}

/// What it means when something in a file looks like a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretScan {
    /// A warning.
    Warn,
    /// An error before any change.
    Fail,
    /// Files are not scanned for token shapes.
    Off,
}

/// What becomes of a run that outlives the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTimeout {
    /// It goes on.
    Leave,
    /// It is cancelled.
    Cancel,
}

/// What SUCCESS_WITH_FAILURES means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPartialSuccess {
    /// A failure.
    Fail,
    /// A success.
    Accept,
}

/// What reading the environment brings: settings, or every problem in it; and warnings either way.
#[derive(Debug)]
pub struct Reading {
    /// The settings, or all that is wrong with them.
    pub settings: Result<Settings, Vec<Problem>>,
    /// What the doctor examines; only where `ACTION` asks for it.
    pub patient: Option<Patient>,
    /// What is odd but does not stop the run: an unknown variable one edit away from a known one, for example.
    pub warnings: Vec<Problem>,
    /// Every secret that the environment holds, ours or Bitbucket's, whether the settings are valid or not: the
    /// redactor learns them before the first line of output.
    pub secrets: Vec<Secret>,
}

/// Reads and validates all variables. Touches the file system only to see whether the folders that they name are there
/// and in the clone.
pub fn read(environment: &Environment, pipeline: &Pipeline) -> Reading {
    validate::read(environment, pipeline)
}
