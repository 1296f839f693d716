//! `ACTION: doctor`: puts together what the doctor examines with, and writes down what it finds.

use super::connect::{Patience, client};
use crate::doctor::{self, Case};
use crate::event::{Emit, Event};
use crate::exit::Exit;
use crate::http::{Proxy, Stats};
use crate::problem::{Code, Problem};
use crate::report::{claim, findings};
use crate::settings::{Patient, Route};
use crate::stop::Stop;
use crate::{End, Start};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// How long passing troubles of one request are borne: who asks what is wrong does not want to wait for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Examines everything. What was found decides how it ends, and nothing else.
pub(crate) async fn run(start: &Start<'_>, patient: &Patient, warnings: &[Problem]) -> End {
    let patience = Patience { bears: PATIENCE, deadline: start.clock.at + patient.timeout };
    let client = match patient.route.as_ref().map(|route| client(start, route, patience)).transpose() {
        Ok(client) => client,
        Err(problems) => return (Err(Stop { exit: Exit::Bug, problems }), Stats::default()),
    };
    let proxy = patient.route.as_ref().and_then(way);
    let case = Case {
        patient,
        warnings,
        pipeline: start.pipeline,
        client: client.as_ref(),
        proxy: proxy.as_deref(),
        redactor: start.redactor,
        secrets: start.secrets,
        clock: start.clock,
        events: start.journalist,
    };
    let counts = doctor::examine(&case).await;
    let exit = if counts.bad > 0 { Exit::Identity } else { Exit::Done };
    let file = patient.output_dir.as_deref().and_then(|folder| write(start, folder, exit));
    let doctor::Counts { good, bad, unknown } = counts;
    start.journalist.emit(Event::Examined { good, bad, unknown, file });
    let end = if bad > 0 { Err(Stop::told(exit)) } else { Ok(()) };
    (end, client.map(|client| client.stats()).unwrap_or_default())
}

/// The proxy that requests to the host go through.
fn way(route: &Route) -> Option<String> {
    let proxy = route.proxy.clone()?;
    Proxy { url: proxy.url, login: proxy.login, except: proxy.except }.on_the_way_to(&route.host)
}

/// Writes the findings beside the outputs of this call: those of an earlier one are never overwritten. What cannot be
/// written is a warning, never the exit code.
fn write(start: &Start<'_>, folder: &Path, exit: Exit) -> Option<String> {
    let shown = |path: &Path| path.strip_prefix(start.here).unwrap_or(path).to_string_lossy().into_owned();
    let text = findings(&start.journalist.outcome().findings, exit);
    let written = claim(folder, "doctor").and_then(|(mut file, path)| {
        file.write_all(start.redactor.redact(&text).as_bytes())?;
        Ok(path)
    });
    match written {
        Ok(path) => Some(shown(&path)),
        Err(error) => {
            let message = format!("the findings cannot be written: {error}");
            let problem = Problem::new(Code::OutputsNotWritten, message).at(shown(folder));
            let hint = "set `OUTPUT_DIR` to a folder of the clone that the pipe may write to";
            start.journalist.emit(Event::Warned(problem.hint(hint)));
            None
        }
    }
}
