//! Objects: kinds, names, limits, refusals.

use crate::client::Client;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use databricks_sandbox::{Kind, Language};
use serde_json::{Value, json};

const JUPYTER: &str = r#"{"cells":[{"cell_type":"markdown","source":["hi\n","you"]},{"cell_type":"code","source":"1+1"}],
  "metadata":{"application/vnd.databricks.v1+notebook":{"language":"sql"}},"nbformat":4,"nbformat_minor":0}"#;

async fn kinds(client: &Client, name: &str, content: &str) -> (String, Kind, Option<Language>) {
    let client = Client::with_token(client, client.token.clone());
    let before = client.sandbox.objects();
    let answer = client.import_auto(&format!("/Shared/{name}"), content).await;
    assert_eq!((answer.status, &answer.body), (200, &json!({})), "{name}");
    let after = client.sandbox.objects();
    let (path, object) = after.into_iter().find(|(path, _)| !before.contains_key(path)).unwrap();
    (path.strip_prefix("/Workspace/Shared/").unwrap().to_owned(), object.kind, object.language)
}

#[tokio::test]
async fn auto_decides_by_the_exact_first_line_and_strips_the_extension() {
    let client = Client::new();
    let notebook = |name: &str, language| (name.to_owned(), Kind::Notebook, Some(language));
    let file = |name: &str| (name.to_owned(), Kind::File, None);
    let python = "# Databricks notebook source";
    for (name, content, expected) in [
        ("a.py", format!("{python}\nprint(1)"), notebook("a", Language::Python)),
        ("bare.py", python.to_owned(), notebook("bare", Language::Python)),
        ("crlf.py", format!("{python}\r\nprint(1)"), notebook("crlf", Language::Python)),
        ("B.R", format!("{python}\n"), notebook("B", Language::R)),
        ("c.scala", "// Databricks notebook source\n".to_owned(), notebook("c", Language::Scala)),
        ("d.sql", "-- Databricks notebook source\n".to_owned(), notebook("d", Language::Sql)),
        ("two.dots.py", format!("{python}\n"), notebook("two.dots", Language::Python)),
        ("e.ipynb", JUPYTER.to_owned(), notebook("e", Language::Sql)),
        ("f.py", "print(1)".to_owned(), file("f.py")),
        ("g.py", format!("{python} \n"), file("g.py")),
        ("h.py", format!(" {python}\n"), file("h.py")),
        ("i.py", format!("\n{python}\n"), file("i.py")),
        ("j.py", format!("\u{feff}{python}\n"), file("j.py")),
        ("k.sql", format!("{python}\n"), file("k.sql")),
        ("l.txt", format!("{python}\n"), file("l.txt")),
        ("m", format!("{python}\n"), file("m")),
        ("empty.py", String::new(), file("empty.py")),
        ("n.designer.ipynb", JUPYTER.to_owned(), ("n.designer.ipynb".to_owned(), Kind::DesignerFile, None)),
        ("o.lvdash.json", "{}".to_owned(), ("o.lvdash.json".to_owned(), Kind::Dashboard, None)),
    ] {
        assert_eq!(kinds(&client, name, &content).await, expected, "{name}");
    }
    let broken = client.import_auto("/Shared/x.ipynb", "{}").await;
    assert_eq!((broken.status, broken.error().1), (400, "INVALID_PARAMETER_VALUE"));
}

#[tokio::test]
async fn formats_other_than_auto_take_the_path_as_it_is() {
    let client = Client::new();
    let code = b"# Databricks notebook source\n1";
    client.import("/Shared/s.py", code, json!({ "language": "PYTHON" })).await;
    client.import("/Shared/raw.py", code, json!({ "format": "RAW" })).await;
    client.import("/Shared/jup", JUPYTER.as_bytes(), json!({ "format": "JUPYTER" })).await;
    client.import("/Shared/up", code, json!({ "format": "SOURCE", "language": "R" })).await;
    let objects = client.sandbox.objects();
    let kind = |name: &str| (objects[name].kind, objects[name].language, objects[name].jupyter);
    assert_eq!(kind("/Workspace/Shared/s.py"), (Kind::Notebook, Some(Language::Python), false));
    assert_eq!(kind("/Workspace/Shared/raw.py"), (Kind::File, None, false));
    assert_eq!(kind("/Workspace/Shared/jup"), (Kind::Notebook, Some(Language::Sql), true));
    assert_eq!(kind("/Workspace/Shared/up"), (Kind::Notebook, Some(Language::R), false));

    let zip = client.import("/Shared/z", code, json!({ "format": "SOURCE" })).await;
    assert_eq!((zip.status, zip.error().2), (400, "The zip archive contains no items"));
    for fields in [json!({ "format": "Auto" }), json!({ "language": "python" }), json!({ "format": 1 })] {
        let answer = client.import("/Shared/z", code, fields).await;
        assert_eq!((answer.status, answer.error().1), (400, "INVALID_PARAMETER_VALUE"));
    }
    assert!(client.sandbox.unknown_routes().is_empty());
    assert_eq!(client.import("/Shared/z", code, json!({ "format": "HTML" })).await.status, 501);
    assert_eq!(client.sandbox.unknown_routes(), ["POST /api/2.0/workspace/import"]);
}

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be() {
    let client = Client::new();
    let text = "Invalid JSON given in the body of the request - failed to parse given JSON";
    for body in ["{\"path\":", "", "[]"] {
        let answer = client.post_bytes("/api/2.0/workspace/mkdirs", "application/json", body).await;
        assert_eq!(answer.error(), (400, "MALFORMED_REQUEST", text));
    }
    let answer =
        client.post_bytes("/api/2.0/workspace/import", "multipart/form-data; boundary=x", "--x\r\nrubbish").await;
    assert_eq!(answer.error().1, "MALFORMED_REQUEST");
    let answer = client.post("/api/2.0/workspace/mkdirs", json!({ "pth": "/Shared/x" })).await;
    assert_eq!(answer.error(), (400, "INVALID_PARAMETER_VALUE", "Missing required field: path"));
    for path in ["Shared/x", "/Shared/../x", "/Shared/a%0Ab"] {
        assert_eq!(client.status(path).await.error().1, "INVALID_PARAMETER_VALUE", "{path}");
    }
    let answer = client.import("/Shared/x", b"", json!({ "format": "RAW", "content": "*" })).await;
    assert_eq!(answer.error().1, "INVALID_PARAMETER_VALUE");
}

#[tokio::test]
async fn multipart_imports_exact_bytes() {
    let client = Client::new();
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let fields = [("path", "/Shared/blob.bin"), ("format", "AUTO"), ("overwrite", "true")];
    assert_eq!(client.upload(&fields, &bytes).await.status, 200);
    assert_eq!(client.sandbox.objects()["/Workspace/Shared/blob.bin"].bytes, bytes);
    let fields = [("path", "/Shared/nb"), ("format", "SOURCE"), ("language", "SCALA")];
    assert_eq!(client.upload(&fields, b"1").await.status, 200);
    assert_eq!(client.upload(&fields, b"1").await.error().1, "RESOURCE_ALREADY_EXISTS");
    let odd = client.upload(&[("path", "/Shared/q"), ("format", "RAW"), ("overwrite", "yes")], b"").await;
    assert_eq!(odd.error().1, "INVALID_PARAMETER_VALUE");
}

#[tokio::test]
async fn sizes_have_limits() {
    let client = Client::new();
    let limit = 10_485_760;
    let big = vec![b'x'; limit + 1];
    let text = "File size imported is (10485761 bytes), exceeded max size (10485760 bytes)";
    let answer = client.import("/Shared/big.txt", &big, json!({ "format": "AUTO" })).await;
    assert_eq!(answer.error(), (400, "MAX_NOTEBOOK_SIZE_EXCEEDED", text));
    assert_eq!(client.import("/Shared/fit.txt", &big[1..], json!({ "format": "AUTO" })).await.status, 200);
    assert_eq!(client.upload(&[("path", "/Shared/big.txt"), ("format", "AUTO")], &big).await.status, 200);
    let notebook = client.upload(&[("path", "/Shared/nb"), ("language", "PYTHON")], &big).await;
    assert_eq!(notebook.error(), (400, "MAX_NOTEBOOK_SIZE_EXCEEDED", text));
    let export = client.get("/api/2.0/workspace/export?path=/Shared/big.txt&direct_download=true").await;
    assert_eq!(export.error().1, "BAD_REQUEST");
    assert_eq!(export.body["details"][0]["reason"], "MAX_READ_SIZE_EXCEEDED");
    client.sandbox.put_notebook("/Shared/nb", Language::Python, big);
    let export = client.get("/api/2.0/workspace/export?path=/Shared/nb&direct_download=true").await;
    assert_eq!(export.error().1, "MAX_NOTEBOOK_SIZE_EXCEEDED");
}

/// Streams its parts, so that no test needs half a gigabyte at once.
#[tokio::test]
async fn multipart_ends_at_500_megabytes() {
    use bytes::Bytes;
    use http_body::Frame;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    struct Zeros(Vec<Bytes>, u32, Bytes);
    impl http_body::Body for Zeros {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.1 > 0 && self.0.len() == 1 {
                self.1 -= 1;
                return Poll::Ready(Some(Ok(Frame::data(self.2.clone()))));
            }
            Poll::Ready(self.0.pop().map(|bytes| Ok(Frame::data(bytes))))
        }
    }
    let head = "--f\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\n/Shared/huge\r\n\
                --f\r\nContent-Disposition: form-data; name=\"format\"\r\n\r\nRAW\r\n\
                --f\r\nContent-Disposition: form-data; name=\"content\"; filename=\"x\"\r\n\r\nx";
    let parts = vec![Bytes::from("\r\n--f--\r\n"), Bytes::from(head)];
    let body = axum::body::Body::new(Zeros(parts, 500, Bytes::from(vec![0; 1 << 20])));
    let client = Client::new();
    let answer = client.post_bytes("/api/2.0/workspace/import", "multipart/form-data; boundary=f", body).await;
    assert_eq!((answer.status, answer.error().2), (400, "Maximum file size of 524288000 exceeded"));
    assert!(!client.sandbox.objects().contains_key("/Workspace/Shared/huge"));
    assert_eq!(client.sandbox.requests()[0].parts[2].length, 524_288_001);
}

#[tokio::test]
async fn parents_must_exist_and_mkdirs_makes_them() {
    let client = Client::new();
    let answer = client.import_auto("/Shared/a/b/c.txt", "x").await;
    assert_eq!(answer.error(), (404, "RESOURCE_DOES_NOT_EXIST", "The parent folder (/Shared/a/b) does not exist."));
    for _ in 0..2 {
        let answer = client.mkdirs("/Workspace/Shared/a/b").await;
        assert_eq!((answer.status, &answer.body), (200, &json!({})));
    }
    assert_eq!(client.import_auto("/Shared/a/b/c.txt", "x").await.status, 200);
    let answer = client.mkdirs("/Shared/a/b/c.txt/d").await;
    let text = "/Workspace/Shared/a/b/c.txt already exists and it is not a folder";
    assert_eq!(answer.error(), (400, "RESOURCE_ALREADY_EXISTS", text));
    let answer = client.import_auto("/Shared/a/b/c.txt/d", "x").await;
    assert_eq!(answer.status, 404);
    assert_eq!(client.mkdirs("/Users/nobody@example.com/x").await.error().1, "DIRECTORY_PROTECTED");
}

#[tokio::test]
async fn overwriting_keeps_the_id_and_deleting_does_not() {
    let client = Client::new();
    let id = async || client.status("/Shared/a.txt").await.body["object_id"].as_i64().unwrap();
    let modified = async || client.status("/Shared/a.txt").await.body["modified_at"].as_i64().unwrap();
    client.import_auto("/Shared/a.txt", "1").await;
    let (first, before) = (id().await, modified().await);
    assert!(first > 1 << 53);
    client.import_auto("/Shared/a.txt", "22").await;
    assert_eq!(id().await, first);
    let after = modified().await;
    assert!(after > before);
    client.sandbox.put_file("/Shared/a.txt", "22");
    assert!(modified().await > after);
    assert_eq!(client.status("/Shared/a.txt").await.body["size"], 2);

    let fields = json!({ "format": "AUTO", "overwrite": false });
    let answer = client.import("/Shared/a.txt", b"3", fields).await;
    let text = "/Shared/a.txt already exists. Please pass overwrite=true to overwrite it.";
    assert_eq!(answer.error(), (400, "RESOURCE_ALREADY_EXISTS", text));

    assert_eq!(client.post("/api/2.0/workspace/delete", json!({ "path": "/Shared/a.txt" })).await.body, json!({}));
    client.import_auto("/Shared/a.txt", "1").await;
    assert_ne!(id().await, first);
}

#[tokio::test]
async fn kinds_do_not_replace_each_other() {
    let client = Client::new();
    client.import("/Shared/x", b"1", json!({ "language": "PYTHON" })).await;
    client.mkdirs("/Shared/dir").await;
    for (path, actual) in [("/Shared/x", "NOTEBOOK"), ("/Shared/dir", "DIRECTORY")] {
        let answer = client.import(path, b"1", json!({ "format": "RAW" })).await;
        let text =
            format!("Cannot overwrite the asset at {path} due to type mismatch (asked: FILE, actual: {actual}).");
        assert_eq!(answer.error(), (400, "INVALID_PARAMETER_VALUE", text.as_str()));
        let info = &answer.body["details"][0];
        assert_eq!(info["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
        assert_eq!(info["reason"], "WORKSPACE_OBJECT_TYPE_MISMATCH");
        assert_eq!(info["domain"], "workspace.databricks.com");
        assert_eq!(info["metadata"], json!({ "existing_type": actual }));
        let request = answer.body["details"][1]["request_id"].as_str().unwrap();
        assert_eq!(request, answer.header("x-request-id"));
    }
    assert_eq!(client.import("/Shared/x", b"1", json!({ "language": "SQL" })).await.status, 200);
    assert_eq!(client.status("/Shared/x").await.body["language"], "SQL");
}

#[tokio::test]
async fn paths_have_several_spellings() {
    let client = Client::new();
    client.import_auto("/Workspace/Shared/a.txt", "x").await;
    for (asked, shown) in [
        ("/Shared/a.txt", "/Shared/a.txt"),
        ("/Workspace/Shared/a.txt", "/Workspace/Shared/a.txt"),
        ("/Shared//a.txt", "/Shared/a.txt"),
        ("//Workspace/Shared/a.txt", "/Shared/a.txt"),
    ] {
        let answer = client.status(asked).await;
        assert_eq!((answer.status, answer.body["path"].as_str()), (200, Some(shown)), "{asked}");
    }
    let answer = client.status("/Shared//none").await;
    assert_eq!(answer.error(), (404, "RESOURCE_DOES_NOT_EXIST", "Path (/Shared//none) doesn't exist."));
    let list = client.list("/Workspace/Shared/").await;
    assert_eq!(list.body["objects"][0]["path"], "/Workspace/Shared/a.txt");
    assert_eq!(client.status("/").await.body["object_type"], "DIRECTORY");
}

#[tokio::test]
async fn a_listing_is_one_level_with_all_that_is_known() {
    let client = Client::new();
    client.mkdirs("/Shared/d/sub").await;
    client.mkdirs("/Shared/d/sub-z").await;
    client.import_auto("/Shared/d/sub/deep.txt", "x").await;
    client.import_auto("/Shared/d/n.py", "# Databricks notebook source").await;
    client.import_auto("/Shared/d/f.txt", "xyz").await;
    let list = client.list("/Shared/d").await.body;
    let objects = list["objects"].as_array().unwrap();
    let seen: Vec<_> =
        objects.iter().map(|o| (o["path"].as_str().unwrap(), o["object_type"].as_str().unwrap())).collect();
    let expected = [
        ("/Shared/d/f.txt", "FILE"),
        ("/Shared/d/n", "NOTEBOOK"),
        ("/Shared/d/sub", "DIRECTORY"),
        ("/Shared/d/sub-z", "DIRECTORY"),
    ];
    assert_eq!(seen, expected);
    assert_eq!((&objects[0]["size"], &objects[0]["language"]), (&json!(3), &Value::Null));
    assert_eq!((&objects[1]["size"], &objects[1]["language"]), (&Value::Null, &json!("PYTHON")));
    assert_eq!(objects[1]["resource_id"], objects[1]["object_id"].as_i64().unwrap().to_string());
    assert!(objects[0]["modified_at"].is_i64() && objects[2]["modified_at"].is_null());

    assert_eq!(client.list("/Shared/d/sub-z").await.body, json!({}));
    assert_eq!(client.list("/Shared/d/f.txt").await.body["objects"][0]["path"], "/Shared/d/f.txt");
    assert_eq!(client.list("/Shared/none").await.error().2, "Path (/Shared/none) doesn't exist.");
    let late = client.get("/api/2.0/workspace/list?path=/Shared/d&notebooks_modified_after=9000000000000").await;
    assert_eq!(late.body["objects"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn deleting_has_its_refusals() {
    let client = Client::new();
    client.mkdirs("/Shared/a").await;
    client.mkdirs("/Shared/ab").await;
    client.import_auto("/Shared/a/x.txt", "x").await;
    let delete = async |path: &str, recursive: bool| {
        client.post("/api/2.0/workspace/delete", json!({ "path": path, "recursive": recursive })).await
    };
    assert_eq!(delete("/Shared/none", false).await.error().1, "RESOURCE_DOES_NOT_EXIST");
    assert_eq!(delete("/Shared/a", false).await.error().1, "DIRECTORY_NOT_EMPTY");
    for root in ["/", "/Users", "/Shared", "/Users/ci@example.com"] {
        assert_eq!(delete(root, true).await.error().1, "DIRECTORY_PROTECTED", "{root}");
    }
    assert_eq!(delete("/Shared/a", true).await.status, 200);
    let left = client.sandbox.objects();
    assert!(
        left.keys().all(|path| !path.starts_with("/Workspace/Shared/a/")) && left.contains_key("/Workspace/Shared/ab")
    );
}

#[tokio::test]
async fn exports_are_not_always_what_was_imported() {
    let client = Client::new();
    client.import("/Shared/n", b"print(1)", json!({ "language": "PYTHON" })).await;
    client.import("/Shared/j", JUPYTER.as_bytes(), json!({ "format": "JUPYTER" })).await;
    client.import_auto("/Shared/f.txt", "x\r\n").await;
    let export = async |query: &str| client.get(&format!("/api/2.0/workspace/export?{query}")).await;

    let source = export("path=/Shared/n&direct_download=true").await;
    assert_eq!(source.bytes, "# Databricks notebook source\nprint(1)");
    assert_eq!(source.header("content-type"), "application/octet-stream");
    let json = export("path=/Shared/f.txt&format=AUTO").await;
    assert_eq!(json.body["content"], STANDARD.encode("x\r\n"));
    let jupyter = export("path=/Shared/j&format=JUPYTER&direct_download=true").await;
    let cells = jupyter.body["cells"].as_array().unwrap();
    let seen: Vec<_> = cells.iter().map(|cell| (&cell["cell_type"], &cell["source"], &cell["outputs"])).collect();
    let expected =
        [(json!("markdown"), json!(["hi\n", "you"]), Value::Null), (json!("code"), json!(["1+1"]), json!([]))];
    assert_eq!(seen, expected.each_ref().map(|(kind, source, outputs)| (kind, source, outputs)));
    for cell in cells {
        assert!(cell["metadata"]["application/vnd.databricks.v1+cell"]["nuid"].is_string());
    }
    let notebook = &jupyter.body["metadata"]["application/vnd.databricks.v1+notebook"];
    assert_eq!((&notebook["language"], &notebook["widgets"]), (&json!("sql"), &json!({})));
    let source = export("path=/Shared/j&direct_download=true").await;
    let expected =
        "-- Databricks notebook source\n-- MAGIC %md\n-- MAGIC hi\n-- MAGIC you\n\n-- COMMAND ----------\n\n1+1";
    assert_eq!(source.bytes, expected);
    let jupyter = export("path=/Shared/n&format=JUPYTER&direct_download=true").await;
    assert_eq!(jupyter.body["cells"][0]["source"], json!(["print(1)"]));
    client.import("/Shared/m", b"1\r\n# COMMAND ----------\r\n2\r\n\r\n", json!({ "language": "PYTHON" })).await;
    let source = export("path=/Shared/m&direct_download=true").await;
    assert_eq!(source.bytes, "# Databricks notebook source\n1\n\n# COMMAND ----------\n\n2");
    assert_eq!(export("path=/Shared/none").await.status, 404);
    assert_eq!(export("path=/Shared/n&format=source").await.error().1, "INVALID_PARAMETER_VALUE");
    let info = client.get("/api/2.0/workspace/get-status?path=/Shared/j&return_export_info=true").await;
    assert_eq!(info.body["repos_export_format"], "JUPYTER");
}

#[tokio::test]
async fn others_work_in_the_workspace_too() {
    let client = Client::new();
    client.sandbox.put_notebook("/Shared/team/n", Language::Scala, "1");
    client.sandbox.put_file("/Workspace/Shared/team/f.txt", "xyz");
    client.sandbox.put_folder("/Shared/team/empty/deep");
    let list = client.list("/Shared/team").await.body;
    let kinds: Vec<_> = list["objects"].as_array().unwrap().iter().map(|object| &object["object_type"]).collect();
    assert_eq!(kinds, ["DIRECTORY", "FILE", "NOTEBOOK"]);
    let id = client.status("/Shared/team/f.txt").await.body["object_id"].clone();
    client.sandbox.put_file("/Shared/team/f.txt", "changed");
    assert_eq!(client.status("/Shared/team/f.txt").await.body["object_id"], id);
    client.sandbox.remove("/Shared/team/empty");
    assert_eq!(client.status("/Shared/team/empty/deep").await.status, 404);
    assert_eq!(client.status("/Shared/team").await.status, 200);
    assert!(client.sandbox.requests().iter().all(|request| request.method == http::Method::GET));
}
