//! Rights on folders: given, inherited, refused.

use crate::client::{Answer, Client};
use databricks_sandbox::{FolderRight, JobRight, PermissionLevel, Principal};
use serde_json::{Value, json};

const ROBOT: &str = "01234567-89ab-cdef-0123-456789abcdef";

struct Folder {
    client: Client,
    target: String,
}

impl Folder {
    async fn new(path: &str) -> Folder {
        let client = Client::new();
        client.sandbox.add_principal(Principal::user("b@example.com"));
        client.sandbox.add_principal(Principal::service(ROBOT, "robot"));
        client.sandbox.add_group("team");
        client.sandbox.put_folder(path);
        let target = target(&client, path).await;
        Folder { client, target }
    }

    async fn get(&self) -> Answer {
        self.client.get(&self.target).await
    }

    async fn send(&self, method: &str, entries: Value) -> Answer {
        self.client.send(method, &self.target, json!({ "access_control_list": entries })).await
    }
}

async fn target(client: &Client, path: &str) -> String {
    format!("/api/2.0/permissions/directories/{}", client.status(path).await.body["object_id"])
}

/// `name: level(inherited)`, in the order of the answer.
fn rights(answer: &Answer) -> Vec<String> {
    let entries = answer.body["access_control_list"].as_array().unwrap();
    let shown = entries.iter().flat_map(|entry| {
        let name = ["user_name", "group_name", "service_principal_name"].iter().find_map(|field| entry[field].as_str());
        entry["all_permissions"].as_array().unwrap().iter().map(move |right| {
            let inherited = if right["inherited"] == true { " inherited" } else { "" };
            format!("{}: {}{inherited}", name.unwrap(), right["permission_level"].as_str().unwrap())
        })
    });
    shown.collect()
}

#[tokio::test]
async fn a_patch_merges_and_a_put_replaces() {
    let folder = Folder::new("/Shared/etl").await;
    let nothing = folder.get().await;
    assert_eq!((nothing.status, nothing.body["object_type"].as_str()), (200, Some("directory")));
    // Everybody may write to what is shared.
    let users = "users: CAN_MANAGE inherited".to_owned();
    assert_eq!(rights(&nothing), ["admins: CAN_MANAGE inherited", &users]);
    let robot = json!({ "service_principal_name": ROBOT, "permission_level": "CAN_EDIT" });
    let user = |level: &str| json!({ "user_name": "b@example.com", "permission_level": level });
    let team = json!({ "group_name": "team", "permission_level": "CAN_READ" });
    let given = folder.send("PATCH", json!([robot, user("CAN_MANAGE")])).await;
    let (robot_edits, admins) = (format!("{ROBOT}: CAN_EDIT"), "admins: CAN_MANAGE inherited".to_owned());
    assert_eq!(rights(&given), ["b@example.com: CAN_MANAGE", &admins, &users, &robot_edits]);
    assert_eq!(given.body["access_control_list"][3]["display_name"], "robot");
    // Merging gives less, too, where less is asked for.
    let given = folder.send("PATCH", json!([team, user("CAN_READ")])).await;
    assert_eq!(rights(&given), ["b@example.com: CAN_READ", &admins, "team: CAN_READ", &users, &robot_edits]);
    assert_eq!(rights(&folder.get().await), rights(&given));
    let replaced = folder.send("PUT", json!([team])).await;
    assert_eq!(rights(&replaced), [&admins, "team: CAN_READ", &users]);
    assert!(folder.client.sandbox.unknown_routes().is_empty());
}

#[tokio::test]
async fn what_is_given_above_is_inherited_and_a_home_is_its_owners() {
    let folder = Folder::new("/Users/b@example.com/etl").await;
    folder.client.sandbox.put_folder("/Users/b@example.com/etl/deep");
    folder.send("PATCH", json!([{ "group_name": "team", "permission_level": "CAN_RUN" }])).await;
    let deep = target(&folder.client, "/Users/b@example.com/etl/deep").await;
    let told = folder.client.get(&deep).await;
    let expected = ["b@example.com: CAN_MANAGE inherited", "admins: CAN_MANAGE inherited", "team: CAN_RUN inherited"];
    assert_eq!(rights(&told), expected);
    let from = &told.body["access_control_list"][2]["all_permissions"][0]["inherited_from_object"];
    assert!(folder.target.ends_with(from[0].as_str().unwrap()));
    // A put cannot take what is inherited.
    folder.client.send("PUT", &deep, json!({ "access_control_list": [] })).await;
    assert_eq!(rights(&folder.client.get(&deep).await), expected);
    folder.client.sandbox.give("/Users/b@example.com/etl/deep", "team", PermissionLevel::Edit);
    assert!(rights(&folder.client.get(&deep).await).contains(&"team: CAN_EDIT".to_owned()));
}

#[tokio::test]
async fn what_is_deleted_loses_what_was_given_on_it() {
    let folder = Folder::new("/Shared/etl").await;
    folder.send("PATCH", json!([{ "group_name": "team", "permission_level": "CAN_RUN" }])).await;
    folder.client.sandbox.remove("/Shared/etl");
    assert_eq!(folder.get().await.error().1, "RESOURCE_DOES_NOT_EXIST");
    folder.client.sandbox.put_folder("/Shared/etl");
    let anew = target(&folder.client, "/Shared/etl").await;
    let left = ["admins: CAN_MANAGE inherited", "users: CAN_MANAGE inherited"];
    assert_eq!(rights(&folder.client.get(&anew).await), left);
}

#[tokio::test]
async fn refusals() {
    let folder = Folder::new("/Shared/etl").await;
    let good = json!({ "group_name": "team", "permission_level": "CAN_RUN" });
    for (entry, code, text) in [
        (
            json!({ "group_name": "tem", "permission_level": "CAN_RUN" }),
            "RESOURCE_DOES_NOT_EXIST",
            "Principal: GroupName(tem) does not exist",
        ),
        (
            // Known, but as something else.
            json!({ "user_name": ROBOT, "permission_level": "CAN_RUN" }),
            "RESOURCE_DOES_NOT_EXIST",
            "Principal: UserName(01234567-89ab-cdef-0123-456789abcdef) does not exist",
        ),
        (
            json!({ "group_name": "team", "permission_level": "CAN_VIEW" }),
            "INVALID_PARAMETER_VALUE",
            "Permission level CAN_VIEW is not supported for directories",
        ),
        (
            json!({ "permission_level": "CAN_RUN" }),
            "INVALID_PARAMETER_VALUE",
            "Exactly one of user_name, group_name and service_principal_name must be given",
        ),
        (json!({ "group_name": "team" }), "INVALID_PARAMETER_VALUE", "Missing required field: permission_level"),
    ] {
        let refused = folder.send("PATCH", json!([good, entry])).await;
        assert_eq!((refused.error().1, refused.error().2), (code, text));
    }
    let left = ["admins: CAN_MANAGE inherited", "users: CAN_MANAGE inherited"];
    assert_eq!(rights(&folder.get().await), left, "all or nothing");

    let reader = Principal::user("c@example.com").in_folder("/Shared/etl", FolderRight::Read);
    let reader = folder.client.with_token(folder.client.sandbox.add_principal(reader));
    assert_eq!(reader.get(&folder.target).await.status, 200);
    let body = json!({ "access_control_list": [good] });
    assert_eq!(reader.send("PATCH", &folder.target, body).await.error().1, "PERMISSION_DENIED");
    let stranger = Principal::user("d@example.com").in_folder("/Shared/etl", FolderRight::None);
    let stranger = folder.client.with_token(folder.client.sandbox.add_principal(stranger));
    assert_eq!(stranger.get(&folder.target).await.error().1, "RESOURCE_DOES_NOT_EXIST");
    assert_eq!(folder.client.get("/api/2.0/permissions/directories/x").await.status, 400);
    assert_eq!(folder.client.get("/api/2.0/permissions/notebooks/1").await.error().1, "ENDPOINT_NOT_FOUND");
}

#[tokio::test]
async fn the_list_says_who_really_may_write() {
    let folder = Folder::new("/Shared/etl").await;
    let reader = Principal::user("c@example.com").in_folder("/Shared/etl", FolderRight::Read);
    folder.client.sandbox.add_principal(reader);
    let robot = format!("{ROBOT}: CAN_MANAGE inherited");
    let expected =
        ["b@example.com: CAN_MANAGE inherited", "admins: CAN_MANAGE inherited", "users: CAN_READ inherited", &robot];
    assert_eq!(rights(&folder.get().await), expected);
    // Whom the workspace does not let in has no right in it either.
    let mut stranger = Principal::user("d@example.com").in_folder("/Shared/etl", FolderRight::None);
    stranger.member = false;
    folder.client.sandbox.add_principal(stranger);
    assert_eq!(rights(&folder.get().await), expected);
    let nothing = Principal::user("e@example.com").in_folder("/Shared/etl", FolderRight::None);
    folder.client.sandbox.add_principal(nothing);
    let expected = [
        "b@example.com: CAN_MANAGE inherited",
        "c@example.com: CAN_READ inherited",
        "admins: CAN_MANAGE inherited",
        &robot,
    ];
    assert_eq!(rights(&folder.get().await), expected);
}

#[tokio::test]
async fn the_rights_on_a_job_are_shown_to_whoever_may_manage_it() {
    let client = Client::new();
    let job = client.sandbox.create_job(json!({ "name": "nightly", "tasks": [] }));
    let target = format!("/api/2.0/permissions/jobs/{job}");
    let with = |name: &str, right| {
        let principal = Principal::user(name).on_job(job, right);
        client.with_token(client.sandbox.add_principal(principal))
    };
    let (manager, runner) = (with("m@example.com", JobRight::Manage), with("r@example.com", JobRight::ManageRun));
    let (viewer, nobody) = (with("v@example.com", JobRight::View), with("n@example.com", JobRight::None));
    let told = client.get(&target).await;
    assert_eq!((told.body["object_type"].as_str(), told.status), (Some("job"), 200));
    assert_eq!(told.body["object_id"], format!("/jobs/{job}"));
    let expected = [
        "ci@example.com: IS_OWNER",
        "m@example.com: CAN_MANAGE",
        "r@example.com: CAN_MANAGE_RUN",
        "v@example.com: CAN_VIEW",
        "admins: CAN_MANAGE inherited",
    ];
    assert_eq!(rights(&told), expected);
    assert_eq!(rights(&manager.get(&target).await), expected);
    for client in [runner, viewer, nobody] {
        let refused = client.get(&target).await;
        assert_eq!(refused.error().1, "PERMISSION_DENIED");
        assert!(refused.error().2.contains(&format!("Manage permissions on Job with ID: ElasticJobId({job})")));
    }
    assert_eq!(client.get("/api/2.0/permissions/jobs/7").await.error().1, "RESOURCE_DOES_NOT_EXIST");
    assert_eq!(client.get("/api/2.0/permissions/jobs/x").await.status, 400);
    assert_eq!(client.send("PATCH", &target, json!({})).await.error().1, "ENDPOINT_NOT_FOUND");
}
