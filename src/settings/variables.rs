//! The table of variables: the one truth that `RawVariables`, the README's table, `pipe.yml` and the near-miss hints
//! come from or are tested against. A new variable is one entry here.

use super::choices::Spelled;
use super::{Action, AuthType, AzureCloud, OnDrift, OnPartialSuccess, OnTimeout, Prune, SecretScan};
use serde::Deserialize;

/// What a user may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The name, as in the environment.
    pub name: &'static str,
    /// The heading it belongs under.
    pub group: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// Whether every use of the pipe needs it.
    pub need: Need,
    /// What counts where it is unset or blank.
    pub default: Fallback,
    /// One sentence on what it does.
    pub help: &'static str,
}

impl Variable {
    /// Whether its value must never be seen.
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }

    /// Whether an array in the pipe's `variables:` makes sense for it: Bitbucket passes one as `NAME_COUNT`, `NAME_0`, ….
    pub fn takes_several(&self) -> bool {
        matches!(self.kind, Kind::List(_) | Kind::Map)
    }

    /// The other spelling that programs give its name, where there is one.
    pub fn lower_case(&self) -> Option<String> {
        matches!(self.name, "HTTPS_PROXY" | "NO_PROXY").then(|| self.name.to_ascii_lowercase())
    }

    /// The value that counts where none is given, where that is a fixed text.
    pub fn default_value(&self) -> Option<&'static str> {
        match self.default {
            Fallback::Value(value) => Some(value),
            Fallback::Context | Fallback::Derived(_) | Fallback::Nothing => None,
        }
    }
}

/// What a variable's value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A text that is never shown.
    Secret,
    /// An address.
    Url,
    /// The address of a proxy, which may hold a password. Its lower-case name is known, too.
    Proxy,
    /// A YAML 1.1 boolean, `1` or `0`.
    Boolean,
    /// `90s`, `15m`, `1h30m`; a bare number is in seconds.
    Duration,
    /// Several texts, in order.
    List(Split),
    /// Names and values, in order.
    Map,
    /// One of these.
    Choice(&'static [&'static str]),
    /// An absolute path in the workspace.
    WorkspacePath,
    /// A folder of the clone, relative to the working directory.
    Folder,
    /// A file of the clone, relative to the working directory.
    File,
}

/// What separates the items of a list that is written as plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// One item a line: an item may contain commas.
    Lines,
    /// One item a line; or commas, where there is one line. A comma in braces or brackets belongs to its item.
    LinesOrCommas,
}

/// Whether every use of the pipe needs a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing works without it.
    Required,
    /// Some uses do without it.
    Optional,
}

/// What counts where a variable is unset or blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// The repository, workspace or deployment variable of the same name: `pipe.yml` hands it over.
    Context,
    /// This text, read as if the user had written it.
    Value(&'static str),
    /// Something that depends on the step; told in the words of the README.
    Derived(&'static str),
    /// Nothing.
    Nothing,
}

/// A variable and what the environment gives it.
#[derive(Clone, Copy)]
pub(super) struct Given<'raw> {
    pub(super) variable: Variable,
    /// Never blank.
    pub(super) value: Option<&'raw str>,
}

/// Makes [`VARIABLES`] and the struct that the environment is read into from the same entries.
macro_rules! variables {
    ($($group:literal { $($field:ident $name:literal $kind:expr, $need:ident, $default:expr, $help:literal;)* })*) => {
        /// Every variable that this version knows, in the order of the README.
        pub const VARIABLES: &[Variable] = &[$($(Variable {
            name: $name,
            group: $group,
            kind: $kind,
            need: Need::$need,
            default: $default,
            help: $help,
        },)*)*];

        /// What the user typed, blank values left out, lists in one spelling; nothing is understood yet. It holds
        /// secrets, so it has no `Debug`.
        #[derive(Clone, Default, Deserialize)]
        pub(super) struct RawVariables { $($($field: Option<String>,)*)* }

        impl RawVariables {
            $($(pub(super) fn $field(&self) -> Given<'_> {
                const VARIABLE: Variable = Variable {
                    name: $name,
                    group: $group,
                    kind: $kind,
                    need: Need::$need,
                    default: $default,
                    help: $help,
                };
                Given { variable: VARIABLE, value: self.$field.as_deref() }
            })*)*

            #[cfg(test)]
            fn all(&self) -> Vec<Given<'_>> {
                vec![$($(self.$field(),)*)*]
            }
        }
    };
}

variables! {
    "Connection" {
        databricks_host "DATABRICKS_HOST" Kind::Url, Required, Fallback::Context,
            "Address of the Databricks workspace, for example `https://dbc-1234.cloud.databricks.com`.";
        databricks_client_id "DATABRICKS_CLIENT_ID" Kind::Text, Optional, Fallback::Context,
            "Application id (a UUID) of the service principal that logs in; with `oidc: true` on the step, nothing else is \
             needed.";
        databricks_client_secret "DATABRICKS_CLIENT_SECRET" Kind::Secret, Optional, Fallback::Context,
            "OAuth secret of that service principal, for steps without `oidc: true`; define it as a secured variable.";
        databricks_token "DATABRICKS_TOKEN" Kind::Secret, Optional, Fallback::Context,
            "Personal access token of a user or a service principal, in place of the two above; define it as a secured \
             variable.";
        databricks_auth_type "DATABRICKS_AUTH_TYPE" Kind::Choice(AuthType::NAMES), Optional,
            Fallback::Derived("the first way whose variables are set"),
            "The way to log in, where the variables of several are set.";
        databricks_workspace_id "DATABRICKS_WORKSPACE_ID" Kind::Text, Optional,
            Fallback::Derived("`?o=…` of `DATABRICKS_HOST`"),
            "Id of the workspace (a number), for a host that serves several.";
        databricks_account_id "DATABRICKS_ACCOUNT_ID" Kind::Text, Optional,
            Fallback::Derived("what the host tells"),
            "Id of the Databricks account (a UUID), for a host that serves a whole account and does not tell it.";
        databricks_oidc_token "DATABRICKS_OIDC_TOKEN" Kind::Secret, Optional, Fallback::Nothing,
            "Identity token (a JWT) of another issuer than Bitbucket, to log in with in place of the step's own.";
        databricks_oidc_token_env "DATABRICKS_OIDC_TOKEN_ENV" Kind::Text, Optional, Fallback::Nothing,
            "Name of the variable that holds such a token.";
        databricks_oidc_token_filepath "DATABRICKS_OIDC_TOKEN_FILEPATH" Kind::Text, Optional, Fallback::Nothing,
            "File that holds such a token, relative to the step's working directory; it is read again at each renewal.";
        arm_tenant_id "ARM_TENANT_ID" Kind::Text, Optional, Fallback::Nothing,
            "Directory of the Entra ID application that logs in to Azure Databricks by a secret: its id or a domain.";
        arm_client_id "ARM_CLIENT_ID" Kind::Text, Optional, Fallback::Nothing,
            "Application id (a UUID) of that application.";
        arm_client_secret "ARM_CLIENT_SECRET" Kind::Secret, Optional, Fallback::Nothing,
            "Secret of that application; define it as a secured variable.";
        arm_environment "ARM_ENVIRONMENT" Kind::Choice(AzureCloud::NAMES), Optional,
            Fallback::Derived("the cloud that the host's name tells"),
            "Cloud of Microsoft whose Entra ID knows the application.";
        databricks_azure_resource_id "DATABRICKS_AZURE_RESOURCE_ID" Kind::Text, Optional, Fallback::Nothing,
            "Resource id of the Azure Databricks workspace, where that application is no member of it but has rights on the \
             resource.";
        allowed_hosts "ALLOWED_HOSTS" Kind::List(Split::LinesOrCommas), Optional, Fallback::Nothing,
            "Hosts beyond Databricks' own domains that a credential may be sent to: names, or `.example.com` for all below.";
        ca_bundle "CA_BUNDLE" Kind::Text, Optional, Fallback::Nothing,
            "Certificates of private authorities to trust beside the built-in ones: a PEM file, relative to the step's \
             working directory, or the PEM text itself.";
        https_proxy "HTTPS_PROXY" Kind::Proxy, Optional, Fallback::Nothing,
            "Address of the proxy on the way to Databricks, for example `http://proxy.example.com:3128`; with a password in \
             it, define it as a secured variable.";
        no_proxy "NO_PROXY" Kind::Text, Optional, Fallback::Nothing,
            "Hosts that are reached without the proxy, separated by commas; `example.com` stands for all below it, too.";
    }
    "Target" {
        target "TARGET" Kind::Text, Optional,
            Fallback::Derived("the step's deployment environment, else the branch"),
            "Name of what is deployed to, one path segment; tag and pull-request builds need it for a deploy.";
        workspace_path "WORKSPACE_PATH" Kind::WorkspacePath, Optional,
            Fallback::Derived("`/Workspace/Users/<me>/<repository>/<target>`"),
            "Folder of the workspace that the files go to.";
    }
    "Files" {
        local_path "LOCAL_PATH" Kind::Folder, Optional, Fallback::Nothing,
            "Folder of the clone that is deployed, relative to the step's working directory; without it no file is \
             deployed.";
        include "INCLUDE" Kind::List(Split::LinesOrCommas), Optional, Fallback::Nothing,
            "Globs of ignored files that are deployed all the same, relative to `LOCAL_PATH`; one without `/` matches in every \
             folder.";
        exclude "EXCLUDE" Kind::List(Split::LinesOrCommas), Optional, Fallback::Nothing,
            "Globs of files that are not deployed, as in `INCLUDE`.";
        prune "PRUNE" Kind::Choice(Prune::NAMES), Optional, Fallback::Value("files"),
            "What becomes of what an earlier deploy put there and the repository no longer holds: it stays (`none`), it is \
             deleted unless that is most of the target (`files`, and `all` likewise), or it is deleted in any case (`force`).";
        on_drift "ON_DRIFT" Kind::Choice(OnDrift::NAMES), Optional, Fallback::Value("backup"),
            "What becomes of an edit that somebody made in the workspace since the last deploy: it is copied first \
             (`backup`), nothing is changed (`fail`), or it is lost (`overwrite`).";
        secret_scan "SECRET_SCAN" Kind::Choice(SecretScan::NAMES), Optional, Fallback::Value("warn"),
            "What happens when something in a file looks like a token.";
        permissions "PERMISSIONS" Kind::Map, Optional, Fallback::Nothing,
            "Who may do what with the deployed folder, as a JSON object or as `principal=level`, one a line: a user by e-mail \
             address, a service principal by application id, else a group; levels are `CAN_READ`, `CAN_RUN`, `CAN_EDIT` and \
             `CAN_MANAGE`, and nothing is ever revoked.";
    }
    "Runs" {
        run "RUN" Kind::List(Split::Lines), Optional, Fallback::Nothing,
            "Jobs to run, in this order, by name or id, or notebooks by a path that starts with `/` or `./`; one a \
             line.";
        params "PARAMS" Kind::Map, Optional, Fallback::Nothing,
            "Parameters of the runs, as a JSON object or as `name=value`, one a line.";
        run_cluster_id "RUN_CLUSTER_ID" Kind::Text, Optional, Fallback::Derived("serverless compute"),
            "Id of the cluster for the notebooks that `RUN` names by path.";
        wait "WAIT" Kind::Boolean, Optional, Fallback::Value("true"),
            "Whether to wait for the end of the runs.";
        timeout "TIMEOUT" Kind::Duration, Optional, Fallback::Value("110m"),
            "How long the pipe may take altogether, from its start: `90s`, `15m`, `1h30m`; a bare number is in \
             seconds.";
        on_timeout "ON_TIMEOUT" Kind::Choice(OnTimeout::NAMES), Optional, Fallback::Value("leave"),
            "What becomes of a run that has not ended by then: it goes on, or it is cancelled.";
        on_partial_success "ON_PARTIAL_SUCCESS" Kind::Choice(OnPartialSuccess::NAMES), Optional,
            Fallback::Value("fail"),
            "What it means when a run ends as SUCCESS_WITH_FAILURES.";
        show_output "SHOW_OUTPUT" Kind::Boolean, Optional, Fallback::Value("false"),
            "Whether to print what the notebooks return.";
    }
    "Report" {
        output_dir "OUTPUT_DIR" Kind::Folder, Optional, Fallback::Value("databricks-deploy"),
            "Folder of the clone for the files that the pipe writes; it is never deployed.";
    }
    "Control" {
        action "ACTION" Kind::Choice(Action::NAMES), Optional, Fallback::Value("deploy"),
            "How far the pipe goes: `deploy` deploys the files, then runs; `plan` tells what a deploy would do; `run` only \
             runs; `destroy` removes what was deployed; `doctor` examines all that the others need, and changes nothing.";
        plan "PLAN" Kind::File, Optional, Fallback::Nothing,
            "File of the clone that a step with `ACTION: plan` wrote, relative to the step's working directory: a deploy stops \
             unless its plan is still that one.";
        debug "DEBUG" Kind::Boolean, Optional, Fallback::Value("false"),
            "Turn on extra debug information.";
    }
}

/// The entry of a name, where this version knows it.
pub(super) fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

/// Names that later versions give a meaning: they are not misspelt, but they have no effect yet.
pub(super) const LATER: &[&str] = &[
    "RELEASES",
    "GIT_FOLDER",
    "GIT_TOKEN",
    "GIT_EMAIL",
    "JOBS",
    "VARS",
    "GIT_SOURCE",
    "UNSUPPORTED",
    "ADOPT",
    "ON_RERUN",
];

/// Variables that hold a secret although this version has no use for them: they may be in the environment, and so in a
/// file or an error text.
pub(super) const OTHER_SECRETS: &[&str] =
    &["GIT_TOKEN", "BITBUCKET_STEP_OIDC_TOKEN", "PIPELINES_JWT_TOKEN", "BITBUCKET_ACCESS_TOKEN", "ATLASSIAN_API_TOKEN"];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_entry_fills_the_field_of_its_own_name() {
        // envy lower-cases names, so a field that differs from its variable's name would stay empty for ever.
        let pairs = VARIABLES.iter().map(|variable| (variable.name.to_owned(), format!("value of {}", variable.name)));
        let raw: RawVariables = envy::from_iter(pairs).unwrap();
        assert_eq!(raw.all().len(), VARIABLES.len());
        for (given, variable) in raw.all().into_iter().zip(VARIABLES) {
            assert_eq!(given.variable, *variable);
            assert_eq!(given.value, Some(format!("value of {}", variable.name).as_str()));
        }
    }

    #[test]
    fn a_name_is_told_once_and_has_one_meaning() {
        let names: BTreeSet<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
        assert_eq!(names.len(), VARIABLES.len());
        for later in LATER {
            assert!(!names.contains(later), "{later}");
        }
    }

    #[test]
    fn a_default_is_one_of_the_choices_and_help_is_one_sentence() {
        for variable in VARIABLES {
            if let (Kind::Choice(names), Some(default)) = (variable.kind, variable.default_value()) {
                assert!(names.contains(&default), "{}", variable.name);
            }
            assert!(variable.help.ends_with('.') && !variable.help.contains(". "), "{}", variable.name);
            assert!(!variable.help.contains('|'), "{} would break the README's table", variable.name);
        }
    }
}
