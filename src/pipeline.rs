//! What Bitbucket tells about this step: repository, commit, build, environment. Knows nothing of Databricks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where Bitbucket puts the identity token of a step with `oidc: true`; pipes see it without being handed it.
pub const STEP_TOKEN: &str = "BITBUCKET_STEP_OIDC_TOKEN";

/// The process' environment as values: only `main.rs` reads the real one.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Every variable whose name and value are UTF-8, blank ones included.
    pub variables: BTreeMap<String, String>,
    /// Names of the variables whose value is not UTF-8, as far as the names can be shown.
    pub not_unicode: Vec<String>,
    /// Where the process was started: relative paths start here.
    pub working_directory: PathBuf,
}

impl Environment {
    /// Takes the pairs as the operating system gives them.
    pub fn new<K, V>(pairs: impl IntoIterator<Item = (K, V)>, working_directory: impl AsRef<Path>) -> Environment
    where
        K: Into<std::ffi::OsString>,
        V: Into<std::ffi::OsString>,
    {
        let mut environment =
            Environment { working_directory: working_directory.as_ref().to_path_buf(), ..Environment::default() };
        for (name, value) in pairs {
            let (name, value) = (name.into(), value.into());
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => {
                    environment.variables.insert(name, value);
                }
                (name, _) => {
                    environment.not_unicode.push(name.unwrap_or_else(|name| name.to_string_lossy().into_owned()));
                }
            }
        }
        environment
    }

    /// The variable's value; a blank one counts as unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }
}

/// What Bitbucket says of the step. Every field may be missing: the pipe also runs on a laptop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pipeline {
    /// The slug of the Bitbucket workspace, which the issuer of its identity tokens holds.
    pub workspace: Option<String>,
    /// The UUID of that workspace, with braces.
    pub workspace_uuid: Option<String>,
    /// `workspace/repository`.
    pub repository: Option<String>,
    /// The repository's slug.
    pub slug: Option<String>,
    /// The repository's UUID, with braces.
    pub repository_uuid: Option<String>,
    /// The full commit hash.
    pub commit: Option<String>,
    /// The branch; absent in tag builds.
    pub branch: Option<String>,
    /// The tag, in tag builds.
    pub tag: Option<String>,
    /// The pull request's number, in pull-request builds.
    pub pull_request: Option<String>,
    /// Counts up with each pipeline of the repository.
    pub build: Option<String>,
    /// The deployment environment's name, in steps with `deployment:`.
    pub deployment: Option<String>,
    /// That environment's UUID, with braces.
    pub deployment_uuid: Option<String>,
    /// The pipeline's UUID, with braces.
    pub pipeline_uuid: Option<String>,
    /// The step's UUID, with braces; new in every run of a step.
    pub step_uuid: Option<String>,
    /// Goes up when a step is run again.
    pub attempt: Option<String>,
    /// The root of the clone.
    pub clone_directory: Option<PathBuf>,
    /// Where the step's `output-variables` are read from, once it has ended.
    pub variables_file: Option<PathBuf>,
}

impl Pipeline {
    /// Reads the `BITBUCKET_*` variables.
    pub fn read(environment: &Environment) -> Pipeline {
        let get = |name: &str| environment.get(name).map(str::to_owned);
        Pipeline {
            workspace: get("BITBUCKET_WORKSPACE"),
            workspace_uuid: get("BITBUCKET_REPO_OWNER_UUID"),
            repository: get("BITBUCKET_REPO_FULL_NAME"),
            slug: get("BITBUCKET_REPO_SLUG"),
            repository_uuid: get("BITBUCKET_REPO_UUID"),
            commit: get("BITBUCKET_COMMIT"),
            branch: get("BITBUCKET_BRANCH"),
            tag: get("BITBUCKET_TAG"),
            pull_request: get("BITBUCKET_PR_ID"),
            build: get("BITBUCKET_BUILD_NUMBER"),
            deployment: get("BITBUCKET_DEPLOYMENT_ENVIRONMENT"),
            deployment_uuid: get("BITBUCKET_DEPLOYMENT_ENVIRONMENT_UUID"),
            pipeline_uuid: get("BITBUCKET_PIPELINE_UUID"),
            step_uuid: get("BITBUCKET_STEP_UUID"),
            attempt: get("BITBUCKET_STEP_RUN_NUMBER"),
            clone_directory: get("BITBUCKET_CLONE_DIR").map(PathBuf::from),
            variables_file: get("BITBUCKET_PIPELINES_VARIABLES_PATH").map(PathBuf::from),
        }
    }

    /// The page of the build.
    pub fn link(&self) -> Option<String> {
        Some(format!("https://bitbucket.org/{}/pipelines/results/{}", self.repository.as_ref()?, self.build.as_ref()?))
    }

    /// The User-Agent: it appears in the workspace's audit log (`system.access.audit.user_agent`), and ties every
    /// change there to a commit and a build. Products and versions hold letters, digits and `_.+-` only.
    pub fn user_agent(&self, version: &str) -> String {
        let mut agent = format!("databricks-deploy/{version}");
        if self.build.is_some() {
            agent.push_str(" cicd/bitbucket");
        }
        for (name, value) in [("repository", &self.repository), ("build", &self.build), ("commit", &self.commit)] {
            if let Some(value) = value {
                let value: String = value
                    .chars()
                    .map(|char| if char.is_ascii_alphanumeric() || "_.+-".contains(char) { char } else { '.' })
                    .collect();
                agent.push_str(&format!(" {name}/{value}"));
            }
        }
        agent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_agent_ties_the_audit_log_to_a_build() {
        let environment = Environment::new(
            [
                ("BITBUCKET_REPO_FULL_NAME", "acme/etl jobs"),
                ("BITBUCKET_BUILD_NUMBER", "7"),
                ("BITBUCKET_COMMIT", "abc"),
            ],
            "/",
        );
        let agent = Pipeline::read(&environment).user_agent("1.2.3");
        assert_eq!(agent, "databricks-deploy/1.2.3 cicd/bitbucket repository/acme.etl.jobs build/7 commit/abc");
        assert_eq!(Pipeline::default().user_agent("1.2.3"), "databricks-deploy/1.2.3");
    }

    #[test]
    fn blank_is_unset_and_what_is_not_unicode_is_named() {
        use std::os::unix::ffi::OsStringExt;
        let pairs = [
            ("A".into(), std::ffi::OsString::from_vec(vec![0xff])),
            ("B".into(), " ".into()),
            (std::ffi::OsString::from("C"), "c".into()),
        ];
        let environment = Environment::new(pairs, "/");
        assert_eq!(environment.not_unicode, ["A"]);
        assert_eq!((environment.get("B"), environment.get("C")), (None, Some("c")));
    }
}
