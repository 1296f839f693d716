//! Creates an object where nothing is. The request may not be repeated blindly: what is there tells what became of it.

use crate::databricks::Workspace;
use crate::databricks::error::Error;
use crate::databricks::objects::{Export, Exported, Put};
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The longest pause between two attempts.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What came of it.
#[derive(Debug)]
pub(super) enum Created {
    /// It is there.
    Written,
    /// This is there: somebody else's, or what an attempt has written whose answer was lost.
    Found(Exported),
}

/// Sends `write` until it is known what is there, as long as the patience with one request lasts.
pub(super) async fn create<F>(
    workspace: &Workspace,
    at: &str,
    export: Export,
    write: impl Fn() -> F,
) -> Result<Created, Error>
where
    F: Future<Output = Result<Put, Error>>,
{
    let (began, mut attempts, mut pause) = (Instant::now(), 0, Duration::from_secs(1));
    loop {
        attempts += 1;
        let error = match write().await {
            Ok(Put::Written) => return Ok(Created::Written),
            Ok(Put::Exists) => return Ok(Created::Found(workspace.export(at, export).await?)),
            Err(error) if error.is_uncertain() => error,
            Err(error) => return Err(error),
        };
        match workspace.export(at, export).await? {
            // Nothing of this name is in the way of another attempt.
            Exported::Missing if began.elapsed() + pause < workspace.patience() => {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Exported::Missing => return Err(error.repeated(attempts, began.elapsed())),
            there => return Ok(Created::Found(there)),
        }
    }
}
