//! A client without manners: it sends what a test says and shows what comes back.

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use databricks_sandbox::{Dropped, Sandbox};
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Status, code and message.
    pub(crate) fn error(&self) -> (u16, &str, &str) {
        (self.status, self.body["error_code"].as_str().unwrap_or("-"), self.body["message"].as_str().unwrap_or("-"))
    }
}

/// A sandbox and a token.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) sandbox: Sandbox,
    pub(crate) token: String,
}

impl Client {
    pub(crate) fn new() -> Client {
        let sandbox = Sandbox::new();
        Client { token: sandbox.token(), sandbox }
    }

    pub(crate) fn with_token(&self, token: String) -> Client {
        Client { token, ..self.clone() }
    }

    pub(crate) async fn raw(&self, request: Request<Body>) -> Result<Answer, Dropped> {
        let response = self.sandbox.answer(request).await?;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.map_err(|_| Dropped)?.to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, bytes, body })
    }

    fn request(&self, method: &str, target: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(target)
            .header("host", "sandbox.test")
            .header("authorization", format!("Bearer {}", self.token))
    }

    pub(crate) async fn try_get(&self, target: &str) -> Result<Answer, Dropped> {
        self.raw(self.request("GET", target).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn try_post(&self, target: &str, body: Value) -> Result<Answer, Dropped> {
        let request = self.request("POST", target).header("content-type", "application/json");
        self.raw(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.try_get(target).await.unwrap()
    }

    pub(crate) async fn post(&self, target: &str, body: Value) -> Answer {
        self.try_post(target, body).await.unwrap()
    }

    /// Sends JSON by any method.
    pub(crate) async fn send(&self, method: &str, target: &str, body: Value) -> Answer {
        let request = self.request(method, target).header("content-type", "application/json");
        self.raw(request.body(Body::from(body.to_string())).unwrap()).await.unwrap()
    }

    pub(crate) async fn post_bytes(&self, target: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = self.request("POST", target).header("content-type", content_type);
        self.raw(request.body(body.into()).unwrap()).await.unwrap()
    }

    /// Imports by JSON; `fields` are added to path, content and overwrite.
    pub(crate) async fn import(&self, path: &str, content: &[u8], fields: Value) -> Answer {
        let mut body = json!({ "path": path, "content": STANDARD.encode(content), "overwrite": true });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.post("/api/2.0/workspace/import", body).await
    }

    pub(crate) async fn import_auto(&self, path: &str, content: &str) -> Answer {
        self.import(path, content.as_bytes(), json!({ "format": "AUTO" })).await
    }

    /// Imports by multipart.
    pub(crate) async fn upload(&self, fields: &[(&str, &str)], content: &[u8]) -> Answer {
        let mut body = Vec::new();
        for (name, value) in fields {
            let head = format!("--frontier\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(head.as_bytes());
        }
        body.extend_from_slice(b"--frontier\r\nContent-Disposition: form-data; name=\"content\"; filename=\"x\"\r\n");
        body.extend_from_slice(b"Content-Type: application/octet-stream\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n--frontier--\r\n");
        self.post_bytes("/api/2.0/workspace/import", "multipart/form-data; boundary=frontier", body).await
    }

    pub(crate) async fn status(&self, path: &str) -> Answer {
        self.get(&format!("/api/2.0/workspace/get-status?path={path}")).await
    }

    pub(crate) async fn list(&self, path: &str) -> Answer {
        self.get(&format!("/api/2.0/workspace/list?path={path}")).await
    }

    pub(crate) async fn mkdirs(&self, path: &str) -> Answer {
        self.post("/api/2.0/workspace/mkdirs", json!({ "path": path })).await
    }

    pub(crate) async fn run_now(&self, job_id: i64) -> i64 {
        let answer = self.post("/api/2.2/jobs/run-now", json!({ "job_id": job_id })).await;
        answer.body["run_id"].as_i64().unwrap_or_else(|| panic!("{answer:?}"))
    }

    pub(crate) async fn run(&self, run_id: i64) -> Value {
        let answer = self.get(&format!("/api/2.2/jobs/runs/get?run_id={run_id}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Polls until the run has ended, at most so many times.
    pub(crate) async fn finished(&self, run_id: i64) -> Value {
        for _ in 0..50 {
            let run = self.run(run_id).await;
            if matches!(run["state"]["life_cycle_state"].as_str(), Some("TERMINATED" | "SKIPPED" | "INTERNAL_ERROR")) {
                return run;
            }
        }
        panic!("the run {run_id} did not end");
    }
}

/// A job with notebook tasks; `(key, depends_on)`.
pub(crate) fn job(name: &str, tasks: &[(&str, &[&str])]) -> Value {
    let tasks = tasks.iter().map(|(key, upstream)| {
        let depends_on: Vec<Value> = upstream.iter().map(|key| json!({ "task_key": key })).collect();
        json!({ "task_key": key, "notebook_task": { "notebook_path": "/Shared/nb" }, "depends_on": depends_on })
    });
    json!({ "name": name, "tasks": tasks.collect::<Value>() })
}
