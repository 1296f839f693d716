//! The policies to paste.

use super::*;
use databricks_deploy::exit::Exit;
use databricks_sandbox::{Canned, Fault, Moment, On, Trouble};

/// The JSON among the lines of a finding.
fn pasted(finding: &Finding) -> Value {
    let lines: Vec<&str> = finding.exhibit.iter().map(String::as_str).collect();
    let begin = lines.iter().position(|line| line.trim() == "{").unwrap();
    let end = lines.iter().position(|line| *line == "  }").unwrap();
    serde_json::from_str(&lines[begin..=end].concat()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_policy_that_is_shown_lets_the_next_run_in() {
    for grade in ["Recommended: a policy for this deployment environment", "Wider: a policy for this repository"] {
        let sandbox = workspace();
        let report = examine(&sandbox, &keyless(&sandbox)).await;
        let shown = report.has("policy", "told", grade);
        let policy = pasted(shown);
        // The three ways to create it say the same.
        let command = shown.exhibit.iter().find(|line| line.contains("federation-policy create")).unwrap();
        let (before, json) = command.split_once(" --json '").unwrap();
        assert!(before.ends_with("create <numeric id>"), "{before}");
        assert_eq!(serde_json::from_str::<Value>(json.strip_suffix('\'').unwrap()).unwrap(), policy);
        let terraform = shown.exhibit.join("\n");
        for (name, value) in policy["oidc_policy"].as_object().unwrap() {
            assert!(
                terraform.contains(&format!("{name:<13} = {}", value.to_string().replace(',', ", "))),
                "{name}: {terraform}"
            );
        }
        sandbox.add_federation_policy_json(ID, &policy).unwrap();
        let step = StepClaims { step: "{5f5e8b6a-0000-4000-8000-0000000000ff}".into(), ..StepClaims::production() };
        let next = keyless(&sandbox).variable("BITBUCKET_STEP_OIDC_TOKEN", sandbox.bitbucket().step(&step));
        let report = examine(&sandbox, &next).await;
        assert_eq!(report.inside.exit, Exit::Done, "{}", report.inside.log);
        report.has("policy", "good", "there is one that fits the identity token");
    }
}

#[tokio::test(start_paused = true)]
async fn what_bitbucket_says_is_enough_for_a_step_without_a_token() {
    let sandbox = workspace();
    let with_token = examine(&sandbox, &keyless(&sandbox)).await;
    let without = examine(&sandbox, &step(&sandbox).variable("DATABRICKS_CLIENT_ID", ID)).await;
    for grade in ["Recommended", "Wider"] {
        let [one, other] = [&with_token, &without].map(|report| pasted(report.has("policy", "told", grade)));
        assert_eq!(one, other);
    }
    // Nobody has asked whether there is one already.
    let head = without.has("policy", "told", "Unless it has one already, an account admin gives one of these policies");
    assert!(head.exhibit.iter().any(|line| line.contains("the step has no token yet")), "{head:?}");
    // On a laptop there is nothing to go by.
    let laptop = by_token(&sandbox).without("BITBUCKET_WORKSPACE").without("BITBUCKET_REPO_OWNER_UUID");
    let report = examine(&sandbox, &laptop).await;
    report.lacks("policy", "told");
}

#[tokio::test(start_paused = true)]
async fn a_step_without_deployment_is_told_how_to_have_a_narrower_one() {
    let sandbox = workspace();
    let token = sandbox.bitbucket().step(&StepClaims::default());
    let step = keyless(&sandbox)
        .variable("BITBUCKET_STEP_OIDC_TOKEN", token)
        .without("BITBUCKET_DEPLOYMENT_ENVIRONMENT")
        .without("BITBUCKET_DEPLOYMENT_ENVIRONMENT_UUID");
    let report = examine(&sandbox, &step).await;
    let how =
        report.has("policy", "told", "Recommended: a policy for a deployment environment, which this step has not");
    assert!(how.exhibit[0].starts_with("give the step a `deployment:`"), "{how:?}");
    report.has("policy", "told", "Wider: a policy for this repository");
    let minds = report.has("policy", "told", "Mind:").exhibit.join("\n");
    for mind in ["`sub`", "`branchName`", "`workspaceUuid`", "`final:`"] {
        assert!(minds.contains(mind), "{mind}: {minds}");
    }
    assert!(!minds.contains("Entra ID"), "{minds}");
}

#[tokio::test(start_paused = true)]
async fn on_azure_the_console_is_another_one_and_entra_id_is_left_alone() {
    let sandbox = workspace();
    sandbox.set_host_cloud("Azure");
    let step = keyless(&sandbox).variable("DATABRICKS_HOST", "https://adb-12.3.azuredatabricks.net");
    let report = examine(&sandbox, &step).await;
    let head = report.has("policy", "told", "An account admin gives one of these policies");
    assert!(head.exhibit.join(" ").contains("https://accounts.azuredatabricks.net"), "{head:?}");
    assert!(report.has("policy", "told", "Mind:").exhibit.join(" ").contains("nothing is made in Entra ID"));
    let shown = report.has("policy", "told", "Recommended").exhibit.join(" ");
    let government = keyless(&sandbox).variable("DATABRICKS_HOST", "https://adb-12.3.databricks.azure.us");
    let head = examine(&sandbox, &government).await;
    let head = head.has("policy", "told", "An account admin gives one of these policies");
    assert!(head.exhibit.join(" ").contains("https://accounts.databricks.azure.us"), "{head:?}");
    let login = format!("--host https://accounts.azuredatabricks.net --account-id {}", sandbox.account_id());
    assert!(shown.contains(&login), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn where_policies_were_not_asked_nobody_knows() {
    let sandbox = workspace();
    let step = keyless(&sandbox).variable("DATABRICKS_WORKSPACE_ID", "1111111111111111");
    let report = examine(&sandbox, &step).await;
    report.has("policy", "unknown", "the log-in ended for another reason");
    report.lacks("policy", "told");
}

#[tokio::test(start_paused = true)]
async fn no_cloud_is_guessed_where_the_host_is_not_known() {
    let sandbox = workspace();
    let report = examine(&sandbox, &keyless(&sandbox).variable("DATABRICKS_HOST", "nowhere")).await;
    let head = report.has("policy", "told", "Unless it has one already, an account admin");
    assert!(
        head.exhibit[0].contains("the cloud is not known: https://accounts.cloud.databricks.com on AWS"),
        "{head:?}"
    );
    let shown = report.has("policy", "told", "Recommended").exhibit.join(" ");
    assert!(shown.contains("--host <account console> --account-id <account id>"), "{shown}");
    let asked = examine(&sandbox, &keyless(&sandbox)).await;
    let head = asked.has("policy", "told", "An account admin gives one of these policies");
    assert!(head.exhibit[0].contains("(https://accounts.cloud.databricks.com)"), "{head:?}");
}

#[tokio::test(start_paused = true)]
async fn where_nobody_could_say_whether_there_is_one_the_one_to_compare_with_is_shown() {
    let sandbox = workspace();
    let recommended = pasted(examine(&sandbox, &keyless(&sandbox)).await.has("policy", "told", "Recommended"));
    let expired = flawed(&sandbox, Flaw::Expired);
    let busy = workspace();
    let answer = Canned::error(503, "TEMPORARILY_UNAVAILABLE", "Ordered by a test");
    busy.fault(Fault::always(On::post("/oidc/v1/token"), Trouble::Answer(Moment::Before, answer)));
    let forged = flawed(&sandbox, Flaw::ForgedSignature);
    trust(&sandbox);
    let busy_step = keyless(&busy);
    for (sandbox, step) in [(&sandbox, &expired), (&sandbox, &forged), (&busy, &busy_step)] {
        let report = examine(sandbox, step).await;
        let unknown = report.has("policy", "unknown", "whether there is one that fits the identity token");
        assert_eq!(pasted(unknown), recommended);
        let hint = unknown.hint.as_deref().unwrap();
        assert!(hint.contains(&format!("compare the policies of the service principal `{ID}`")), "{hint}");
        report.lacks("policy", "told");
    }
    // Who comes in by a secret does not need it.
    let secret = sandbox.add_client_secret(ID);
    let step = expired.variable("DATABRICKS_CLIENT_SECRET", secret).variable("DATABRICKS_AUTH_TYPE", "oauth-m2m");
    let report = examine(&sandbox, &step).await;
    assert!(report.has("policy", "unknown", "whether there is one").exhibit.is_empty(), "{}", report.inside.log);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_to_trust_a_token_that_is_not_of_bitbucket() {
    let elsewhere = "https://bitbucket.example.com/workspaces/acme/oidc".to_owned();
    for (flaw, why) in [
        (
            Flaw::OtherIssuer(elsewhere),
            "its issuer is `https://bitbucket.example.com/workspaces/acme/oidc`, and those of",
        ),
        (
            Flaw::Unsigned,
            "by its header it is signed by `none`, and Databricks takes only what is signed by RS256 or ES256",
        ),
        (Flaw::SymmetricKey, "by its header it is signed by `HS256`"),
    ] {
        let sandbox = workspace();
        let step = flawed(&sandbox, flaw);
        let report = examine(&sandbox, &step).await;
        let odd = report.has("step-token", "odd", &format!("it is not one of Bitbucket's: {why}"));
        assert!(odd.exhibit.iter().any(|line| line.contains("repositoryUuid")), "{odd:?}");
        let bad = report.has("log-in", "bad", &format!("the identity token is not one of Bitbucket's: {why}"));
        assert_eq!(bad.code.unwrap().as_str(), "invalid-token");
        report.has("policy", "unknown", "the identity token is not what it is taken for");
        report.lacks("policy", "told");
    }
}

#[tokio::test(start_paused = true)]
async fn what_stands_in_the_place_of_the_steps_token_is_never_one_to_trust() {
    let sandbox = workspace();
    let lacks_repository = Flaw::Claim("repositoryUuid".to_owned(), Value::Null);
    let flaws = [Flaw::OtherIssuer("https://issuer.example.com".into()), lacks_repository];
    let token = |flaws: &[Flaw]| sandbox.bitbucket().flawed_step(&StepClaims::production(), flaws);
    let in_its_place = keyless(&sandbox)
        .variable("BITBUCKET_STEP_OIDC_TOKEN", token(&flaws))
        .variable("DATABRICKS_OIDC_TOKEN_ENV", "BITBUCKET_STEP_OIDC_TOKEN")
        .variable("DATABRICKS_AUTH_TYPE", "env-oidc");
    let by_its_claims =
        step(&sandbox).variable("DATABRICKS_CLIENT_ID", ID).variable("DATABRICKS_OIDC_TOKEN", token(&flaws[..1]));
    for step in [in_its_place, by_its_claims] {
        let report = examine(&sandbox, &step).await;
        report.has("log-in", "bad", "log-in by `env-oidc`: the identity token is not one of Bitbucket's");
        let unknown = report.has("policy", "unknown", "the identity token is not what it is taken for");
        assert!(unknown.exhibit.is_empty(), "{unknown:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_file_that_has_ended_is_shown_beside_the_policy_to_compare_with() {
    let sandbox = workspace();
    let ended = sandbox.bitbucket().flawed_step(&StepClaims::production(), &[Flaw::Expired]);
    let step = step(&sandbox)
        .variable("DATABRICKS_CLIENT_ID", ID)
        .file("token.jwt", &ended)
        .variable("DATABRICKS_OIDC_TOKEN_FILEPATH", "token.jwt");
    let report = examine(&sandbox, &step).await;
    let bad = report.has("log-in", "bad", "the identity token ended at");
    assert!(bad.exhibit.iter().any(|line| line.trim().starts_with("exp ")), "{bad:?}");
    pasted(report.has("policy", "unknown", "whether there is one that fits the identity token"));
}

#[tokio::test(start_paused = true)]
async fn no_other_tokens_policy_stands_for_that_of_one_that_cannot_be_read() {
    let sandbox = workspace();
    let step = keyless(&sandbox)
        .file("token.jwt", "no token at all")
        .variable("DATABRICKS_OIDC_TOKEN_FILEPATH", "token.jwt")
        .variable("DATABRICKS_AUTH_TYPE", "file-oidc");
    let report = examine(&sandbox, &step).await;
    report.has("log-in", "bad", "does not hold an identity token");
    let unknown = report.has("policy", "unknown", "whether there is one that fits the identity token");
    assert!(unknown.exhibit.is_empty(), "{unknown:?}");
    report.lacks("policy", "told");
}

#[tokio::test(start_paused = true)]
async fn a_token_of_a_file_is_the_one_that_a_policy_is_shown_for() {
    let sandbox = workspace();
    let without = |claim: &str| Flaw::Claim(claim.to_owned(), Value::Null);
    let flaws = ["repositoryUuid", "deploymentEnvironmentUuid", "workspaceUuid", "branchName"].map(without);
    let other = sandbox.bitbucket().flawed_step(&StepClaims::production(), &flaws);
    let step = step(&sandbox)
        .variable("DATABRICKS_CLIENT_ID", ID)
        .file("token.jwt", &other)
        .variable("DATABRICKS_OIDC_TOKEN_FILEPATH", "token.jwt");
    let report = examine(&sandbox, &step).await;
    // It has no other place.
    let bad = report.has("log-in", "bad", "no federation policy");
    assert!(bad.exhibit.iter().any(|line| line.trim().starts_with("sub ")), "{bad:?}");
    let shown = pasted(report.has("policy", "told", "A policy for this subject"));
    assert_eq!(shown["oidc_policy"]["subject_claim"], "sub");
    // What is to be known of Bitbucket's tokens does not concern it.
    for of_bitbucket in ["Mind:", "Recommended"] {
        let told = |one: &&Finding| one.group.name() == "policy" && one.message.contains(of_bitbucket);
        assert_eq!(report.all().iter().find(told), None, "{}", report.inside.log);
    }
    assert!(!report.inside.log.contains("the step has no token yet"), "{}", report.inside.log);
    sandbox.add_federation_policy_json(ID, &shown).unwrap();
    let report = examine(&sandbox, &step).await;
    let good = report.has("log-in", "good", "`file-oidc` lets in");
    assert!(good.exhibit.iter().any(|line| line.trim().starts_with("sub ")), "{good:?}");
}
