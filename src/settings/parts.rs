//! Every setting as far as it could be read, and what is made of them: settings that are valid by construction, or, for the
//! doctor, settings in which the default stands for whatever is broken.

use super::reader::Read;
use super::trust::{TrustedHosts, cloud};
use super::{
    Action, Chosen, Files, OnDrift, OnPartialSuccess, OnTimeout, Proxy, Prune, Route, SecretScan, Settings,
    WorkspacePath,
};
use crate::access::Grant;
use rustls::pki_types::CertificateDer;
use std::path::PathBuf;
use std::time::Duration;

/// How long the doctor takes at most where `TIMEOUT` cannot be read.
pub(super) const TIMEOUT: Duration = Duration::from_secs(110 * 60);

/// The settings one by one; what could not be read has been told.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) action: Read<Action>,
    pub(super) host: Read<url::Url>,
    pub(super) login: Read<Chosen>,
    pub(super) trusted: Read<TrustedHosts>,
    pub(super) workspace_id: Read<Option<String>>,
    pub(super) account_id: Read<Option<String>>,
    pub(super) authorities: Read<Option<Vec<CertificateDer<'static>>>>,
    pub(super) proxy: Read<Option<Proxy>>,
    pub(super) target: Read<Option<String>>,
    pub(super) workspace_path: Read<Option<WorkspacePath>>,
    /// The folder to deploy, and how the user wrote it.
    pub(super) local: Read<Option<(PathBuf, String)>>,
    /// The same from the clone's root.
    pub(super) local_path: Option<String>,
    pub(super) clone_root: PathBuf,
    pub(super) include: Read<Vec<String>>,
    pub(super) exclude: Read<Vec<String>>,
    pub(super) secret_scan: Read<SecretScan>,
    pub(super) prune: Read<Prune>,
    pub(super) on_drift: Read<OnDrift>,
    pub(super) permissions: Read<Option<Vec<Grant>>>,
    pub(super) plan: Read<Option<PathBuf>>,
    pub(super) run: Read<Vec<String>>,
    pub(super) params: Read<Vec<(String, String)>>,
    pub(super) run_cluster_id: Read<Option<String>>,
    pub(super) wait: Read<bool>,
    pub(super) timeout: Read<Duration>,
    pub(super) on_timeout: Read<OnTimeout>,
    pub(super) on_partial_success: Read<OnPartialSuccess>,
    pub(super) show_output: Read<bool>,
    pub(super) output_dir: Read<PathBuf>,
    pub(super) debug: Read<bool>,
}

impl Parts {
    /// What is connected to.
    pub(super) fn route(&self) -> Read<Route> {
        let host = self.host.clone()?;
        Ok(Route {
            cloud: cloud(&host),
            host,
            trusted: self.trusted.clone()?,
            workspace_id: self.workspace_id.clone()?,
            account_id: self.account_id.clone()?,
            authorities: self.authorities.clone()?.unwrap_or_default(),
            proxy: self.proxy.clone()?,
        })
    }

    /// What is deployed.
    pub(super) fn files(&self) -> Read<Option<Files>> {
        let Some((local, shown)) = self.local.clone()?.filter(|_| self.action != Ok(Action::Destroy)) else {
            return Ok(None);
        };
        Ok(Some(Files {
            local,
            shown,
            clone_root: self.clone_root.clone(),
            include: self.include.clone()?,
            exclude: self.exclude.clone()?,
            secret_scan: self.secret_scan?,
        }))
    }

    /// The settings, if every one of them could be read.
    pub(super) fn settings(self) -> Read<Settings> {
        let (action, route, files) = (self.action?, self.route()?, self.files()?);
        let runs = matches!(action, Action::Deploy | Action::Run | Action::Doctor);
        Ok(Settings {
            action,
            route,
            login: self.login?,
            target: self.target?,
            workspace_path: self.workspace_path?,
            local_path: self.local_path,
            files,
            prune: self.prune?,
            on_drift: self.on_drift?,
            permissions: self.permissions?.unwrap_or_default(),
            plan: self.plan?,
            run: self.run.map(|run| if runs { run } else { Vec::new() })?,
            params: self.params?,
            run_cluster_id: self.run_cluster_id?,
            wait: self.wait?,
            timeout: self.timeout?,
            on_timeout: self.on_timeout?,
            on_partial_success: self.on_partial_success?,
            show_output: self.show_output?,
            output_dir: self.output_dir?,
            debug: self.debug?,
        })
    }

    /// The same with something that changes nothing in place of all that is broken, but for the log-in and what the host
    /// is reached by: a credential goes nowhere by another way than the one that was meant.
    #[must_use]
    pub(super) fn filled(self) -> Parts {
        Parts {
            target: self.target.or(Ok(None)),
            workspace_path: self.workspace_path.or(Ok(None)),
            local: self.local.or(Ok(None)),
            include: self.include.or(Ok(Vec::new())),
            exclude: self.exclude.or(Ok(Vec::new())),
            secret_scan: self.secret_scan.or(Ok(SecretScan::Warn)),
            prune: self.prune.or(Ok(Prune::Files)),
            on_drift: self.on_drift.or(Ok(OnDrift::Backup)),
            permissions: self.permissions.or(Ok(None)),
            plan: self.plan.or(Ok(None)),
            run: self.run.or(Ok(Vec::new())),
            params: self.params.or(Ok(Vec::new())),
            run_cluster_id: self.run_cluster_id.or(Ok(None)),
            wait: self.wait.or(Ok(true)),
            timeout: self.timeout.or(Ok(TIMEOUT)),
            on_timeout: self.on_timeout.or(Ok(OnTimeout::Leave)),
            on_partial_success: self.on_partial_success.or(Ok(OnPartialSuccess::Fail)),
            show_output: self.show_output.or(Ok(false)),
            output_dir: self.output_dir.or(Ok(PathBuf::new())),
            debug: self.debug.or(Ok(false)),
            ..self
        }
    }
}
