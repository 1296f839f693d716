//! Objects in the workspace: listed, exported, written, deleted; over a sandbox in this process, in paused time.

use crate::support::{workspace, workspace_of};
use bytes::Bytes;
use databricks_deploy::databricks::error::Meaning;
use databricks_deploy::databricks::objects::{
    EXPORT_LIMIT, Export, Exported, Format, Listing, Object, ObjectKind, Put,
};
use databricks_deploy::source::Language;
use databricks_sandbox::{Canned, Fault, FolderRight, Kind, Moment, On, Principal, Sandbox, Trouble};

const IMPORT: &str = "/api/2.0/workspace/import";
const EXPORT: &str = "/api/2.0/workspace/export";
const DELETE: &str = "/api/2.0/workspace/delete";
const FILE: Export = Export::File { size: None };

fn content(text: impl Into<Bytes>) -> Exported {
    Exported::Content(text.into())
}

#[tokio::test(start_paused = true)]
async fn a_folder_lists_what_is_right_in_it() {
    let sandbox = Sandbox::new();
    sandbox.put_notebook("/Shared/etl/n", databricks_sandbox::Language::Scala, "1");
    sandbox.put_file("/Shared/etl/f.txt", "xyz");
    sandbox.put_file("/Shared/etl/deep/er/g.txt", "");
    sandbox.put_folder("/Shared/empty");
    let workspace = workspace(&sandbox);
    workspace.put("/Shared/etl/b.lvdash.json", "{}".into(), Format::Auto, true).await.unwrap();
    let Some(Listing::Folder(objects)) = workspace.list("/Workspace/Shared/etl").await.unwrap() else { panic!() };
    let seen: Vec<_> =
        objects.iter().map(|object| (object.name(), &object.kind, object.language, object.size)).collect();
    let expected = [
        ("b.lvdash.json", &ObjectKind::Dashboard, None, None),
        ("deep", &ObjectKind::Folder, None, None),
        ("f.txt", &ObjectKind::File, None, Some(3)),
        ("n", &ObjectKind::Notebook, Some(Language::Scala), None),
    ];
    assert_eq!(seen, expected);
    let there = sandbox.objects();
    for object in &objects {
        let real = &there[&object.path];
        assert_eq!(object.object_id, real.object_id, "{}", object.path);
        let time = (object.kind != ObjectKind::Folder).then_some(real.modified_at);
        assert_eq!(object.modified_at, time, "{}", object.path);
    }
    assert_eq!(workspace.object("/Workspace/Shared/etl/f.txt").await.unwrap().as_ref(), Some(&objects[2]));
    assert_eq!(workspace.list("/Workspace/Shared/empty").await.unwrap(), Some(Listing::Folder(Vec::new())));
    assert_eq!(workspace.list("/Workspace/Shared/none").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_folder_lists_itself_in_any_spelling() {
    let sandbox = Sandbox::new();
    sandbox.put_file("/Shared/a/a", "x");
    let workspace = workspace(&sandbox);
    for path in ["/Workspace/Shared/a/a", "/Shared/a/a", "//Workspace/Shared/a/a"] {
        let listing = workspace.list(path).await.unwrap();
        assert!(
            matches!(&listing, Some(Listing::Single(Object { kind: ObjectKind::File, .. }))),
            "{path}: {listing:?}"
        );
    }
    for path in ["/Workspace/Shared/a", "/Shared/a"] {
        let listing = workspace.list(path).await.unwrap();
        assert!(matches!(&listing, Some(Listing::Folder(objects)) if objects.len() == 1), "{path}: {listing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_read_looks_as_if_it_were_not_there() {
    let sandbox = Sandbox::new();
    sandbox.put_file("/Shared/private/f.txt", "x");
    let token = sandbox.add_principal(Principal::user("b@example.com").in_folder("/Shared/private", FolderRight::None));
    let workspace = workspace_of(&sandbox, token);
    assert_eq!(workspace.list("/Shared/private").await.unwrap(), None);
    assert_eq!(workspace.object("/Shared/private/f.txt").await.unwrap(), None);
    assert_eq!(workspace.export("/Shared/private/f.txt", FILE).await.unwrap(), Exported::Missing);
    workspace.delete("/Shared/private/f.txt").await.unwrap();
    assert!(sandbox.objects().contains_key("/Workspace/Shared/private/f.txt"));
}

#[tokio::test(start_paused = true)]
async fn exports_are_bytes_for_files_and_the_services_own_form_for_notebooks() {
    let sandbox = Sandbox::new();
    sandbox.put_file("/Shared/f.bin", vec![0, 159, 146, 150, 13, 10]);
    sandbox.put_file("/Shared/looks.json", r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"x"}"#);
    sandbox.put_file("/Shared/empty", "");
    sandbox.put_notebook("/Shared/n", databricks_sandbox::Language::Sql, "SELECT 1\r\n");
    let workspace = workspace(&sandbox);
    assert_eq!(workspace.export("/Shared/f.bin", FILE).await.unwrap(), content(vec![0, 159, 146, 150, 13, 10]));
    let json = workspace.export("/Shared/looks.json", FILE).await.unwrap();
    assert_eq!(json, content(r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"x"}"#));
    assert_eq!(workspace.export("/Shared/empty", FILE).await.unwrap(), content(""));
    let source = workspace.export("/Shared/n", Export::Source).await.unwrap();
    assert_eq!(source, content("-- Databricks notebook source\nSELECT 1"));
    let Exported::Content(jupyter) = workspace.export("/Shared/n", Export::Jupyter).await.unwrap() else { panic!() };
    assert!(serde_json::from_slice::<serde_json::Value>(&jupyter).unwrap()["cells"].is_array());
    assert_eq!(workspace.export("/Shared/none", FILE).await.unwrap(), Exported::Missing);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_to_export_is_said_so_in_every_form() {
    let sandbox = Sandbox::new();
    let big = vec![b'x'; 10_485_761];
    sandbox.put_file("/Shared/big.txt", big.clone());
    sandbox.put_notebook("/Shared/n", databricks_sandbox::Language::Sql, big);
    sandbox.put_file("/Shared/small.txt", "x");
    let workspace = workspace(&sandbox);
    assert_eq!(workspace.export("/Shared/big.txt", FILE).await.unwrap(), Exported::TooLarge);
    assert_eq!(workspace.export("/Shared/n", Export::Source).await.unwrap(), Exported::TooLarge);
    // A server without that limit: no more is taken into memory than announced here.
    let body = Bytes::from(vec![b'x'; EXPORT_LIMIT + 1]);
    let canned = Canned { status: 200, headers: vec![("content-type".into(), "text/plain".into())], body };
    sandbox.fault(Fault::once(On::get(EXPORT), Trouble::Answer(Moment::Before, canned)));
    assert_eq!(workspace.export("/Shared/small.txt", FILE).await.unwrap(), Exported::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn a_log_in_page_is_never_taken_for_content() {
    let page = "<!DOCTYPE html><html><title>Sign in</title></html>";
    let html = Canned::html(200, page);
    let untyped = Canned { headers: vec![("content-type".into(), "text/plain".into())], ..html.clone() };
    let attached = html.clone().with_header("content-disposition", "attachment; filename=index.html");
    let same_size = Export::File { size: Some(page.len() as u64) };
    let other_size = Export::File { size: Some(page.len() as u64 + 1) };
    for (canned, export, is_content) in [
        (&html, FILE, false),
        (&html, other_size, false),
        (&html, same_size, true),
        (&html, Export::Source, false),
        (&html, Export::Jupyter, false),
        (&attached, other_size, true),
        (&untyped, other_size, true),
        (&untyped, Export::Source, false),
        (&attached, Export::Jupyter, false),
        (&Canned::redirect(302, "https://login.example.com"), FILE, false),
    ] {
        let sandbox = Sandbox::new();
        sandbox.fault(Fault::once(On::get(EXPORT), Trouble::Answer(Moment::Before, canned.clone())));
        let exported = workspace(&sandbox).export("/Shared/index.html", export).await;
        let case = format!("{canned:?} {export:?}: {exported:?}");
        match exported {
            Ok(exported) => assert!(is_content && exported == content(page), "{case}"),
            Err(error) => assert!(!is_content && error.meaning() == Some(Meaning::NotDatabricks), "{case}"),
        }
    }
    // The sandbox serves a page that somebody put there as what it is: a download.
    let sandbox = Sandbox::new();
    sandbox.put_file("/Shared/index.html", page);
    assert_eq!(workspace(&sandbox).export("/Shared/index.html", FILE).await.unwrap(), content(page));
}

#[tokio::test(start_paused = true)]
async fn a_broken_export_is_asked_for_again() {
    let sandbox = Sandbox::new();
    sandbox.put_file("/Shared/f.txt", "0123456789");
    for trouble in [
        Trouble::Truncate(4),
        Trouble::Drop(Moment::After),
        Trouble::Answer(Moment::Before, Canned::error(500, "INTERNAL_ERROR", "oops")),
        Trouble::Answer(Moment::Before, Canned::error(429, "RESOURCE_EXHAUSTED", "slowly")),
    ] {
        sandbox.fault(Fault::once(On::get(EXPORT), trouble));
        assert_eq!(workspace(&sandbox).export("/Shared/f.txt", FILE).await.unwrap(), content("0123456789"));
    }
}

#[tokio::test(start_paused = true)]
async fn small_content_becomes_what_it_is_meant_to_be() {
    let sandbox = Sandbox::new();
    let workspace = workspace(&sandbox);
    let code = Bytes::from_static(b"# Databricks notebook source\n1");
    let jupyter = r#"{"cells":[],"metadata":{"language_info":{"name":"r"}},"nbformat":4,"nbformat_minor":5}"#;
    for (path, bytes, format) in [
        ("/Shared/state.json", Bytes::from_static(b"{}"), Format::Auto),
        ("/Shared/raw.py", code.clone(), Format::Raw),
        ("/Shared/copy", code.clone(), Format::Source(Language::Python)),
        ("/Shared/jupyter", jupyter.into(), Format::Jupyter),
    ] {
        assert_eq!(workspace.put(path, bytes.clone(), format, false).await.unwrap(), Put::Written);
        assert_eq!(sandbox.objects()[&format!("/Workspace{path}")].bytes, bytes, "{path}");
    }
    let objects = sandbox.objects();
    let kind = |path: &str| (objects[path].kind, objects[path].jupyter);
    assert_eq!(kind("/Workspace/Shared/state.json"), (Kind::File, false));
    assert_eq!(kind("/Workspace/Shared/raw.py"), (Kind::File, false));
    assert_eq!(kind("/Workspace/Shared/copy"), (Kind::Notebook, false));
    assert_eq!(kind("/Workspace/Shared/jupyter"), (Kind::Notebook, true));
    assert!(sandbox.unknown_routes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn that_it_exists_is_an_answer_where_nothing_may_be_overwritten() {
    let sandbox = Sandbox::new();
    let workspace = workspace(&sandbox);
    let put = async |text: &'static str, overwrite| {
        workspace.put("/Shared/lock-1.json", text.into(), Format::Auto, overwrite).await
    };
    assert_eq!(put("1", false).await.unwrap(), Put::Written);
    assert_eq!(put("2", false).await.unwrap(), Put::Exists);
    let lost_race = Canned::error(409, "ALREADY_EXISTS", "Node with name /Shared/lock-1.json already exists.");
    sandbox.fault(Fault::once(On::post(IMPORT), Trouble::Answer(Moment::Before, lost_race.clone())));
    assert_eq!(put("3", false).await.unwrap(), Put::Exists);
    let other_kind = Canned::error(
        400,
        "INVALID_PARAMETER_VALUE",
        "Requested node type [FILE] is different from the existing node type [NOTEBOOK]",
    );
    sandbox.fault(Fault::once(On::post(IMPORT), Trouble::Answer(Moment::Before, other_kind)));
    assert_eq!(put("4", false).await.unwrap(), Put::Exists);
    assert_eq!(&sandbox.objects()["/Workspace/Shared/lock-1.json"].bytes[..], b"1");
    // With `overwrite`, a race that was lost is run again.
    sandbox.fault(Fault::once(On::post(IMPORT), Trouble::Answer(Moment::Before, lost_race)));
    assert_eq!(put("5", true).await.unwrap(), Put::Written);
    assert_eq!(&sandbox.objects()["/Workspace/Shared/lock-1.json"].bytes[..], b"5");
}

#[tokio::test(start_paused = true)]
async fn an_uncertain_end_is_returned_where_nothing_may_be_overwritten() {
    for moment in [Moment::Before, Moment::After] {
        let sandbox = Sandbox::new();
        let workspace = workspace(&sandbox);
        sandbox.fault(Fault::once(On::post(IMPORT), Trouble::Drop(moment)));
        let lost = workspace.put("/Shared/lock-1.json", "mine".into(), Format::Auto, false).await.unwrap_err();
        assert!(lost.is_uncertain());
        assert_eq!(sandbox.requests().len(), 1);
        // The way to find out: what is there?
        let there = workspace.export("/Shared/lock-1.json", FILE).await.unwrap();
        assert_eq!(there, if moment == Moment::After { content("mine") } else { Exported::Missing });

        sandbox.fault(Fault::once(On::post(IMPORT), Trouble::Drop(moment)));
        let sent = workspace.put("/Shared/state.json", "{}".into(), Format::Auto, true).await.unwrap();
        assert_eq!(sent, Put::Written);
        assert_eq!(&sandbox.objects()["/Workspace/Shared/state.json"].bytes[..], b"{}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_already_is_deleted() {
    let sandbox = Sandbox::new();
    sandbox.put_file("/Shared/etl/f.txt", "x");
    let workspace = workspace(&sandbox);
    let full = workspace.delete("/Shared/etl").await.unwrap_err();
    assert_eq!(full.meaning(), Some(Meaning::NotEmpty));
    assert!(full.is_about_one_object());
    // Its answer is lost, and the repetition finds nothing.
    sandbox.fault(Fault::once(On::post(DELETE), Trouble::Drop(Moment::After)));
    workspace.delete("/Shared/etl/f.txt").await.unwrap();
    assert_eq!(sandbox.requests().iter().rev().map(|request| request.status).next(), Some(Some(404)));
    workspace.delete("/Shared/etl/f.txt").await.unwrap();
    workspace.delete("/Shared/none/f.txt").await.unwrap();
    workspace.delete("/Shared/etl").await.unwrap();
    assert!(!sandbox.objects().contains_key("/Workspace/Shared/etl"));
    let protected = workspace.delete("/Shared").await.unwrap_err();
    assert!(protected.said().unwrap().contains("DIRECTORY_PROTECTED"));
    for request in sandbox.requests().iter().filter(|request| request.path == DELETE) {
        assert_eq!(request.body.as_ref().unwrap()["recursive"], false);
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_keeps_its_number_until_it_is_made_anew() {
    let sandbox = Sandbox::new();
    let workspace = workspace(&sandbox);
    let put = async |text: &'static str| {
        workspace.put("/Shared/f.txt", text.into(), Format::Auto, true).await.unwrap();
        workspace.object("/Shared/f.txt").await.unwrap().unwrap()
    };
    let (first, again) = (put("1").await, put("1").await);
    assert_eq!(first.object_id, again.object_id);
    assert!(again.modified_at > first.modified_at);
    workspace.delete("/Shared/f.txt").await.unwrap();
    assert_ne!(put("1").await.object_id, first.object_id);
}
