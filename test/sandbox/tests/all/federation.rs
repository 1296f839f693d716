//! Logging in with the token of a pipeline's step.

use crate::client::{Answer, Client};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use databricks_sandbox::{Bitbucket, FederatedLifetime, Flaw, Policy, Principal, StepClaims, Way};
use http::Request;
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const ID: &str = "5f5e8b6a-0000-4000-8000-00000000a001";
const TOKEN: &str = "/oidc/v1/token";
const ME: &str = "/api/2.0/preview/scim/v2/Me";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// A workspace with a service principal that trusts the deployments of one repository to production.
fn workspace() -> (Client, Bitbucket) {
    let client = Client::new();
    client.sandbox.add_principal(Principal::service(ID, "deployer"));
    let bitbucket = client.sandbox.bitbucket();
    let policy = bitbucket.policy("deploymentEnvironmentUuid", Bitbucket::PRODUCTION);
    client.sandbox.add_federation_policy(ID, policy).unwrap();
    (client, bitbucket)
}

/// The same with another policy.
fn trusting(policy: impl FnOnce(&Bitbucket) -> Policy) -> (Client, Bitbucket) {
    let (client, bitbucket) = workspace();
    client.sandbox.remove_federation_policies(ID);
    client.sandbox.add_federation_policy(ID, policy(&bitbucket)).unwrap();
    (client, bitbucket)
}

pub(crate) async fn post_form(client: &Client, target: &str, fields: &[(&str, &str)]) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = Request::post(target)
        .header("host", "sandbox.test")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form));
    client.raw(request.unwrap()).await.unwrap()
}

fn fields<'a>(client_id: &'a str, token: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", EXCHANGE),
        ("subject_token_type", JWT),
        ("subject_token", token),
        ("client_id", client_id),
        ("scope", "all-apis"),
    ]
}

async fn exchange(client: &Client, client_id: &str, token: &str) -> Answer {
    post_form(client, TOKEN, &fields(client_id, token)).await
}

fn access_token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["access_token"].as_str().unwrap().to_owned()
}

async fn me(client: &Client, token: &str) -> Answer {
    client.with_token(token.to_owned()).get(ME).await
}

/// The description of a refused exchange.
fn refusal(answer: &Answer) -> &str {
    assert_eq!((answer.status, answer.body["error"].as_str()), (400, Some("invalid_grant")), "{answer:?}");
    assert!(answer.body["error_id"].is_string());
    answer.body["error_description"].as_str().unwrap()
}

fn no_policy(issuer: &str, subject: &str, audience: &str) -> String {
    format!(
        "Failed to process token: TOKEN_INVALID (Ensure a valid federation policy has been configured). Valid \
         federation policy for provided token: {{issuer: '{issuer}', subject: '{subject}', audience: '{audience}'}}"
    )
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

fn with_signature(token: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let (unsigned, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    change(&mut signature);
    format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test(start_paused = true)]
async fn a_step_buys_an_access_token_without_any_secret() {
    let (client, bitbucket) = workspace();
    let token = bitbucket.step(&StepClaims::production());
    let answer = exchange(&client, ID, &token).await;
    let access = access_token(&answer);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!((&answer.body["expires_in"], &answer.body["token_type"]), (&json!(3600), &json!("Bearer")));
    assert_eq!(answer.body["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    assert_eq!((&answer.body["scope"], answer.body.get("refresh_token")), (&json!("all-apis"), None));
    let answer = me(&client, &access).await;
    assert_eq!((answer.status, answer.body["userName"].as_str()), (200, Some(ID)));
    assert_eq!(client.sandbox.access_tokens(), std::slice::from_ref(&access));
    // The same token buys another one.
    assert_ne!(access_token(&exchange(&client, ID, &token).await), access);

    let requests = client.sandbox.requests();
    let seen = |index: usize| (requests[index].principal(), requests[index].way, requests[index].host.as_deref());
    assert_eq!(seen(0), (Some(ID), Some(Way::Federation), Some("sandbox.test")));
    assert_eq!((seen(1), requests[0].issued_to.as_deref()), (seen(0), Some(ID)));
    assert_eq!((requests[0].field("subject_token"), &requests[0].authorization), (Some(token.as_str()), &None));
    assert!(requests[0].carries(&token) && !requests[1].carries(&token) && requests[1].carries(&access));
    let shown = format!("{requests:?}");
    assert!(!shown.contains("eyJ") && shown.contains("<") && shown.contains(EXCHANGE), "{shown}");
    assert!(client.sandbox.unknown_routes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_claims_are_those_of_a_real_step() {
    let (client, bitbucket) = workspace();
    let issuer = "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc";
    let audience = "ari:cloud:bitbucket::workspace/5f5e8b6a-0000-4000-8000-000000000005";
    assert_eq!((bitbucket.issuer().as_str(), bitbucket.audience().as_str()), (issuer, audience));
    let (repository, step) = (Bitbucket::REPOSITORY, Bitbucket::STEP);
    assert_eq!(
        claims(&bitbucket.step(&StepClaims::default())),
        json!({
            "iss": issuer, "aud": audience, "sub": format!("{repository}:{step}"),
            "iat": 1_772_442_000, "exp": 1_772_445_600,
            "workspaceUuid": Bitbucket::WORKSPACE, "repositoryUuid": repository,
            "pipelineUuid": Bitbucket::PIPELINE, "pipelineRunUuid": Bitbucket::PIPELINE, "stepUuid": step,
            "branchName": "main",
        })
    );
    let release = StepClaims {
        branch: None,
        audiences: vec!["https://a".to_owned(), "b".to_owned()],
        issued_ago: Duration::from_secs(60),
        lifetime: Duration::from_secs(90),
        ..StepClaims::production()
    };
    let seen = claims(&bitbucket.step(&release));
    assert_eq!(seen["sub"], format!("{repository}:{}:{step}", Bitbucket::PRODUCTION));
    assert_eq!(seen["deploymentEnvironmentUuid"], Bitbucket::PRODUCTION);
    assert_eq!((seen["aud"].clone(), seen.get("branchName")), (json!([audience, "https://a", "b"]), None));
    assert_eq!((seen["iat"].as_u64(), seen["exp"].as_u64()), (Some(1_772_441_940), Some(1_772_442_030)));
    let other = client.sandbox.bitbucket_workspace("other", "7baee083-0000-4000-8000-000000000001");
    assert_eq!(other.audience(), "ari:cloud:bitbucket::workspace/7baee083-0000-4000-8000-000000000001");
    assert_eq!(claims(&other.step(&release))["workspaceUuid"], "{7baee083-0000-4000-8000-000000000001}");
}

#[tokio::test(start_paused = true)]
async fn bitbucket_serves_the_keys_that_the_tokens_are_signed_with() {
    let (client, bitbucket) = workspace();
    let get = async |path: String, host: &str| {
        let request = Request::get(path).header("host", host).body(Body::empty()).unwrap();
        client.raw(request).await.unwrap()
    };
    let path = bitbucket.issuer().strip_prefix("https://api.bitbucket.org").unwrap().to_owned();
    let document = get(format!("{path}/.well-known/openid-configuration"), "api.bitbucket.org").await;
    assert_eq!((document.status, document.body["issuer"].as_str()), (200, Some(bitbucket.issuer().as_str())));
    assert_eq!(document.body["jwks_uri"], format!("{}/keys.json", bitbucket.issuer()));
    let keys = get(format!("{path}/keys.json"), "api.bitbucket.org:443").await;
    let key = &keys.body["keys"][0];
    assert_eq!((&key["kty"], &key["alg"], &key["e"]), (&json!("RSA"), &json!("RS256"), &json!("AQAB")));

    let token = bitbucket.step(&StepClaims::default());
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    assert_eq!((&header["kid"], &header["alg"]), (&key["kid"], &json!("RS256")));
    let part = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let public = ring::signature::RsaPublicKeyComponents { n: part("n"), e: part("e") };
    let (unsigned, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    public.verify(&ring::signature::RSA_PKCS1_2048_8192_SHA256, unsigned.as_bytes(), &signature).unwrap();

    // A workspace that never used it has none, and other hosts have no such documents.
    assert_eq!(get(path.replace("acme", "nobody") + "/keys.json", "api.bitbucket.org").await.status, 404);
    assert!(client.sandbox.unknown_routes().is_empty());
    get("/2.0/user".to_owned(), "api.bitbucket.org").await;
    get(format!("{path}/keys.json"), "sandbox.test").await;
    assert_eq!(client.sandbox.unknown_routes(), ["GET /2.0/user".to_owned(), format!("GET {path}/keys.json")]);
}

#[tokio::test(start_paused = true)]
async fn without_a_policy_that_matches_the_refusal_quotes_the_token() {
    let (client, bitbucket) = workspace();
    client.sandbox.add_principal(Principal::service("5f5e8b6a-0000-4000-8000-00000000a002", "without policies"));
    let (repository, step) = (Bitbucket::REPOSITORY, Bitbucket::STEP);
    let (issuer, audience) = (bitbucket.issuer(), bitbucket.audience());
    let production = bitbucket.step(&StepClaims::production());
    let subject = format!("{repository}:{}:{step}", Bitbucket::PRODUCTION);
    let text = no_policy(&issuer, &subject, &audience);
    for client_id in ["5f5e8b6a-0000-4000-8000-00000000a002", "5f5e8b6a-0000-4000-8000-0000000000ff", ""] {
        assert_eq!(refusal(&exchange(&client, client_id, &production).await), text);
    }
    let without: Vec<_> = fields(ID, &production).into_iter().filter(|(name, _)| *name != "client_id").collect();
    assert_eq!(refusal(&post_form(&client, TOKEN, &without).await), text);

    // The claim is not there, has lost its braces, or has another value; the issuer is another one.
    let test =
        StepClaims { deployment: Some("{5f5e8b6a-0000-4000-8000-0000000000ee}".into()), ..StepClaims::default() };
    let other = client.sandbox.bitbucket_workspace("other", "5f5e8b6a-0000-4000-8000-000000000015");
    for token in [
        bitbucket.step(&StepClaims::default()),
        bitbucket.step(&test),
        bitbucket.flawed_step(&StepClaims::production(), &[Flaw::NoBraces]),
        bitbucket.flawed_step(&StepClaims::production(), &[Flaw::OtherIssuer("https://elsewhere.test".into())]),
        bitbucket.flawed_step(
            &StepClaims::production(),
            &[Flaw::Claim("deploymentEnvironmentUuid".into(), json!([Bitbucket::PRODUCTION]))],
        ),
        other.step(&StepClaims::production()),
    ] {
        let seen = claims(&token);
        let [issuer, subject, audience] = ["iss", "sub", "aud"].map(|name| seen[name].as_str().unwrap());
        assert_eq!(refusal(&exchange(&client, ID, &token).await), no_policy(issuer, subject, audience));
    }
    assert!(client.sandbox.access_tokens().is_empty());
}

#[tokio::test(start_paused = true)]
async fn policies_compare_exactly_and_one_that_matches_suffices() {
    for (claim, value, step) in [
        ("repositoryUuid", Bitbucket::REPOSITORY, StepClaims::default()),
        ("workspaceUuid", Bitbucket::WORKSPACE, StepClaims::default()),
        ("branchName", "main", StepClaims::production()),
    ] {
        let (client, bitbucket) = trusting(|bitbucket| bitbucket.policy(claim, value));
        access_token(&exchange(&client, ID, &bitbucket.step(&step)).await);
    }
    for value in
        [&Bitbucket::REPOSITORY.replace(['{', '}'], ""), "*", "{5f5e8b6a-*}", &Bitbucket::REPOSITORY.to_uppercase()]
    {
        let (client, bitbucket) = trusting(|bitbucket| bitbucket.policy("repositoryUuid", value));
        refusal(&exchange(&client, ID, &bitbucket.step(&StepClaims::default())).await);
    }
    let (client, bitbucket) = trusting(|bitbucket| bitbucket.policy("branchName", "release"));
    let step = bitbucket.step(&StepClaims::default());
    refusal(&exchange(&client, ID, &step).await);
    client.sandbox.add_federation_policy(ID, bitbucket.policy("branchName", "main")).unwrap();
    let access = access_token(&exchange(&client, ID, &step).await);
    client.sandbox.remove_federation_policies(ID);
    refusal(&exchange(&client, ID, &step).await);
    assert_eq!(me(&client, &access).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_policy_on_sub_never_matches_a_second_step() {
    let subject = format!("{}:{}", Bitbucket::REPOSITORY, Bitbucket::STEP);
    for claim in [Some("sub".to_owned()), None] {
        let (client, bitbucket) =
            trusting(|bitbucket| Policy { subject_claim: claim, ..bitbucket.policy("sub", &subject) });
        access_token(&exchange(&client, ID, &bitbucket.step(&StepClaims::default())).await);
        let next = StepClaims { step: "{5f5e8b6a-0000-4000-8000-000000000013}".into(), ..StepClaims::default() };
        refusal(&exchange(&client, ID, &bitbucket.step(&next)).await);
    }
}

#[tokio::test(start_paused = true)]
async fn one_audience_must_be_among_those_of_the_policy() {
    let (client, bitbucket) = workspace();
    let custom = |audience: &str| StepClaims { audiences: vec![audience.to_owned()], ..StepClaims::production() };
    access_token(&exchange(&client, ID, &bitbucket.step(&custom("https://custom"))).await);
    let flaw = |value: Value| [Flaw::Claim("aud".to_owned(), value)];
    let (subject, accepted) = (claims(&bitbucket.step(&StepClaims::production()))["sub"].clone(), bitbucket.audience());
    for (audience, sent) in [
        (json!("x"), "x"),
        (json!(["x", "y"]), "x, y"),
        (json!([]), ""),
        (Value::Null, ""),
        (json!(accepted.replace("workspace/", "workspace/{") + "}"), ""),
    ] {
        let sent = audience.as_str().unwrap_or(sent);
        let token = bitbucket.flawed_step(&StepClaims::production(), &flaw(audience.clone()));
        let text = format!(
            "Failed to process token: TOKEN_AUDIENCE_INVALID (Token audience '{sent}' invalid). Valid federation \
             policy for provided token: {{issuer: '{}', subject: '{}', audience: '{accepted}'}}",
            bitbucket.issuer(),
            subject.as_str().unwrap(),
        );
        assert_eq!(refusal(&exchange(&client, ID, &token).await), text);
    }

    // A policy without audiences wants the id of the account.
    let (client, bitbucket) = trusting(|bitbucket| Policy {
        audiences: Vec::new(),
        ..bitbucket.policy("repositoryUuid", Bitbucket::REPOSITORY)
    });
    let usual = exchange(&client, ID, &bitbucket.step(&StepClaims::default())).await;
    assert!(refusal(&usual).contains(&format!("audience: '{}'", client.sandbox.account_id())));
    access_token(&exchange(&client, ID, &bitbucket.step(&custom(&client.sandbox.account_id()))).await);
}

#[tokio::test(start_paused = true)]
async fn signatures_are_verified() {
    let (client, bitbucket) = workspace();
    let step = StepClaims::production();
    let good = bitbucket.step(&step);
    let (header, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let mut changed = claims(&good);
    changed["branchName"] = json!("evil");
    let changed = URL_SAFE_NO_PAD.encode(changed.to_string());
    for token in [
        with_signature(&good, |bytes| bytes[100] ^= 1),
        with_signature(&good, |bytes| bytes.truncate(255)),
        with_signature(&good, Vec::clear),
        format!("{header}.{changed}.{signature}"),
        bitbucket.flawed_step(&step, &[Flaw::ForgedSignature]),
        bitbucket.flawed_step(&step, &[Flaw::UnknownKey]),
        bitbucket.flawed_step(&step, &[Flaw::Unsigned]),
        bitbucket.flawed_step(&step, &[Flaw::SymmetricKey]),
        format!("{header}.{payload}"),
        format!("{header}.{payload}.{signature}.{signature}"),
        "not a token".to_owned(),
    ] {
        let answer = exchange(&client, ID, &token).await;
        assert!(refusal(&answer).starts_with("Failed to process token: TOKEN_INVALID ("), "{answer:?}");
    }
    let reason = async |flaw: Flaw| {
        let answer = exchange(&client, ID, &bitbucket.flawed_step(&step, &[flaw])).await;
        refusal(&answer).strip_prefix("Failed to process token: ").unwrap().to_owned()
    };
    assert_eq!(reason(Flaw::ForgedSignature).await, "TOKEN_INVALID (Token signature is invalid)");
    assert!(reason(Flaw::UnknownKey).await.starts_with("TOKEN_INVALID (No key '"));
    assert_eq!(reason(Flaw::Unsigned).await, "TOKEN_INVALID (Token algorithm 'none' is not supported)");
    assert_eq!(reason(Flaw::SymmetricKey).await, "TOKEN_INVALID (Token algorithm 'HS256' is not supported)");
    assert!(client.sandbox.access_tokens().is_empty());
    access_token(&exchange(&client, ID, &good).await);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_good_from_its_making_to_its_end() {
    let (client, bitbucket) = workspace();
    let step = StepClaims { lifetime: Duration::from_secs(300), ..StepClaims::production() };
    let token = bitbucket.step(&step);
    access_token(&exchange(&client, ID, &token).await);
    tokio::time::advance(Duration::from_secs(299)).await;
    let answer = exchange(&client, ID, &token).await;
    assert_eq!(answer.body["expires_in"], 1, "{answer:?}");
    tokio::time::advance(Duration::from_secs(1)).await;
    let expired = "Failed to process token: TOKEN_EXPIRED (Token has expired)";
    assert_eq!(refusal(&exchange(&client, ID, &token).await), expired);

    let refused = async |flaw: Flaw| {
        let answer = exchange(&client, ID, &bitbucket.flawed_step(&step, &[flaw])).await;
        refusal(&answer).to_owned()
    };
    assert_eq!(refused(Flaw::Expired).await, expired);
    assert_eq!(refused(Flaw::NoExpiry).await, "Failed to process token: TOKEN_INVALID (Token has no expiry)");
    let not_yet = "Failed to process token: TOKEN_INVALID (Token is not yet valid)";
    assert_eq!(refused(Flaw::NotYetValid).await, not_yet);
    assert_eq!(refused(Flaw::Claim("nbf".into(), json!(1_772_449_999))).await, not_yet);
}

#[tokio::test(start_paused = true)]
async fn an_access_token_ends_with_the_step_token_or_has_its_own_hour() {
    let (client, bitbucket) = workspace();
    let step = StepClaims { issued_ago: Duration::from_secs(3000), ..StepClaims::production() };
    let (token, long) = (
        bitbucket.step(&step),
        bitbucket.step(&StepClaims { lifetime: Duration::from_secs(7200), ..StepClaims::production() }),
    );
    let short = exchange(&client, ID, &token).await;
    assert_eq!(short.body["expires_in"], 600);
    assert_eq!(exchange(&client, ID, &long).await.body["expires_in"], 3600);
    client.sandbox.set_federated_lifetime(FederatedLifetime::Full);
    let full = exchange(&client, ID, &token).await;
    assert_eq!(full.body["expires_in"], 3600);
    tokio::time::advance(Duration::from_secs(599)).await;
    assert_eq!(me(&client, &access_token(&short)).await.status, 200);
    tokio::time::advance(Duration::from_secs(1)).await;
    let refused = me(&client, &access_token(&short)).await;
    assert_eq!((refused.status, refused.body["error_code"].as_i64()), (403, Some(403)));
    assert_eq!(me(&client, &access_token(&full)).await.status, 200);
    client.sandbox.revoke_access_tokens();
    assert_eq!(me(&client, &access_token(&full)).await.status, 403);
    client.sandbox.set_access_token_lifetime(Duration::from_secs(40));
    client.sandbox.send_expires_in_as_text(true);
    assert_eq!(exchange(&client, ID, &long).await.body["expires_in"], "40");
}

#[tokio::test(start_paused = true)]
async fn a_new_policy_takes_its_time() {
    let (client, bitbucket) = workspace();
    client.sandbox.remove_federation_policies(ID);
    client.sandbox.set_policy_delay(Duration::from_secs(90));
    let policy = bitbucket.policy("repositoryUuid", Bitbucket::REPOSITORY);
    client.sandbox.add_federation_policy(ID, policy).unwrap();
    let token = bitbucket.step(&StepClaims::default());
    tokio::time::advance(Duration::from_secs(89)).await;
    refusal(&exchange(&client, ID, &token).await);
    tokio::time::advance(Duration::from_secs(1)).await;
    access_token(&exchange(&client, ID, &token).await);
}

#[tokio::test(start_paused = true)]
async fn policies_are_read_strictly_and_there_are_twenty_at_most() {
    let (client, bitbucket) = workspace();
    client.sandbox.remove_federation_policies(ID);
    let add = |body: Value| client.sandbox.add_federation_policy_json(ID, &body).map_err(|error| error.to_string());
    let issuer = bitbucket.issuer();
    for (body, error) in [
        (json!([]), "the body must be an object"),
        (json!({}), "Missing required field: oidc_policy"),
        (json!({ "oidc_policy": {}, "name": "x" }), "Unknown field 'name' in the body"),
        (json!({ "oidc_policy": { "subject": "x" } }), "Missing required field: oidc_policy.issuer"),
        (json!({ "oidc_policy": { "issuer": issuer } }), "Missing required field: oidc_policy.subject"),
        (
            json!({ "oidc_policy": { "issuer": issuer, "subject": "x", "subjectClaim": "sub" } }),
            "Unknown field 'subjectClaim' in oidc_policy",
        ),
        (
            json!({ "oidc_policy": { "issuer": issuer, "subject": "x", "audiences": "a" } }),
            "Field 'oidc_policy.audiences' must be a list of strings",
        ),
        (
            json!({ "oidc_policy": { "issuer": issuer, "subject": 1 } }),
            "Field 'oidc_policy.subject' must be a string that is not empty",
        ),
        (
            json!({ "oidc_policy": { "issuer": issuer.replace("acme", "acne"), "subject": "x" } }),
            "Unable to load valid OpenID configuration for issuer",
        ),
    ] {
        assert_eq!(add(body), Err(error.to_owned()));
    }
    let body = |subject: &str| {
        json!({ "description": "repository", "oidc_policy": {
            "issuer": issuer, "audiences": [bitbucket.audience()], "subject_claim": "repositoryUuid", "subject": subject,
        }})
    };
    for number in 1..20 {
        add(body(&number.to_string())).unwrap();
    }
    add(body(Bitbucket::REPOSITORY)).unwrap();
    // The same policy again changes nothing.
    add(body("1")).unwrap();
    assert_eq!(add(body("21")), Err("A service principal can have at most 20 federation policies".to_owned()));
    access_token(&exchange(&client, ID, &bitbucket.step(&StepClaims::default())).await);
}

#[tokio::test(start_paused = true)]
async fn a_principal_of_the_workspace_alone_refuses_federation() {
    let (client, bitbucket) = workspace();
    let local = Principal { account_level: false, ..Principal::service("local", "local") };
    client.sandbox.add_principal(local);
    for id in ["local", "nobody"] {
        let policy = bitbucket.policy("repositoryUuid", Bitbucket::REPOSITORY);
        let refused = client.sandbox.add_federation_policy(id, policy).unwrap_err();
        assert_eq!(refused.to_string(), "Invalid service principal id");
        refusal(&exchange(&client, id, &bitbucket.step(&StepClaims::default())).await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_exchange_does_not_ask_whether_one_may_enter_the_workspace() {
    let (client, bitbucket) = workspace();
    client.sandbox.add_principal(Principal { member: false, ..Principal::service("stranger", "stranger") });
    let policy = bitbucket.policy("repositoryUuid", Bitbucket::REPOSITORY);
    client.sandbox.add_federation_policy("stranger", policy).unwrap();
    let access = access_token(&exchange(&client, "stranger", &bitbucket.step(&StepClaims::default())).await);
    let answer = me(&client, &access).await;
    assert_eq!((answer.status, answer.error().1), (403, "PERMISSION_DENIED"));
}

#[tokio::test(start_paused = true)]
async fn the_form_is_read_strictly() {
    let (client, bitbucket) = workspace();
    let token = bitbucket.step(&StepClaims::production());
    let pat = "urn:databricks:params:oauth:token-type:personal-access-token";
    for (name, value, error) in [
        ("subject_token", "", "invalid_request"),
        ("subject_token_type", "", "invalid_request"),
        ("subject_token_type", pat, "invalid_request"),
        ("scope", "", "invalid_scope"),
        ("scope", "sql", "invalid_scope"),
        ("grant_type", "", "invalid_request"),
    ] {
        let changed: Vec<_> =
            fields(ID, &token).into_iter().map(|(key, old)| (key, if key == name { value } else { old })).collect();
        let answer = post_form(&client, TOKEN, &changed).await;
        assert_eq!((answer.status, answer.body["error"].as_str()), (400, Some(error)), "{name}={value}");
    }
    let misuse = [
        ("grant_type", "client_credentials"),
        ("client_id", ID),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &token),
        ("scope", "all-apis"),
    ];
    let answer = post_form(&client, TOKEN, &misuse).await;
    let text =
        "Invalid private key JWT authentication: The client identifier doesn't match the client assertion subject";
    assert_eq!((answer.status, answer.body["error_description"].as_str()), (400, Some(text)));
    assert!(client.sandbox.access_tokens().is_empty() && client.sandbox.unknown_routes().is_empty());
}
