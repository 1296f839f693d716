//! The federation policy that lets an identity token in, and the claims that it goes by.

use crate::secrets::Claims;
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
        let claim = |name| Some((name, claims.text(name)?));
        let (subject_claim, subject) = LASTING.into_iter().find_map(claim).or_else(|| claim("sub"))?;
        Some(Policy {
            issuer: claims.text("iss")?.to_owned(),
            audiences: claims.audiences().into_iter().map(str::to_owned).collect(),
            subject_claim,
            subject: subject.to_owned(),
        })
    }

    /// The body of the request that creates it.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Body<'a> {
            oidc_policy: &'a Policy,
        }
        serde_json::to_string_pretty(&Body { oidc_policy: self }).unwrap_or_default()
    }

    /// The policy as lines of the log, with what it means.
    pub(super) fn shown(&self) -> Vec<String> {
        let who = match self.subject_claim {
            "deploymentEnvironmentUuid" => {
                "every step with this `deployment:` of this repository may then log in; who may deploy there, the \
                 environment's permissions in Bitbucket say"
            }
            "repositoryUuid" => {
                "every step of this repository may then log in, on any branch; give the step a `deployment:` for a \
                 narrower policy"
            }
            _ => "whoever has a token with this subject may then log in",
        };
        let mut lines = vec![
            "a policy that fits, for an account admin to create (in the account console: User management, Service \
             principals, its page, Credentials & secrets, Federation policies):"
                .to_owned(),
        ];
        lines.extend(self.json().lines().map(|line| format!("  {line}")));
        lines.push(who.to_owned());
        lines
    }
}

/// Whether a step of Bitbucket has them.
pub(super) fn is_of_bitbucket(claims: &Claims) -> bool {
    claims.text("repositoryUuid").is_some()
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
