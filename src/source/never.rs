//! What is never deployed, whatever `INCLUDE` says: what could hold a secret, and what only means something here.

/// Why the file or folder of this path is never deployed. `path` is relative, with `/`; only its last name counts,
/// because a folder that is never deployed is not entered.
pub(super) fn reason(path: &str) -> Option<&'static str> {
    let lower = path.to_ascii_lowercase();
    let name = lower.rsplit('/').next().unwrap_or_default();
    if lower == ".databricks-deploy" {
        return Some("never deployed: the target keeps its state under this name");
    }
    if lower == ".bitbucket/pipelines/generated" || lower.ends_with("/.bitbucket/pipelines/generated") {
        return Some("never deployed: Bitbucket Pipelines generates it");
    }
    match name {
        ".git" | ".gitignore" | ".gitattributes" | ".gitmodules" | ".gitkeep" => {
            return Some("never deployed: only Git reads it, and nothing in the workspace does");
        }
        ".databricksignore" => return Some("never deployed: it only says what to leave out"),
        ".databricks" | ".bundle" => return Some("never deployed: local state of the Databricks CLI"),
        ".databrickscfg" | ".netrc" | "_netrc" | ".git-credentials" | ".pgpass" | ".pypirc" => {
            return Some("never deployed: holds credentials");
        }
        ".ssh" | ".aws" | ".azure" | ".gnupg" => return Some("never deployed: a folder for credentials"),
        ".env.example" | ".env.sample" | ".env.template" => return None,
        _ => {}
    }
    if name == ".env" || name.starts_with(".env.") {
        return Some("never deployed: environment files hold credentials");
    }
    let is_key = [".pem", ".key", ".p12", ".pfx"].iter().any(|extension| name.ends_with(extension))
        || ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"].contains(&name);
    is_key.then_some("never deployed: a key file")
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn secrets_and_local_state_stay_here() {
        for path in [
            ".git",
            "a/.git",
            ".gitignore",
            "a/.databricksignore",
            ".env",
            "a/.env.production",
            ".ENV",
            "a/server.pem",
            "tls.KEY",
            ".databrickscfg",
            ".netrc",
            "a/id_rsa",
            ".ssh",
            ".databricks",
            ".bundle",
            ".databricks-deploy",
            ".bitbucket/pipelines/generated",
            "a/.bitbucket/pipelines/generated",
        ] {
            assert!(reason(path).is_some(), "{path}");
        }
    }

    #[test]
    fn what_only_looks_like_it_goes() {
        for path in [
            ".env.example",
            "a/.env.template",
            ".environment",
            "env",
            "a/.databricks-deploy",
            "keys.py",
            "id_rsa.pub",
            ".bitbucket",
            ".bitbucket/CODEOWNERS",
            "pem",
            "git",
            ".hidden.py",
        ] {
            assert_eq!(reason(path), None, "{path}");
        }
    }
}
