//! What is an edit and what is none; whose an object is that is not as it was left.

use super::{EXPORT, ORDERS, again, assert_settled, assert_stops, deployed, foreign, fresh, jupyter_edited, write};
use crate::support::{STATE, TARGET, below, changes};
use databricks_deploy::databricks::objects::Format;
use databricks_deploy::exit::Exit;
use databricks_deploy::problem::Code;
use databricks_deploy::source::Language as Spoken;
use databricks_sandbox::{Kind, Sandbox};

/// Writes the same once more, as somebody who opens a notebook and saves it.
async fn touch_all(sandbox: &Sandbox) {
    let before = below(sandbox);
    for (path, format) in [
        ("ingest/orders", Format::Source(Spoken::Python)),
        ("ingest/customers", Format::Source(Spoken::Scala)),
        ("reports/revenue", Format::Source(Spoken::Sql)),
        ("reports/forecast", Format::Source(Spoken::R)),
        ("reports/explore", Format::Jupyter),
        ("lib/helpers.py", Format::Raw),
        ("lib/data/rates.csv", Format::Raw),
        ("board.lvdash.json", Format::Auto),
    ] {
        write(sandbox, path, before[path].bytes.to_vec(), format).await;
        let (before, after) = (&before[path], &below(sandbox)[path]);
        assert!(after.modified_at > before.modified_at && after.object_id == before.object_id, "{path}");
    }
}

fn exports(sandbox: &Sandbox, since: usize) -> usize {
    sandbox.requests().iter().skip(since).filter(|request| request.path == EXPORT).count()
}

#[tokio::test(start_paused = true)]
async fn what_was_only_touched_is_no_drift_and_is_looked_at_once() {
    for on_drift in ["backup", "fail", "overwrite"] {
        let sandbox = deployed().await;
        touch_all(&sandbox).await;
        let (since, before) = (sandbox.requests().len(), below(&sandbox));
        let step = fresh(&sandbox, on_drift);
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Done, "{on_drift}: {}", ended.log);
        assert!(ended.outcome.drifted.is_empty(), "{}", ended.log);
        assert_eq!(changes(&sandbox, since), [format!("import {STATE}")], "the times are recorded");
        assert_eq!(exports(&sandbox, since), 2 + 8, "the state, without the lock and with it");
        let mut after = below(&sandbox);
        after.insert(STATE.into(), before[STATE].clone());
        assert_eq!(after, before);

        let since = sandbox.requests().len();
        assert_settled(&sandbox, &step).await;
        assert_eq!(exports(&sandbox, since), 1, "only the state: no second look");
    }
}

#[tokio::test(start_paused = true)]
async fn what_holds_the_new_content_already_is_no_drift() {
    for on_drift in ["backup", "fail", "overwrite"] {
        let sandbox = deployed().await;
        write(&sandbox, "ingest/orders", ORDERS, Format::Source(Spoken::Python)).await;
        write(&sandbox, "reports/explore", jupyter_edited(), Format::Jupyter).await;
        write(&sandbox, "lib/helpers.py", "# the same\n", Format::Raw).await;
        write(&sandbox, "ingest/new", ORDERS, Format::Source(Spoken::Python)).await;
        let step = fresh(&sandbox, on_drift)
            .file("notebooks/ingest/orders.py", ORDERS)
            .file("notebooks/ingest/new.py", ORDERS)
            .file("notebooks/reports/explore.ipynb", jupyter_edited())
            .file("notebooks/lib/helpers.py", "# the same\n");
        let since = sandbox.requests().len();
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Done, "{on_drift}: {}", ended.log);
        assert_eq!(changes(&sandbox, since), [format!("import {STATE}")], "{on_drift}");
        assert!(ended.outcome.drifted.is_empty(), "{}", ended.log);
        assert_eq!(ended.outcome.changes.unwrap().adopted, 1, "nobody deployed `ingest/new`");
        assert_settled(&sandbox, &step).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_never_deployed_and_is_in_the_way_is_not_touched() {
    for on_drift in ["backup", "fail", "overwrite"] {
        let sandbox = deployed().await;
        let step = fresh(&sandbox, on_drift)
            // Another content than what is there, and another kind.
            .notebook("notebooks/ingest/mine.py")
            .notebook("notebooks/lib/mine.txt.py");
        let ended = assert_stops(&sandbox, &step, &[Code::ForeignObject, Code::TypeMismatch]).await;
        let places: Vec<_> = ended.outcome.problems.iter().filter_map(|problem| problem.place.clone()).collect();
        assert_eq!(places, [format!("{TARGET}/ingest/mine"), format!("{TARGET}/lib/mine.txt")]);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_state_on_drift_decides_about_what_differs() {
    for on_drift in ["backup", "fail", "overwrite"] {
        let sandbox = deployed().await;
        let original = below(&sandbox);
        write(&sandbox, "ingest/orders", ORDERS, Format::Source(Spoken::Python)).await;
        write(&sandbox, "reports/explore", jupyter_edited(), Format::Jupyter).await;
        sandbox.remove(&format!("{TARGET}/{STATE}"));
        let step = fresh(&sandbox, on_drift);
        if on_drift == "fail" {
            assert_stops(&sandbox, &step, &[Code::Drift, Code::Drift]).await;
            continue;
        }
        let since = sandbox.requests().len();
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Done, "{on_drift}: {}", ended.log);
        let after = below(&sandbox);
        for path in ["ingest/orders", "reports/explore"] {
            assert_eq!(after[path].bytes, original[path].bytes, "{on_drift}: {path}");
            assert_eq!(after[path].object_id, original[path].object_id, "{on_drift}: {path}");
            let copy = after.get(&format!(".databricks-deploy/drift/43/{path}"));
            assert_eq!(copy.is_some(), on_drift == "backup", "{path}");
            if let Some(copy) = copy {
                assert_eq!((copy.kind, copy.jupyter), (Kind::Notebook, path == "reports/explore"));
                assert!(copy.bytes.windows(6).any(|bytes| bytes == b"edited"));
            }
        }
        let uploads = changes(&sandbox, since).into_iter().filter(|line| !line.contains(".databricks-deploy"));
        assert_eq!(uploads.count(), 2, "{on_drift}: what is equal is not sent");
        assert_eq!(ended.outcome.drifted.len(), 2);
        assert_settled(&sandbox, &step).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_moved_stays_where_it_was_moved_to() {
    for on_drift in ["backup", "fail", "overwrite"] {
        let sandbox = deployed().await;
        let moved = below(&sandbox)["ingest/orders"].clone();
        sandbox.rename(&format!("{TARGET}/ingest/orders"), &format!("{TARGET}/reports/orders of mine"));
        let foreign_before = foreign(&sandbox);
        let step = fresh(&sandbox, on_drift);
        let since = sandbox.requests().len();
        let ended = step.inside_with(&sandbox, 8).await;
        assert_eq!(foreign(&sandbox), foreign_before, "{on_drift}");
        assert_eq!(below(&sandbox)["reports/orders of mine"], moved, "{on_drift}");
        if on_drift == "fail" {
            assert_eq!(ended.exit, Exit::Conflict, "{}", ended.log);
            assert_eq!(changes(&sandbox, since), Vec::<String>::new());
            continue;
        }
        assert_eq!(ended.exit, Exit::Done, "{on_drift}: {}", ended.log);
        assert_eq!(changes(&sandbox, since), ["import ingest/orders".to_owned(), format!("import {STATE}")]);
        let anew = below(&sandbox)["ingest/orders"].clone();
        assert_eq!(anew.bytes, moved.bytes);
        assert_ne!(anew.object_id, moved.object_id);
        assert!(ended.log.contains(&format!("to `{TARGET}/reports/orders of mine`")), "{}", ended.log);
        let since = sandbox.requests().len();
        assert_eq!(step.inside_with(&sandbox, 9).await.exit, Exit::Done);
        assert_eq!(changes(&sandbox, since), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_of_another_kind_in_the_place_of_ours_is_not_deleted() {
    for on_drift in ["backup", "fail", "overwrite"] {
        let sandbox = deployed().await;
        sandbox.remove(&format!("{TARGET}/ingest/orders"));
        sandbox.put_file(&format!("{TARGET}/ingest/orders"), "a file of somebody\n");
        assert_stops(&sandbox, &fresh(&sandbox, on_drift), &[Code::TypeMismatch]).await;
        // Nor where the local file is gone: it is left, and named.
        let step = fresh(&sandbox, on_drift);
        std::fs::remove_file(step.root().join("notebooks/ingest/orders.py")).unwrap();
        let before = below(&sandbox)["ingest/orders"].clone();
        let ended = again(&sandbox, &step).await;
        assert_eq!(ended.exit, Exit::Done, "{on_drift}: {}", ended.log);
        assert_eq!(below(&sandbox)["ingest/orders"], before);
        assert!(ended.log.contains(&format!("Left alone: {TARGET}/ingest/orders ")), "{}", ended.log);
    }
}
