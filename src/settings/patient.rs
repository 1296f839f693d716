//! What the doctor examines: the settings as far as they can be read.

use super::{AuthType, Chosen, Cloud, Proxy, Settings, TrustedHosts};
use crate::problem::Problem;
use crate::secrets::Claims;
use rustls::pki_types::CertificateDer;
use std::path::PathBuf;
use std::time::Duration;

/// The settings under `ACTION: doctor`, whether they are valid or not.
#[derive(Debug)]
pub struct Patient {
    /// All that is wrong with the variables.
    pub problems: Vec<Problem>,
    /// Why a deploy of this build could not begin, where only the doctor goes on all the same.
    pub stops: Option<Problem>,
    /// Where the findings go; `None` where `OUTPUT_DIR` is wrong.
    pub output_dir: Option<PathBuf>,
    /// Whether to say more.
    pub debug: bool,
    /// The step's identity token.
    pub step_token: StepToken,
    /// How the host is reached; `None` where `DATABRICKS_HOST` cannot be used.
    pub route: Option<Route>,
    /// Every way to log in whose variables are set, in the order in which they are preferred.
    pub ways: Vec<Way>,
    /// The settings, with defaults for all that is broken; `None` where there is no host, or no way to log in.
    pub settings: Option<Settings>,
}

/// What stands where Bitbucket puts the identity token of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepToken {
    /// Nothing.
    Missing,
    /// Something else than a token.
    Unreadable,
    /// A token that says this of itself.
    Claims(Claims),
}

/// How a host is reached, and what is known of it before it is asked.
#[derive(Clone, Debug)]
pub struct Route {
    /// Scheme and authority.
    pub host: url::Url,
    /// The cloud that its name tells.
    pub cloud: Option<Cloud>,
    /// Where a credential may be sent to.
    pub trusted: TrustedHosts,
    /// The workspace that is meant.
    pub workspace_id: Option<String>,
    /// The account that is meant.
    pub account_id: Option<String>,
    /// Authorities that are trusted beside the built-in ones.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The proxy on the way.
    pub proxy: Option<Proxy>,
    /// How long everything may take.
    pub timeout: Duration,
}

/// A way to log in whose variables are set.
#[derive(Clone, Debug)]
pub struct Way {
    /// Its name.
    pub way: AuthType,
    /// What it takes, or what is wrong with that.
    pub login: Result<Chosen, Vec<Problem>>,
    /// Whether an ordinary run takes it.
    pub taken: bool,
}
