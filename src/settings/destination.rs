//! `WORKSPACE_PATH`: where in the workspace files may go.

use super::echo::Echo;
use super::{Settings, WorkspacePath};
use crate::problem::{Code, Problem};

/// The folder that holds a target's state; it is the pipe's own.
const STATE_FOLDER: &str = ".databricks-deploy";
const HINT: &str = "use a folder such as `/Workspace/Shared/etl` or `/Workspace/Users/<name>/etl`";

/// Reads the path of a folder that files can be deployed to.
pub(super) fn destination(text: &str, echo: Echo<'_>) -> Result<WorkspacePath, Problem> {
    let shown = echo.show(text);
    let wrong = |what: &str, hint: &str| Problem::new(Code::InvalidValue, format!("{shown} {what}")).hint(hint);
    if text.starts_with("dbfs:") || text.starts_with("/dbfs/") || text == "/dbfs" {
        return Err(wrong("is in DBFS, which holds no notebooks", HINT));
    }
    if text.starts_with("/Volumes/") || text == "/Volumes" {
        return Err(wrong("is in a volume, which holds no notebooks", HINT));
    }
    let path = WorkspacePath::parse(text).map_err(|what| wrong(&what, HINT))?;
    let segments: Vec<&str> = path.as_str().split('/').skip(2).collect();
    match segments.as_slice() {
        [] => Err(wrong("is the root of the workspace, which takes no files", HINT)),
        ["Users"] => Err(wrong("holds the home folders of all users, and takes no files itself", HINT)),
        // A folder there is a Git folder, and its content comes from Git alone.
        ["Repos", ..] => Err(wrong("is in `/Repos`, which holds Git folders only", HINT)),
        segments if segments.contains(&STATE_FOLDER) => {
            Err(wrong("is in the folder that the pipe keeps its own records in", HINT))
        }
        _ => Ok(path),
    }
}

impl Settings {
    /// The target's folder; `None` where nothing needs one and nothing names one. `slug` is the repository's, `user` who
    /// is logged in.
    pub fn root(&self, slug: Option<&str>, user: &str) -> Result<Option<WorkspacePath>, Problem> {
        if let Some(path) = &self.workspace_path {
            return Ok(Some(path.clone()));
        }
        let (Some(target), Some(slug)) = (&self.target, slug) else { return Ok(None) };
        let path = format!("/Workspace/Users/{user}/{slug}/{target}");
        WorkspacePath::parse(&path).map(Some).map_err(|why| {
            Problem::new(Code::InvalidValue, format!("the default path `{path}` {why}"))
                .at("WORKSPACE_PATH")
                .hint("set it")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_files_and_what_does_not() {
        let read = |text: &str| destination(text, Echo::new(text, &[])).map_err(|problem| problem.message);
        for text in ["/Workspace/Shared/etl", "/Shared", "/Users/me@example.com", "/Reposit/x", "/Workspace/Volumes/x"]
        {
            assert!(read(text).is_ok(), "{text}");
        }
        for text in [
            "/",
            "//",
            "/Workspace",
            "/Workspace/",
            "/Users",
            "/Workspace/Users/",
            "/Repos",
            "/Repos/me/x",
            "/Volumes/a/b",
            "/dbfs/x",
            "dbfs:/x",
            "Shared/etl",
            "./etl",
            "/Shared/../x",
            "/Shared/x/.databricks-deploy",
            "~/x",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("Shared").unwrap_err(), "`Shared` is not absolute: it must start with `/`");
    }
}
