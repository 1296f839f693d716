//! The refusals of Entra ID. Codes and texts are those that its users report; which status goes with which code is not
//! confirmed.

use crate::clock::Clock;
use crate::reply::Reply;
use serde_json::json;

/// A refusal.
#[derive(Debug)]
pub(super) struct EntraError {
    status: u16,
    error: &'static str,
    code: u32,
    text: String,
}

impl EntraError {
    fn new(status: u16, error: &'static str, code: u32, text: String) -> EntraError {
        EntraError { status, error, code, text }
    }

    pub(super) fn missing(field: &str) -> EntraError {
        let text = format!("The request body must contain the following parameter: '{field}'.");
        EntraError::new(400, "invalid_request", 900_144, text)
    }

    pub(super) fn grant_type(grant_type: &str) -> EntraError {
        let text = format!("The app requested an unsupported grant type '{grant_type}'.");
        EntraError::new(400, "unsupported_grant_type", 70_003, text)
    }

    pub(super) fn tenant(tenant: &str) -> EntraError {
        let text = format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the \
             correct cloud. Check with your subscription administrator, this may happen if there are no active \
             subscriptions for the tenant."
        );
        EntraError::new(400, "invalid_request", 90_002, text)
    }

    pub(super) fn application(client_id: &str, tenant: &str) -> EntraError {
        let text = format!(
            "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if \
             the application has not been installed by the administrator of the tenant or consented to by any user in \
             the tenant. You may have sent your authentication request to the wrong tenant."
        );
        EntraError::new(400, "unauthorized_client", 700_016, text)
    }

    pub(super) fn resource(resource: &str, tenant: &str) -> EntraError {
        let text = format!(
            "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if \
             the application has not been installed by the administrator of the tenant or consented to by any user in \
             the tenant. You might have sent your authentication request to the wrong tenant."
        );
        EntraError::new(400, "invalid_resource", 500_011, text)
    }

    pub(super) fn secret(client_id: &str) -> EntraError {
        let text = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, \
             not the client secret ID, for a secret added to app '{client_id}'."
        );
        EntraError::new(401, "invalid_client", 7_000_215, text)
    }

    pub(super) fn expired(client_id: &str) -> EntraError {
        let text = format!(
            "The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create new \
             keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added \
             security: https://aka.ms/certCreds."
        );
        EntraError::new(401, "invalid_client", 7_000_222, text)
    }

    /// The application has no federated credential for what was asserted. Here no application has one: those of Entra
    /// ID compare `sub` as a whole, which no Bitbucket step has twice.
    pub(super) fn assertion(subject: &str) -> EntraError {
        let text = format!(
            "No matching federated identity record found for presented assertion subject '{subject}'. Check your \
             federated identity credential Subject, Audience and Issuer against the presented assertion."
        );
        EntraError::new(401, "invalid_client", 700_213, text)
    }

    pub(super) fn reply(&self, clock: &Clock, host: &str, request_id: &str) -> Reply {
        let EntraError { status, error, code, text } = self;
        let timestamp = timestamp(&clock.http_date());
        let body = json!({
            "error": error,
            "error_description": format!(
                "AADSTS{code}: {text} Trace ID: {request_id} Correlation ID: {request_id} Timestamp: {timestamp}"
            ),
            "error_codes": [code],
            "timestamp": timestamp,
            "trace_id": request_id,
            "correlation_id": request_id,
            "error_uri": format!("https://{host}/error?code={code}"),
        });
        Reply { status: *status, ..Reply::json(&body) }
    }
}

/// `2026-03-02 09:00:00Z` for `Mon, 02 Mar 2026 09:00:00 GMT`.
fn timestamp(http_date: &str) -> String {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let words: Vec<&str> = http_date.split(' ').collect();
    let &[_, day, month, year, time, _] = words.as_slice() else { return http_date.to_owned() };
    let month = MONTHS.find(month).unwrap_or_default() / 3 + 1;
    format!("{year}-{month:02}-{day} {time}Z")
}
