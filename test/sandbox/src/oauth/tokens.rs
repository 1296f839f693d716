//! Access tokens: issued, held, ended.

use crate::clock::Clock;
use crate::ids;
use crate::jwt;
use crate::record::Way;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// What an access token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Databricks.
    Databricks,
    /// Azure itself: Azure Resource Manager.
    Azure,
}

/// An access token that was issued.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    /// The name of the principal that it speaks for.
    pub(crate) principal: String,
    pub(crate) way: Way,
    pub(crate) resource: Resource,
    until: Instant,
    revoked: bool,
}

impl Issued {
    /// How long it is still good; `None` if it is not.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        let left = self.until.checked_duration_since(now)?;
        (!self.revoked && !left.is_zero()).then_some(left)
    }
}

/// All access tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tokens {
    issued: BTreeMap<String, Issued>,
    order: Vec<String>,
}

impl Tokens {
    /// Makes one in the shape of a JWT, which the real one has, and good for nothing but to be shown here. `iat` and
    /// `exp` are added to the claims.
    pub(crate) fn issue(
        &mut self,
        clock: &Clock,
        (principal, way): (&str, Way),
        resource: Resource,
        lifetime: Duration,
        mut claims: Map<String, Value>,
    ) -> String {
        let now = clock.seconds();
        claims.insert("iat".to_owned(), Value::from(now));
        claims.insert("exp".to_owned(), Value::from(now + lifetime.as_secs()));
        let header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": "sandbox" });
        let token = jwt::sealed(&jwt::unsigned(&header, &Value::Object(claims)), &ids::random());
        let until = clock.now() + lifetime;
        let issued = Issued { principal: principal.to_owned(), way, resource, until, revoked: false };
        self.issued.insert(token.clone(), issued);
        self.order.push(token.clone());
        token
    }

    /// What is known of a token, good or not.
    pub(crate) fn get(&self, token: &str) -> Option<&Issued> {
        self.issued.get(token)
    }

    pub(crate) fn revoke_all(&mut self) {
        self.issued.values_mut().for_each(|token| token.revoked = true);
    }

    /// All of them, in their order.
    pub(crate) fn all(&self) -> Vec<String> {
        self.order.clone()
    }
}
