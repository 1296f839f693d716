//! Rights on the deployed folder: given where they are missing, never lowered, never taken.

use crate::support::{Step, assert_golden, workspace, workspace_of};
use databricks_deploy::access::{Grant, Level, Principal};
use databricks_deploy::databricks::Workspace;
use databricks_deploy::deploy::permissions::apply;
use databricks_deploy::event::{Emit, Event};
use databricks_deploy::exit::Exit;
use databricks_deploy::stop::Stop;
use databricks_sandbox::{Canned, Fault, FolderRight, Moment, On, PermissionLevel, Running, Sandbox, Trouble};
use std::sync::Mutex;

const PATH: &str = "/Workspace/Shared/etl";
const API: &str = "/api/2.0/permissions/directories";
const ROBOT: &str = "01234567-89ab-cdef-0123-456789abcdef";

/// What was told, in order: `gave …`, or a warning's text.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Emit for Told {
    fn emit(&self, event: Event) {
        let line = match event {
            Event::PermissionGiven { to, level } => format!("gave {to} {level}"),
            Event::Warned(problem) => problem.to_string(),
            other => panic!("{other:?}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.put_folder(PATH);
    sandbox.add_group("team");
    sandbox.add_principal(databricks_sandbox::Principal::user("ada@example.com"));
    sandbox.add_principal(databricks_sandbox::Principal::service(ROBOT, "robot"));
    sandbox
}

fn team(level: Level) -> Grant {
    Grant { principal: Principal::Group("team".into()), level }
}

fn ada(level: Level) -> Grant {
    Grant { principal: Principal::User("ada@example.com".into()), level }
}

fn robot(level: Level) -> Grant {
    Grant { principal: Principal::ServicePrincipal(ROBOT.into()), level }
}

async fn give_as(sandbox: &Sandbox, workspace: Workspace, wanted: &[Grant]) -> (Result<(), Stop>, Vec<String>) {
    let id = sandbox.objects()[PATH].object_id;
    let told = Told::default();
    let end = apply(&workspace, id, wanted, &told).await;
    assert_eq!(sandbox.unknown_routes(), Vec::<String>::new());
    (end, told.0.into_inner().unwrap())
}

async fn give(sandbox: &Sandbox, wanted: &[Grant]) -> (Result<(), Stop>, Vec<String>) {
    give_as(sandbox, workspace(sandbox), wanted).await
}

fn methods(sandbox: &Sandbox) -> Vec<String> {
    sandbox.requests().iter().map(|request| request.method.to_string()).collect()
}

fn problems(end: Result<(), Stop>) -> (Exit, Vec<String>) {
    let stop = end.unwrap_err();
    let shown = |problem: &databricks_deploy::problem::Problem| {
        format!("{problem}; {}", problem.hint.as_deref().unwrap_or("-"))
    };
    (stop.exit, stop.problems.iter().map(shown).collect())
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_given_in_one_request_and_once() {
    let sandbox = sandbox();
    let wanted = [team(Level::Run), ada(Level::Manage), robot(Level::Edit)];
    let (end, told) = give(&sandbox, &wanted).await;
    end.unwrap();
    let expected = [
        "gave group `team` CAN_RUN".to_owned(),
        "gave user `ada@example.com` CAN_MANAGE".to_owned(),
        format!("gave service principal `{ROBOT}` CAN_EDIT"),
    ];
    assert_eq!(told, expected);
    let given = sandbox.given(PATH);
    assert_eq!((given["team"], given["ada@example.com"]), (PermissionLevel::Run, PermissionLevel::Manage));
    assert_eq!((given[ROBOT], given.len()), (PermissionLevel::Edit, 3));
    assert_eq!(methods(&sandbox), ["GET", "PATCH"]);

    // Again: there is nothing to give, so nothing is sent and nothing told.
    let (end, told) = give(&sandbox, &wanted).await;
    end.unwrap();
    assert_eq!((told.len(), sandbox.given(PATH)), (0, given));
    assert_eq!(methods(&sandbox), ["GET", "PATCH", "GET"]);
    give(&sandbox, &[]).await.0.unwrap();
    assert_eq!(sandbox.requests().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_less_than_they_have_and_nobody_else_is_touched() {
    let sandbox = sandbox();
    sandbox.add_group("others");
    sandbox.give(PATH, "others", PermissionLevel::Edit);
    sandbox.give(PATH, "team", PermissionLevel::Manage);
    sandbox.give(PATH, ROBOT, PermissionLevel::Read);
    sandbox.give("/Workspace/Shared", "ada@example.com", PermissionLevel::Edit);
    let admins = Grant { principal: Principal::Group("admins".into()), level: Level::Read };
    let (end, told) = give(&sandbox, &[team(Level::Run), ada(Level::Edit), robot(Level::Run), admins]).await;
    end.unwrap();
    assert_eq!(told, [format!("gave service principal `{ROBOT}` CAN_RUN")]);
    let given = sandbox.given(PATH);
    assert_eq!((given["others"], given["team"]), (PermissionLevel::Edit, PermissionLevel::Manage));
    assert_eq!((given[ROBOT], given.get("ada@example.com")), (PermissionLevel::Run, None));
    let sent = sandbox.requests()[1].body.clone().unwrap();
    assert_eq!(sent["access_control_list"].as_array().unwrap().len(), 1);
    // What is inherited is not enough for more.
    give(&sandbox, &[ada(Level::Manage)]).await.0.unwrap();
    assert_eq!(sandbox.given(PATH)["ada@example.com"], PermissionLevel::Manage);
}

#[tokio::test(start_paused = true)]
async fn the_deployer_is_not_locked_out() {
    let sandbox = sandbox();
    let deployer = "1b234567-89ab-cdef-0123-456789abcdef";
    let token = sandbox.add_principal(databricks_sandbox::Principal::service(deployer, "deployer"));
    sandbox.give(PATH, deployer, PermissionLevel::Manage);
    let itself = Grant { principal: Principal::ServicePrincipal(deployer.to_uppercase()), level: Level::Read };
    let (end, told) = give_as(&sandbox, workspace_of(&sandbox, token), &[itself, team(Level::Run)]).await;
    end.unwrap();
    assert_eq!(told, ["gave group `team` CAN_RUN"]);
    assert_eq!(sandbox.given(PATH)[deployer], PermissionLevel::Manage);
}

#[tokio::test(start_paused = true)]
async fn everybody_who_is_unknown_is_named_with_what_they_were_taken_for() {
    for batch in [None, Some(Canned::error(400, "INVALID_PARAMETER_VALUE", "Principal: GroupName(tem) does not exist"))]
    {
        let sandbox = sandbox();
        if let Some(canned) = batch {
            let patch = On { method: Some(reqwest::Method::PATCH), path: API.into() };
            sandbox.fault(Fault::once(patch, Trouble::Answer(Moment::Before, canned)));
        }
        let nobody = "00000000-0000-4000-8000-000000000000";
        let wanted = [
            Grant { principal: Principal::Group("tem".into()), level: Level::Run },
            team(Level::Read),
            Grant { principal: Principal::User("eve@example.com".into()), level: Level::Run },
            Grant { principal: Principal::ServicePrincipal(nobody.into()), level: Level::Run },
        ];
        let (end, told) = give(&sandbox, &wanted).await;
        let (exit, problems) = problems(end);
        assert_eq!((exit, told.len()), (Exit::Deploy, 0));
        let expected = |kind: &str, shown: &str, hint: &str| {
            format!(
                "PERMISSIONS: the workspace does not take the {kind}: RESOURCE_DOES_NOT_EXIST: Principal: {shown} does not \
                 exist [not-found]; check the name; {hint}"
            )
        };
        let expected = [
            expected("group `tem`", "GroupName(tem)", "a name without `@` that is no UUID is taken for a group"),
            expected("user `eve@example.com`", "UserName(eve@example.com)", "a name with `@` is taken for a user"),
            expected(
                &format!("service principal `{nobody}`"),
                &format!("ServicePrincipalName({nobody})"),
                "a UUID is taken for the application id of a service principal",
            ),
        ];
        assert_eq!(problems, expected);
        assert_eq!(sandbox.given(PATH)["team"], PermissionLevel::Read, "the others get what is theirs");
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_give_is_told_what_it_needs() {
    let sandbox = sandbox();
    let reader = databricks_sandbox::Principal::user("r@example.com").in_folder(PATH, FolderRight::Read);
    let token = sandbox.add_principal(reader);
    let (end, _) = give_as(&sandbox, workspace_of(&sandbox, token), &[team(Level::Run)]).await;
    let (exit, problems) = problems(end);
    assert_eq!((exit, problems.len()), (Exit::Deploy, 1));
    assert!(
        problems[0].starts_with("PERMISSIONS: `PATCH ") && problems[0].contains("[permission-denied]"),
        "{problems:?}"
    );
    assert!(
        problems[0]
            .ends_with("; give the identity that deploys CAN_MANAGE on the folder or on one above it, or leave it out")
    );
}

#[tokio::test(start_paused = true)]
async fn a_level_of_a_later_day_is_not_replaced() {
    let sandbox = sandbox();
    let list = r#"{"access_control_list":[{"group_name":"team","all_permissions":[{"permission_level":"CAN_REIGN"}]},{"odd":1}]}"#;
    let canned = Canned { status: 200, headers: Vec::new(), body: list.into() };
    sandbox.fault(Fault::once(On::get(API), Trouble::Answer(Moment::Before, canned)));
    let (end, told) = give(&sandbox, &[team(Level::Run)]).await;
    end.unwrap();
    let message = "PERMISSIONS: the group `team` has CAN_REIGN, which this version cannot compare with CAN_RUN: nothing was \
                   changed [no-effect]";
    assert_eq!((told, methods(&sandbox)), (vec![message.to_owned()], vec!["GET".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_and_is_not_shown_is_no_success() {
    let sandbox = sandbox();
    let patch = || On { method: Some(reqwest::Method::PATCH), path: API.into() };
    let canned = Canned { status: 200, headers: Vec::new(), body: r#"{"access_control_list":[]}"#.into() };
    sandbox.fault(Fault::once(patch(), Trouble::Answer(Moment::Before, canned)));
    let (end, told) = give(&sandbox, &[team(Level::Run)]).await;
    let (exit, problems) = problems(end);
    assert_eq!((exit, told.len()), (Exit::Deploy, 0));
    assert!(
        problems[0].contains("the group `team` was given CAN_RUN, and the workspace does not show it"),
        "{problems:?}"
    );
    // An answer that was lost is asked for again.
    sandbox.fault(Fault::once(patch(), Trouble::Drop(Moment::After)));
    let (end, told) = give(&sandbox, &[team(Level::Run)]).await;
    end.unwrap();
    assert_eq!(told, ["gave group `team` CAN_RUN"]);
}

#[test]
fn a_deploy_gives_them_and_the_next_one_has_nothing_to_give() {
    let running = Running::start(sandbox()).unwrap();
    let sandbox = running.sandbox();
    let step = Step::deploying(sandbox)
        .notebook("notebooks/a.py")
        .variable("PERMISSIONS", "team=can_run\nada@example.com=CAN_MANAGE");
    let ended = step.against(&running);
    assert_eq!(ended.code, 0, "{}", ended.log);
    assert_golden("deploy/permissions", &ended.log);
    assert_eq!(sandbox.given(PATH).len(), 2);
    let again = step.against(&running);
    assert_eq!((again.code, again.log.contains("Gave")), (0, false), "{}", again.log);

    let wrong = step.variable("PERMISSIONS", "tem=CAN_RUN").against(&running);
    assert_eq!(wrong.code, 3, "{}", wrong.log);
    assert_golden("deploy/permissions-unknown", &wrong.log);
}
