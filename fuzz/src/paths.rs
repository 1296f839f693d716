//! Paths in the workspace, and below a target's root: a line of each.

use databricks_deploy::settings::WorkspacePath;
use databricks_deploy::state::RelativePath;

pub(crate) fn holds(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (absolute, relative) = text.split_once('\n').unwrap_or((&text, &text));
    let root = WorkspacePath::parse(absolute);
    if let Ok(root) = &root {
        let path = root.as_str();
        assert_eq!(WorkspacePath::parse(path).as_ref(), Ok(root), "the normal form is its own");
        assert!(path == "/Workspace" || path.starts_with("/Workspace/"), "{path}");
        assert!(path.split('/').skip(1).all(|name| !matches!(name, "" | "." | "..")), "{path}");
        assert!(!path.chars().any(char::is_control), "{path:?}");
        // However often the slashes, with or without the alias.
        assert_eq!(WorkspacePath::parse(&path.replace('/', "//")).as_ref(), Ok(root));
        assert_eq!(WorkspacePath::parse(&format!("{path}/")).as_ref(), Ok(root));
    }
    let Ok(path) = RelativePath::parse(relative) else { return };
    assert_eq!(path.as_str(), relative, "what is taken is not changed");
    let ancestors: Vec<&str> = path.ancestors().collect();
    assert_eq!(ancestors.len(), path.depth());
    assert_eq!(path.parent().map(|parent| parent.as_str().to_owned()).as_deref(), ancestors.last().copied());
    for ancestor in ancestors {
        assert!(RelativePath::parse(ancestor).is_ok() && relative.starts_with(&format!("{ancestor}/")), "{ancestor}");
    }
    assert_eq!(serde_json::from_value::<RelativePath>(relative.into()).ok(), Some(path.clone()));
    if let Ok(root) = root {
        let joined = root.join(path.as_str());
        assert_eq!(WorkspacePath::parse(joined.as_str()).as_ref(), Ok(&joined), "below a root it stays normal");
        assert!(joined.as_str().starts_with(&format!("{root}/")), "{joined} is not below {root}");
    }
}
