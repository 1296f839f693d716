//! Federation policies: which foreign tokens a service principal trusts.

use crate::issuer::Bitbucket;
use crate::sandbox::Sandbox;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// How many policies a service principal can have.
const MOST: usize = 20;

/// A federation policy of a service principal. It takes a token whose issuer is this one, one of whose audiences is
/// among these, and one claim of which has this value: by exact comparison, without wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The `iss` of the token.
    pub issuer: String,
    /// The audiences, of which one must be in the token's `aud`; none means the id of the account.
    pub audiences: Vec<String>,
    /// The claim that is compared; `None` means `sub`.
    pub subject_claim: Option<String>,
    /// The value that it must have.
    pub subject: String,
}

impl Policy {
    pub(super) fn subject_claim(&self) -> &str {
        self.subject_claim.as_deref().unwrap_or("sub")
    }

    pub(super) fn accepted<'a>(&'a self, account_id: &'a str) -> Vec<&'a str> {
        if self.audiences.is_empty() {
            return vec![account_id];
        }
        self.audiences.iter().map(String::as_str).collect()
    }

    /// Reads the body that the real API takes.
    fn read(body: &Value) -> Result<Policy, PolicyRefused> {
        let fields = object(body, "the body", &["description", "oidc_policy"])?;
        let policy = fields.get("oidc_policy").ok_or_else(|| PolicyRefused::missing("oidc_policy"))?;
        let fields = object(policy, "oidc_policy", &["issuer", "audiences", "subject_claim", "subject"])?;
        let text = |name: &str| match fields.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(_) => Err(PolicyRefused(format!("Field 'oidc_policy.{name}' must be a string that is not empty"))),
        };
        let required = |name: &str| text(name)?.ok_or_else(|| PolicyRefused::missing(&format!("oidc_policy.{name}")));
        let no_list = || PolicyRefused("Field 'oidc_policy.audiences' must be a list of strings".to_owned());
        let audiences = match fields.get("audiences") {
            None => Vec::new(),
            Some(Value::Array(many)) => {
                let texts: Option<Vec<String>> = many.iter().map(|one| one.as_str().map(str::to_owned)).collect();
                texts.ok_or_else(no_list)?
            }
            Some(_) => return Err(no_list()),
        };
        Ok(Policy {
            issuer: required("issuer")?,
            audiences,
            subject_claim: text("subject_claim")?,
            subject: required("subject")?,
        })
    }
}

fn object<'a>(value: &'a Value, what: &str, known: &[&str]) -> Result<&'a Map<String, Value>, PolicyRefused> {
    let fields = value.as_object().ok_or_else(|| PolicyRefused(format!("{what} must be an object")))?;
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => Err(PolicyRefused(format!("Unknown field '{unknown}' in {what}"))),
        None => Ok(fields),
    }
}

impl Bitbucket {
    /// A policy that takes the tokens of this workspace in which a claim has a value, with the audience that Bitbucket
    /// gives them by itself.
    #[must_use]
    pub fn policy(&self, subject_claim: &str, subject: &str) -> Policy {
        Policy {
            issuer: self.issuer(),
            audiences: vec![self.audience()],
            subject_claim: Some(subject_claim.to_owned()),
            subject: subject.to_owned(),
        }
    }
}

/// Why a policy was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRefused(pub String);

impl PolicyRefused {
    fn missing(field: &str) -> PolicyRefused {
        PolicyRefused(format!("Missing required field: {field}"))
    }
}

impl fmt::Display for PolicyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PolicyRefused {}

/// The policies of each service principal, by its application id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policies {
    known: BTreeMap<String, Vec<(Policy, Instant)>>,
    delay: Duration,
}

impl Policies {
    /// Those that are effective by now.
    pub(super) fn effective(&self, application_id: &str, now: Instant) -> impl Iterator<Item = &Policy> {
        let all = self.known.get(application_id).into_iter().flatten();
        all.filter(move |(_, from)| *from <= now).map(|(policy, _)| policy)
    }

    /// A policy that is there already is not made twice.
    fn add(&mut self, application_id: &str, policy: Policy, now: Instant) -> Result<(), PolicyRefused> {
        let policies = self.known.entry(application_id.to_owned()).or_default();
        if policies.iter().any(|(known, _)| *known == policy) {
            return Ok(());
        }
        if policies.len() == MOST {
            return Err(PolicyRefused(format!("A service principal can have at most {MOST} federation policies")));
        }
        policies.push((policy, now + self.delay));
        Ok(())
    }
}

impl Sandbox {
    /// Makes a federation policy for a service principal that was added, as an account admin does. A service principal
    /// can have several; one that matches suffices.
    ///
    /// # Errors
    ///
    /// If the service principal is not known or is local to the workspace; if it has 20 policies already; if the issuer
    /// cannot be reached, which here means that it was not taken from [`Sandbox::bitbucket`] or its like.
    pub fn add_federation_policy(&self, application_id: &str, policy: Policy) -> Result<(), PolicyRefused> {
        let mut state = self.state();
        // The real API takes a numeric id, which a principal that is local to a workspace does not have.
        if !state.principals.named(application_id).is_some_and(|(_, principal)| principal.account_level) {
            return Err(PolicyRefused("Invalid service principal id".to_owned()));
        }
        if state.issuers.keys(&policy.issuer).is_none() {
            return Err(PolicyRefused("Unable to load valid OpenID configuration for issuer".to_owned()));
        }
        let now = state.clock.now();
        state.oauth.policies.add(application_id, policy, now)
    }

    /// The same from the body that the real API takes: `{"oidc_policy": {…}}`, with a `description` if one likes.
    ///
    /// # Errors
    ///
    /// As for [`Sandbox::add_federation_policy`], and if a field is unknown, missing or of the wrong type. Of the real
    /// fields `jwks_uri` and `jwks_json` are unknown here.
    pub fn add_federation_policy_json(&self, application_id: &str, body: &Value) -> Result<(), PolicyRefused> {
        self.add_federation_policy(application_id, Policy::read(body)?)
    }

    /// Takes all policies of a service principal away, at once. Access tokens that were issued stay good.
    pub fn remove_federation_policies(&self, application_id: &str) {
        self.state().oauth.policies.known.remove(application_id);
    }

    /// How long policies that are made from now on take to become effective, in tokio time; nothing at first. The real
    /// service takes one to two minutes.
    pub fn set_policy_delay(&self, delay: Duration) {
        self.state().oauth.policies.delay = delay;
    }
}
