//! What a step's token claims, and what may be wrong with it.

use super::Bitbucket;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// What a token says of its step. All UUIDs are written with braces, as Bitbucket does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepClaims {
    /// `repositoryUuid`.
    pub repository: String,
    /// `deploymentEnvironmentUuid`; only a step with `deployment:` has one.
    pub deployment: Option<String>,
    /// `branchName`; the build of a tag has none.
    pub branch: Option<String>,
    /// `pipelineUuid`.
    pub pipeline: String,
    /// `stepUuid`, which is another one in every run.
    pub step: String,
    /// The custom audiences of `oidc: {audiences: […]}`. With any, `aud` is a list that begins with the usual one.
    pub audiences: Vec<String>,
    /// From `iat` to `exp`. That the real one is an hour is not confirmed.
    pub lifetime: Duration,
    /// How long ago the token was made.
    pub issued_ago: Duration,
}

impl Default for StepClaims {
    /// A step of the branch `main` without deployment, whose token was made just now and lives an hour.
    fn default() -> StepClaims {
        StepClaims {
            repository: Bitbucket::REPOSITORY.to_owned(),
            deployment: None,
            branch: Some("main".to_owned()),
            pipeline: Bitbucket::PIPELINE.to_owned(),
            step: Bitbucket::STEP.to_owned(),
            audiences: Vec::new(),
            lifetime: Duration::from_secs(3600),
            issued_ago: Duration::ZERO,
        }
    }
}

impl StepClaims {
    /// The same in a step that deploys to [`Bitbucket::PRODUCTION`].
    #[must_use]
    pub fn production() -> StepClaims {
        StepClaims { deployment: Some(Bitbucket::PRODUCTION.to_owned()), ..StepClaims::default() }
    }

    pub(super) fn claims(&self, workspace: &Bitbucket, now: u64) -> Map<String, Value> {
        let issued = now.saturating_sub(self.issued_ago.as_secs());
        let StepClaims { repository, step, .. } = self;
        let subject = match &self.deployment {
            None => format!("{repository}:{step}"),
            Some(environment) => format!("{repository}:{environment}:{step}"),
        };
        let audience = workspace.audience();
        let audience = if self.audiences.is_empty() {
            Value::from(audience)
        } else {
            std::iter::once(audience).chain(self.audiences.iter().cloned()).collect()
        };
        let mut claims = Map::new();
        for (name, value) in [
            ("iss", Value::from(workspace.issuer())),
            ("aud", audience),
            ("sub", Value::from(subject)),
            ("iat", Value::from(issued)),
            ("exp", Value::from(issued + self.lifetime.as_secs())),
            ("workspaceUuid", Value::from(workspace.uuid.as_str())),
            ("repositoryUuid", Value::from(repository.as_str())),
            ("pipelineUuid", Value::from(self.pipeline.as_str())),
            ("pipelineRunUuid", Value::from(self.pipeline.as_str())),
            ("stepUuid", Value::from(step.as_str())),
        ] {
            claims.insert(name.to_owned(), value);
        }
        let optional = [("deploymentEnvironmentUuid", &self.deployment), ("branchName", &self.branch)];
        for (name, value) in optional {
            claims.extend(value.iter().map(|value| (name.to_owned(), Value::from(value.as_str()))));
        }
        claims
    }
}

/// Something wrong with a token. Several may come together.
#[derive(Clone, Debug, PartialEq)]
pub enum Flaw {
    /// `exp` was a minute ago.
    Expired,
    /// `iat` is in ten minutes.
    NotYetValid,
    /// There is no `exp`.
    NoExpiry,
    /// It is signed with another key, under the `kid` of the right one.
    ForgedSignature,
    /// Its `kid` is none of the issuer's.
    UnknownKey,
    /// `alg` is `none`, and the signature is empty.
    Unsigned,
    /// `alg` is `HS256`, with the public key for a secret.
    SymmetricKey,
    /// `iss` is another one.
    OtherIssuer(String),
    /// All UUIDs have lost their braces.
    NoBraces,
    /// A claim is added or replaced; `null` takes it away.
    Claim(String, Value),
}

impl Flaw {
    pub(super) fn change(&self, claims: &mut Map<String, Value>, now: u64) {
        match self {
            Flaw::Expired => {
                claims.insert("iat".to_owned(), json!(now - 3660));
                claims.insert("exp".to_owned(), json!(now - 60));
            }
            Flaw::NotYetValid => {
                claims.insert("iat".to_owned(), json!(now + 600));
                claims.insert("exp".to_owned(), json!(now + 4200));
            }
            Flaw::NoExpiry => {
                claims.remove("exp");
            }
            Flaw::OtherIssuer(issuer) => {
                claims.insert("iss".to_owned(), json!(issuer));
            }
            Flaw::NoBraces => {
                for (_, value) in claims.iter_mut() {
                    if let Value::String(text) = value {
                        text.retain(|character| !matches!(character, '{' | '}'));
                    }
                }
            }
            Flaw::Claim(name, Value::Null) => {
                claims.remove(name);
            }
            Flaw::Claim(name, value) => {
                claims.insert(name.clone(), value.clone());
            }
            Flaw::ForgedSignature | Flaw::UnknownKey | Flaw::Unsigned | Flaw::SymmetricKey => {}
        }
    }
}
