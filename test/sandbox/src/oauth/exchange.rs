//! The exchange of a token that somebody else has signed for an access token (RFC 8693): workload identity federation.

use super::{FederatedLifetime, Grant, Knock, Policy, Refusal, SCOPE};
use crate::jwt::Jwt;
use crate::record::Way;
use crate::state::State;
use std::time::Duration;

const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// The grant `token-exchange`.
pub(super) fn with_token(state: &State, knock: &Knock<'_>) -> Result<Grant, Refusal> {
    let token = knock.field("subject_token").ok_or_else(|| Refusal::missing("subject_token"))?;
    let kind = knock.field("subject_token_type").ok_or_else(|| Refusal::missing("subject_token_type"))?;
    if kind != JWT {
        // A personal access token can be exchanged, too; the sandbox does not do that.
        return Err(Refusal::new("invalid_request", format!("The subject token type '{kind}' is not supported")));
    }
    if knock.field("scope") != Some(SCOPE) {
        return Err(Refusal::scope());
    }
    // What is said of something that is no token is not known.
    let token = Jwt::read(token).ok_or_else(|| refused("TOKEN_INVALID (Token is malformed)"))?;
    let client_id = knock.field("client_id").unwrap_or_default();
    let left = verify(state, client_id, &token)?;
    let lifetime = match state.oauth.federated_lifetime {
        FederatedLifetime::EndsWithSubject => state.oauth.lifetime.min(left),
        FederatedLifetime::Full => state.oauth.lifetime,
    };
    Ok(Grant { client_id: client_id.to_owned(), way: Way::Federation, lifetime })
}

/// Finds out whether a policy of the service principal trusts the token, and the token is genuine and in force; tells
/// how much of its life is left. The policies are looked up by the client id alone. In which order the real service
/// looks at the rest is not known; no clock skew is forgiven here.
fn verify(state: &State, client_id: &str, token: &Jwt<'_>) -> Result<Duration, Refusal> {
    let issuer = token.text("iss").unwrap_or_default();
    let audiences = token.audiences();
    let matching: Vec<&Policy> = state
        .oauth
        .policies
        .effective(client_id, state.clock.now())
        .filter(|policy| policy.issuer == issuer)
        .filter(|policy| token.text(policy.subject_claim()) == Some(&policy.subject))
        .collect();
    if matching.is_empty() {
        let sent = audiences.join(", ");
        return Err(refused(&format!(
            "TOKEN_INVALID (Ensure a valid federation policy has been configured). {}",
            policy_text(issuer, token, &sent)
        )));
    }
    let account = state.host.account_id();
    let accepted: Vec<&str> = matching.iter().flat_map(|policy| policy.accepted(account)).collect();
    if !audiences.iter().any(|audience| accepted.contains(audience)) {
        let (sent, accepted) = (audiences.join(", "), accepted.join(", "));
        return Err(refused(&format!(
            "TOKEN_AUDIENCE_INVALID (Token audience '{sent}' invalid). {}",
            policy_text(issuer, token, &accepted)
        )));
    }
    // None of the texts from here on was captured.
    let algorithm = token.header.get("alg").and_then(|value| value.as_str()).unwrap_or_default();
    if algorithm != "RS256" {
        return Err(refused(&format!("TOKEN_INVALID (Token algorithm '{algorithm}' is not supported)")));
    }
    let key_id = token.header.get("kid").and_then(|value| value.as_str()).unwrap_or_default();
    let key = state.issuers.key(issuer, key_id);
    let key = key.ok_or_else(|| refused(&format!("TOKEN_INVALID (No key '{key_id}' found for the issuer)")))?;
    if !token.is_signed_by(key) {
        return Err(refused("TOKEN_INVALID (Token signature is invalid)"));
    }
    let now = state.clock.seconds();
    let expiry = token.seconds("exp").ok_or_else(|| refused("TOKEN_INVALID (Token has no expiry)"))?;
    if expiry <= now {
        return Err(refused("TOKEN_EXPIRED (Token has expired)"));
    }
    if ["iat", "nbf"].iter().any(|claim| token.seconds(claim).is_some_and(|from| from > now)) {
        return Err(refused("TOKEN_INVALID (Token is not yet valid)"));
    }
    Ok(Duration::from_secs(expiry - now))
}

/// The policy that would take the token. Its subject is always `sub`, whichever claim a policy names (this is not
/// confirmed); how several audiences are shown is not known.
fn policy_text(issuer: &str, token: &Jwt<'_>, audience: &str) -> String {
    let subject = token.text("sub").unwrap_or_default();
    format!(
        "Valid federation policy for provided token: {{issuer: '{issuer}', subject: '{subject}', audience: '{audience}'}}"
    )
}

fn refused(text: &str) -> Refusal {
    Refusal::new("invalid_grant", format!("Failed to process token: {text}"))
}
