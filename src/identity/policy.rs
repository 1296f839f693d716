//! The federation policy that lets an identity token in, and the claims that it goes by.

use crate::pipeline::STEP_TOKEN;
use crate::secrets::Claims;
use crate::settings::IdToken;
use crate::text;
use serde::Serialize;

/// A service principal's trust in tokens of one kind (`servicePrincipals/{id}/federationPolicies`, `oidc_policy`):
/// the issuer must be the same, one of the audiences, and one claim, all of them to the letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Who signs the tokens.
    pub issuer: String,
    /// Whom they are meant for.
    pub audiences: Vec<String>,
    /// Which claim names who is let in.
    pub subject_claim: &'static str,
    /// Its value.
    pub subject: String,
}

/// The claims of Bitbucket that name something that lasts, the narrower first. `sub` ends in the step's UUID, which is
/// new in every run.
const LASTING: [&str; 2] = ["deploymentEnvironmentUuid", "repositoryUuid"];

impl Policy {
    /// The narrowest policy that these claims fit, and that later runs will fit too.
    pub fn for_claims(claims: &Claims) -> Option<Policy> {
        Policy::all_for(claims).into_iter().next()
    }

    /// Every policy that these claims fit, and that later runs will fit too, the narrowest first.
    pub fn all_for(claims: &Claims) -> Vec<Policy> {
        let Some(issuer) = claims.text("iss") else { return Vec::new() };
        let policy = |subject_claim: &'static str| {
            Some(Policy {
                issuer: issuer.to_owned(),
                audiences: claims.audiences().into_iter().map(str::to_owned).collect(),
                subject_claim,
                subject: claims.text(subject_claim)?.to_owned(),
            })
        };
        let lasting: Vec<Policy> = LASTING.into_iter().filter_map(policy).collect();
        if lasting.is_empty() { policy("sub").into_iter().collect() } else { lasting }
    }

    /// Who may log in by it.
    pub fn lets_in(&self) -> &'static str {
        match self.subject_claim {
            "deploymentEnvironmentUuid" => {
                "every step with this `deployment:` of this repository may then log in; who may deploy there, the \
                 environment's permissions in Bitbucket say, or, without any, whoever may write to the repository"
            }
            "repositoryUuid" => {
                "every step of this repository may then log in, on any branch, for pull requests and tags too: whoever may \
                 write to the repository could deploy"
            }
            _ => "whoever has a token with this subject may then log in",
        }
    }

    /// The body of the request that creates it.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(&Body { oidc_policy: self }).unwrap_or_default()
    }

    /// The command of the vendor's CLI that creates it; `id` is the numeric id of the service principal.
    pub fn command(&self, id: &str) -> String {
        let body = serde_json::to_string(&Body { oidc_policy: self }).unwrap_or_default().replace('\'', r"'\''");
        format!("databricks account service-principal-federation-policy create {id} --json '{body}'")
    }

    /// The resource of Terraform's provider that creates it, line by line.
    pub fn terraform(&self, id: &str) -> Vec<String> {
        let audiences: Vec<String> = self.audiences.iter().map(|audience| hcl(audience)).collect();
        let name = if LASTING.contains(&self.subject_claim) { "bitbucket" } else { "deploy" };
        vec![
            format!("resource \"databricks_service_principal_federation_policy\" \"{name}\" {{"),
            format!("  service_principal_id = {id}"),
            "  oidc_policy = {".to_owned(),
            format!("    issuer        = {}", hcl(&self.issuer)),
            format!("    audiences     = [{}]", audiences.join(", ")),
            format!("    subject_claim = {}", hcl(self.subject_claim)),
            format!("    subject       = {}", hcl(&self.subject)),
            "  }".to_owned(),
            "}".to_owned(),
        ]
    }

    /// The policy as lines of the log, with what it means.
    pub(super) fn shown(&self) -> Vec<String> {
        let mut lines = vec![
            "a policy that fits, for an account admin to create (in the account console: User management, Service \
             principals, its page, Credentials & secrets, Federation policies):"
                .to_owned(),
        ];
        lines.extend(self.json().lines().map(|line| format!("  {line}")));
        let narrower = match self.subject_claim {
            "repositoryUuid" => "; give the step a `deployment:` for a narrower policy",
            _ => "",
        };
        lines.push(format!("{}{narrower}", self.lets_in()));
        lines
    }
}

#[derive(Serialize)]
struct Body<'a> {
    oidc_policy: &'a Policy,
}

/// A text as Terraform's language quotes it: like JSON, but that `${` and `%{` begin a template.
fn hcl(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.replace("${", "$${").replace("%{", "%%{")
}

/// Whether a step of Bitbucket has them.
pub fn is_of_bitbucket(claims: &Claims) -> bool {
    claims.text("repositoryUuid").is_some()
}

/// Whether a token is taken for one of Bitbucket's: by its place, or by what it says.
pub fn is_taken_for_bitbucket(token: &IdToken, claims: &Claims) -> bool {
    matches!(token, IdToken::Variable { name, .. } if name == STEP_TOKEN) || is_of_bitbucket(claims)
}

/// What every issuer of Bitbucket begins with; the slug of the workspace follows.
const ISSUERS: &str = "https://api.bitbucket.org/";

/// How a token must be signed that Databricks takes, by its documentation.
const ALGORITHMS: [&str; 2] = ["RS256", "ES256"];

/// Why a token cannot be what it is taken for, where it says so itself. Of a bad signature it says nothing: that is for
/// Databricks to find out.
pub fn is_not_genuine(claims: &Claims, of_bitbucket: bool) -> Option<String> {
    let issuer = claims.text("iss").unwrap_or_default();
    match claims.algorithm() {
        Some("") => Some("its header does not say how it is signed".to_owned()),
        Some(other) if !ALGORITHMS.contains(&other) => Some(format!(
            "by its header it is signed by `{}`, and Databricks takes only what is signed by {}",
            text::one_line(other),
            ALGORITHMS.join(" or ")
        )),
        _ if !of_bitbucket || issuer.starts_with(ISSUERS) => None,
        _ if issuer.is_empty() => Some(format!("it names no issuer, and those of Bitbucket begin with {ISSUERS}")),
        _ => Some(format!("its issuer is `{}`, and those of Bitbucket begin with {ISSUERS}", text::one_line(issuer))),
    }
}

/// The claims that decide, as lines of the log. The token itself is never shown.
pub fn claims_shown(claims: &Claims) -> Vec<String> {
    let mut lines = vec!["the claims of the identity token:".to_owned()];
    let mut line = |name: &str, value: &str| lines.push(format!("  {name:<27}{value}"));
    let has_deployment = claims.text("deploymentEnvironmentUuid").is_some();
    let is_of_bitbucket = is_of_bitbucket(claims);
    line("iss", claims.text("iss").unwrap_or("(none)"));
    let audiences = claims.audiences();
    line("aud", if audiences.is_empty() { "(none)" } else { audiences[0] });
    audiences.iter().skip(1).for_each(|audience| line("", audience));
    line("sub", claims.text("sub").unwrap_or("(none)"));
    for name in ["repositoryUuid", "deploymentEnvironmentUuid", "branchName", "workspaceUuid"] {
        if let Some(value) = claims.text(name) {
            line(name, value);
        } else if is_of_bitbucket && !has_deployment && name == "deploymentEnvironmentUuid" {
            line(name, "(none: the step has no `deployment:`)");
        }
    }
    if let Some(ends) = claims.expires() {
        line("exp", &text::clock(ends));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Secret;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn policy(subject: &str) -> Policy {
        let (issuer, audiences) = ("https://issuer".to_owned(), vec!["a".to_owned(), "b".to_owned()]);
        Policy { issuer, audiences, subject_claim: "repositoryUuid", subject: subject.to_owned() }
    }

    #[test]
    fn what_is_pasted_is_quoted_for_its_reader() {
        let json =
            r#"{"oidc_policy":{"issuer":"https://issuer","audiences":["a","b"],"subject_claim":"repositoryUuid","#;
        assert_eq!(
            policy("{it's}").command("7"),
            format!(
                "databricks account service-principal-federation-policy create 7 --json '{json}\"subject\":\"{{it'\\''s}}\"}}}}'"
            )
        );
        let terraform = policy("{a}${b}%{c}\"").terraform("7");
        assert!(terraform[0].ends_with(r#" "bitbucket" {"#), "{terraform:?}");
        let elsewhere = Policy { subject_claim: "sub", ..policy("x") }.terraform("7");
        assert!(elsewhere[0].ends_with(r#" "deploy" {"#), "{elsewhere:?}");
        assert_eq!(terraform[4], r#"    audiences     = ["a", "b"]"#);
        assert_eq!(terraform[6], r#"    subject       = "{a}$${b}%%{c}\"""#);
    }

    #[test]
    fn the_narrowest_policy_comes_first_and_sub_only_where_nothing_else_lasts() {
        let claims = |names: &[&'static str]| {
            Claims::expected([("iss", "i"), ("sub", "s")].into_iter().chain(names.iter().map(|name| (*name, "{x}"))))
        };
        let subjects = |claims: &Claims| -> Vec<&'static str> {
            Policy::all_for(claims).iter().map(|policy| policy.subject_claim).collect()
        };
        let both = claims(&["repositoryUuid", "deploymentEnvironmentUuid", "branchName"]);
        assert_eq!(subjects(&both), ["deploymentEnvironmentUuid", "repositoryUuid"]);
        assert_eq!(subjects(&claims(&["repositoryUuid", "workspaceUuid"])), ["repositoryUuid"]);
        assert_eq!(subjects(&claims(&[])), ["sub"]);
        assert!(Policy::all_for(&Claims::expected([("sub", "s")])).is_empty());
    }

    #[test]
    fn a_token_says_itself_that_it_cannot_be_what_it_is_taken_for() {
        let good = "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc";
        let why = |header: &str, payload: &str, of_bitbucket| {
            let token = [header, payload, "signature"].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
            is_not_genuine(&Claims::read(&Secret::new(token)).unwrap(), of_bitbucket).unwrap_or_default()
        };
        let issued_by = |issuer: &str| format!(r#"{{"iss":"{issuer}"}}"#);
        for algorithm in ["RS256", "ES256"] {
            let header = format!(r#"{{"alg":"{algorithm}"}}"#);
            assert_eq!(why(&header, &issued_by(good), true), "");
            // Any other issuer has tokens of its own.
            assert_eq!(why(&header, &issued_by("https://token.actions.githubusercontent.com"), false), "");
            let elsewhere = why(&header, &issued_by("https://api.bitbucket.org.example.com/"), true);
            assert!(elsewhere.starts_with("its issuer is `https://api.bitbucket.org.example.com/`"), "{elsewhere}");
            assert!(why(&header, "{}", true).starts_with("it names no issuer"));
        }
        for of_bitbucket in [true, false] {
            assert_eq!(why("{}", &issued_by(good), of_bitbucket), "its header does not say how it is signed");
            assert!(why(r#"{"alg":"ES384"}"#, &issued_by(good), of_bitbucket).contains("signed by `ES384`"));
        }
    }
}
