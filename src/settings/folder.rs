//! `LOCAL_PATH`, `OUTPUT_DIR` and `PLAN`: folders and a file of the clone.

use super::echo::{Echo, escape};
use super::near_miss::closest;
use crate::pipeline::{Environment, Pipeline};
use crate::problem::{Code, Problem};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

/// Where the step is: both are absolute, and the second is the first or below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) clone_root: PathBuf,
    pub(super) working_directory: PathBuf,
}

impl Place {
    /// `BITBUCKET_CLONE_DIR` is the root when it is there and holds the working directory, which a step may have left
    /// by `cd`; otherwise the working directory itself is.
    pub(super) fn find(environment: &Environment, pipeline: &Pipeline) -> Place {
        let working_directory = normal(&environment.working_directory);
        let here = Place { clone_root: working_directory.clone(), working_directory };
        let Some(clone) = pipeline.clone_directory.as_deref().filter(|clone| clone.is_dir()) else { return here };
        let clone = normal(clone);
        if here.working_directory.starts_with(&clone) {
            return Place { clone_root: clone, ..here };
        }
        // One of the two may be spelt through a link.
        match (clone.canonicalize(), here.working_directory.canonicalize()) {
            (Ok(clone_root), Ok(working_directory)) if working_directory.starts_with(&clone_root) => {
                Place { clone_root, working_directory }
            }
            _ => here,
        }
    }

    /// The path that `text` means, inside the clone and outside `.git`.
    fn inside(&self, text: &str, echo: Echo<'_>, code: Code) -> Result<PathBuf, Problem> {
        let wrong = |what: &str, hint: &str| Problem::new(code, format!("{} {what}", echo.show(text))).hint(hint);
        if text.chars().any(char::is_control) {
            return Err(wrong("has a control character in it", "write the folder's name on one line"));
        }
        let path = normal(&self.working_directory.join(text));
        let Ok(relative) = path.strip_prefix(&self.clone_root) else {
            return Err(wrong("is outside the clone", "name a folder of the repository"));
        };
        if relative.components().any(|part| part.as_os_str() == ".git") {
            return Err(wrong("is in Git's own folder", "name a folder of the repository's files"));
        }
        Ok(path)
    }
}

/// Reads `LOCAL_PATH`: an existing folder of the clone.
pub(super) fn local(text: &str, place: &Place, echo: Echo<'_>) -> Result<PathBuf, Problem> {
    let path = place.inside(text, echo, Code::NoSuchFolder)?;
    let wrong = |what: &str| Problem::new(Code::NoSuchFolder, format!("{} {what}", echo.show(text)));
    if path.is_file() {
        return Err(wrong("is a file, not a folder").hint("name the folder that holds the files to deploy"));
    }
    if !path.is_dir() {
        let problem = wrong("is not there");
        return Err(match sibling(&path, place).filter(|_| !echo.hides_all()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => {
                problem.hint("the path is relative to the step's working directory, and names a folder of the clone")
            }
        });
    }
    if leads_out(&path, place) {
        return Err(wrong("is a link that leads out of the clone").hint("name a folder of the repository"));
    }
    Ok(path)
}

/// Reads `LOCAL_PATH` where only its name counts: it may be gone from the clone.
pub(super) fn named(text: &str, place: &Place, echo: Echo<'_>) -> Result<PathBuf, Problem> {
    place.inside(text, echo, Code::NoSuchFolder)
}

/// Reads `PLAN`: an existing file of the clone.
pub(super) fn plan(text: &str, place: &Place, echo: Echo<'_>) -> Result<PathBuf, Problem> {
    let path = place.inside(text, echo, Code::InvalidValue)?;
    let wrong = |what: &str| Problem::new(Code::InvalidValue, format!("{} {what}", echo.show(text)));
    if path.is_dir() {
        return Err(wrong("is a folder, not a file").hint("name the file `plan.json` in it"));
    }
    if path.exists() && !path.is_file() {
        return Err(wrong("is not a file"));
    }
    if !path.is_file() {
        return Err(wrong("is not there").hint(
            "make it by a step with `ACTION: plan`, and hand it over as one of that step's `artifacts:`; the path is \
             relative to the step's working directory",
        ));
    }
    if leads_out(&path, place) {
        return Err(wrong("is a link that leads out of the clone").hint("name a file of the clone"));
    }
    Ok(path)
}

/// A folder of the clone as it is named from the clone's root.
pub(super) fn from_root(path: &Path, place: &Place) -> String {
    let parts = path.strip_prefix(&place.clone_root).unwrap_or(path).components();
    let parts: Vec<_> = parts.map(|part| part.as_os_str().to_string_lossy()).collect();
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// Reads `OUTPUT_DIR`: a folder of the clone, there or not, that does not hold what is deployed.
pub(super) fn output(text: &str, place: &Place, local: Option<&Path>, echo: Echo<'_>) -> Result<PathBuf, Problem> {
    let path = place.inside(text, echo, Code::InvalidValue)?;
    if path.is_file() {
        return Err(Problem::new(Code::InvalidValue, format!("{} is a file, not a folder", echo.show(text)))
            .hint("name a folder; it is made if it is not there"));
    }
    if leads_out(&path, place) {
        return Err(Problem::new(
            Code::InvalidValue,
            format!("{} is a link that leads out of the clone", echo.show(text)),
        )
        .hint("name a folder of the repository"));
    }
    if local.is_some_and(|local| local.starts_with(&path)) {
        return Err(Problem::new(
            Code::ConflictingVariables,
            format!("{} holds `LOCAL_PATH`: what the pipe writes would be mixed with what it deploys", echo.show(text)),
        )
        .hint("name a folder beside or below `LOCAL_PATH`; the default is `databricks-deploy`"));
    }
    Ok(path)
}

/// Whether what is there of `path` is outside the clone: a link in the clone may lead anywhere.
fn leads_out(path: &Path, place: &Place) -> bool {
    let Some(there) = path.ancestors().find(|part| part.exists()) else { return false };
    match (there.canonicalize(), place.clone_root.canonicalize()) {
        (Ok(real), Ok(root)) => !real.starts_with(&root),
        _ => false,
    }
}

/// A folder that is there and whose name is close to the first part of `path` that is not, as it would be written.
fn sibling(path: &Path, place: &Place) -> Option<String> {
    let missing = path.ancestors().take_while(|part| !part.exists()).last()?;
    let parent = missing.parent().filter(|parent| parent.starts_with(&place.clone_root))?;
    let mut names: Vec<String> = parent
        .read_dir()
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    let near = closest(missing.file_name().and_then(OsStr::to_str)?, names.iter().map(String::as_str))?;
    let found = parent.join(near);
    let shown = found.strip_prefix(&place.working_directory).unwrap_or(&found);
    shown.to_str().map(escape)
}

/// `path` without `.` and `..`, judged by the text alone.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clone with `notebooks/etl`, a file, a link out, and the step in its root.
    fn clone() -> (tempfile::TempDir, Place) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("build");
        std::fs::create_dir_all(root.join("notebooks/etl")).unwrap();
        std::fs::create_dir_all(root.join(".git/hooks")).unwrap();
        std::fs::create_dir(folder.path().join("elsewhere")).unwrap();
        std::fs::write(root.join("README.md"), "").unwrap();
        std::os::unix::fs::symlink("../elsewhere", root.join("out")).unwrap();
        let place = Place { clone_root: root.clone(), working_directory: root };
        (folder, place)
    }

    #[test]
    fn the_folder_must_be_in_the_clone() {
        let (_folder, place) = clone();
        let read = |text: &str| local(text, &place, Echo::new(text, &[]));
        let root = &place.clone_root;
        for (text, expected) in [
            (".", root.clone()),
            ("notebooks", root.join("notebooks")),
            ("./notebooks/", root.join("notebooks")),
            ("notebooks/../notebooks/etl", root.join("notebooks/etl")),
            (root.join("notebooks").to_str().unwrap(), root.join("notebooks")),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        for (text, message, hint) in [
            ("..", "`..` is outside the clone", "name a folder of the repository"),
            ("../elsewhere", "`../elsewhere` is outside the clone", "name a folder of the repository"),
            ("/etc", "`/etc` is outside the clone", "name a folder of the repository"),
            ("out", "`out` is a link that leads out of the clone", "name a folder of the repository"),
            (".git/hooks", "`.git/hooks` is in Git's own folder", "name a folder of the repository's files"),
            ("README.md", "`README.md` is a file, not a folder", "name the folder that holds the files to deploy"),
            ("Notebook", "`Notebook` is not there", "did you mean `notebooks`?"),
            ("notebooks/elt/x", "`notebooks/elt/x` is not there", "did you mean `notebooks/etl`?"),
        ] {
            let problem = read(text).unwrap_err();
            assert_eq!((problem.message.as_str(), problem.hint.as_deref()), (message, Some(hint)), "{text}");
        }
    }

    #[test]
    fn a_plan_is_a_file_and_a_name_needs_nothing_there() {
        let (_folder, place) = clone();
        let root = &place.clone_root;
        let read = |text: &str| plan(text, &place, Echo::new(text, &[])).map_err(|problem| problem.message);
        assert_eq!(read("./README.md"), Ok(root.join("README.md")));
        for (text, message) in [
            ("notebooks", "`notebooks` is a folder, not a file"),
            ("plan.json", "`plan.json` is not there"),
            ("../plan.json", "`../plan.json` is outside the clone"),
            (".git/HEAD", "`.git/HEAD` is in Git's own folder"),
        ] {
            assert_eq!(read(text), Err(message.to_owned()), "{text}");
        }
        std::fs::write(root.join("../elsewhere/plan.json"), "").unwrap();
        assert_eq!(read("out/plan.json"), Err("`out/plan.json` is a link that leads out of the clone".to_owned()));

        for (text, name) in [(".", "."), ("notebooks/", "notebooks"), ("gone/./etl", "gone/etl"), ("a/..", ".")] {
            let path = named(text, &place, Echo::new(text, &[])).unwrap();
            assert_eq!(from_root(&path, &place), name, "{text}");
        }
        assert!(named("..", &place, Echo::new("..", &[])).is_err());
    }

    #[test]
    fn the_output_may_not_hold_what_is_deployed() {
        let (_folder, place) = clone();
        let deployed = place.clone_root.join("notebooks");
        let read =
            |text: &str| output(text, &place, Some(&deployed), Echo::new(text, &[])).map_err(|problem| problem.code);
        assert_eq!(read("databricks-deploy"), Ok(place.clone_root.join("databricks-deploy")));
        assert_eq!(read("notebooks/out"), Ok(place.clone_root.join("notebooks/out")));
        assert_eq!(read("notebooks"), Err(Code::ConflictingVariables));
        assert_eq!(read("."), Err(Code::ConflictingVariables));
        assert_eq!(read("../x"), Err(Code::InvalidValue));
        assert_eq!(read("README.md"), Err(Code::InvalidValue));
        assert_eq!(read("out/reports"), Err(Code::InvalidValue));
        assert!(output(".", &place, None, Echo::new(".", &[])).is_ok());
    }

    #[test]
    fn the_root_is_the_clone_only_where_the_step_is_in_it() {
        let (folder, place) = clone();
        let find = |clone: &Path, working_directory: &Path| {
            let pipeline = Pipeline { clone_directory: Some(clone.to_path_buf()), ..Pipeline::default() };
            Place::find(
                &Environment { working_directory: working_directory.to_path_buf(), ..Environment::default() },
                &pipeline,
            )
        };
        let root = &place.clone_root;
        let below = root.join("notebooks");
        assert_eq!(find(root, &below), Place { clone_root: root.clone(), working_directory: below.clone() });
        assert_eq!(find(&root.join("gone"), &below).clone_root, below);
        let elsewhere = folder.path().join("elsewhere");
        assert_eq!(find(root, &elsewhere).clone_root, elsewhere);
        // The same clone through a link.
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(root, &link).unwrap();
        let found = find(&link, &below);
        assert_eq!(found.clone_root, root.canonicalize().unwrap());
        assert!(found.working_directory.starts_with(&found.clone_root));
    }
}
