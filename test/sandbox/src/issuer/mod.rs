//! A fake of Bitbucket, as far as it vouches for the steps of its pipelines: tokens with the claims of real ones, and
//! the documents by which they are verified.

mod documents;
mod keys;
mod step;

pub(crate) use documents::{HOST, answer};
pub(crate) use keys::Issuers;
pub use step::{Flaw, StepClaims};

use crate::clock::Clock;
use crate::jwt;
use crate::sandbox::Sandbox;
use serde_json::{Value, json};

/// A workspace of Bitbucket whose pipelines sign tokens for steps, by the clock of the sandbox that it was taken from.
#[derive(Clone, Debug)]
pub struct Bitbucket {
    slug: String,
    uuid: String,
    clock: Clock,
}

impl Bitbucket {
    /// The UUID of the workspace of [`Sandbox::bitbucket`], whose slug is `acme`.
    pub const WORKSPACE: &str = "{5f5e8b6a-0000-4000-8000-000000000005}";
    /// The UUID of the repository where [`StepClaims`] says none.
    pub const REPOSITORY: &str = "{5f5e8b6a-0000-4000-8000-000000000001}";
    /// The UUID of the pipeline where it says none.
    pub const PIPELINE: &str = "{5f5e8b6a-0000-4000-8000-000000000002}";
    /// The UUID of the step where it says none.
    pub const STEP: &str = "{5f5e8b6a-0000-4000-8000-000000000003}";
    /// The UUID of the deployment environment of [`StepClaims::production`].
    pub const PRODUCTION: &str = "{5f5e8b6a-0000-4000-8000-000000000004}";

    /// The `iss` of its tokens, which holds the slug of the workspace.
    #[must_use]
    pub fn issuer(&self) -> String {
        documents::issuer(&self.slug)
    }

    /// The `aud` that every token has. Unlike all other claims with a UUID it has no braces.
    #[must_use]
    pub fn audience(&self) -> String {
        format!("ari:cloud:bitbucket::workspace/{}", self.uuid.trim_matches(['{', '}']))
    }

    /// The value of `BITBUCKET_STEP_OIDC_TOKEN` in a step.
    #[must_use]
    pub fn step(&self, step: &StepClaims) -> String {
        self.flawed_step(step, &[])
    }

    /// A token with something wrong about it.
    #[must_use]
    pub fn flawed_step(&self, step: &StepClaims, flaws: &[Flaw]) -> String {
        let mut claims = step.claims(self, self.clock.seconds());
        for flaw in flaws {
            flaw.change(&mut claims, self.clock.seconds());
        }
        let claims = Value::Object(claims);
        let has = |flaw: &Flaw| flaws.contains(flaw);
        let header = |algorithm: &str| {
            let id = if has(&Flaw::UnknownKey) { "7ef7b4a2-0000-4000-8000-0000000000ff" } else { keys::KEY_ID };
            json!({ "alg": algorithm, "typ": "JWT", "kid": id })
        };
        if has(&Flaw::Unsigned) {
            return jwt::sealed(&jwt::unsigned(&header("none"), &claims), &[]);
        }
        if has(&Flaw::SymmetricKey) {
            // The classic trick: the public key, which everybody knows, as the secret of an HMAC.
            let unsigned = jwt::unsigned(&header("HS256"), &claims);
            let public = jwt::PublicKey::of(keys::KEY_ID, &keys::genuine()).document().to_string();
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public.as_bytes());
            return jwt::sealed(&unsigned, ring::hmac::sign(&key, unsigned.as_bytes()).as_ref());
        }
        let pair = if has(&Flaw::ForgedSignature) { keys::forgers() } else { keys::genuine() };
        jwt::sign(&pair, &jwt::unsigned(&header("RS256"), &claims))
    }
}

impl Sandbox {
    /// The Bitbucket workspace `acme`, whose identity provider the fake Databricks can reach from now on.
    #[must_use]
    pub fn bitbucket(&self) -> Bitbucket {
        self.bitbucket_workspace("acme", Bitbucket::WORKSPACE)
    }

    /// Another one, by its slug and its UUID, with or without braces.
    #[must_use]
    pub fn bitbucket_workspace(&self, slug: &str, uuid: &str) -> Bitbucket {
        let mut state = self.state();
        state.issuers.add(&documents::issuer(slug));
        Bitbucket {
            slug: slug.to_owned(),
            uuid: format!("{{{}}}", uuid.trim_matches(['{', '}'])),
            clock: state.clock.clone(),
        }
    }
}
