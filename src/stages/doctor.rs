//! `ACTION: doctor`: puts together what the doctor examines with, and writes down what it finds.

use super::connect::{Patience, client};
use crate::doctor::{self, Case, Counts};
use crate::event::{Emit, Event};
use crate::exit::Exit;
use crate::http::{Proxy, Stats};
use crate::problem::{Code, Problem};
use crate::report::{claim, findings, replace};
use crate::settings::{Patient, Route};
use crate::stop::Stop;
use crate::{End, Start, unwind};
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long passing troubles of one request are borne: who asks what is wrong does not want to wait for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Examines everything, until all is examined, or somebody or `TIMEOUT` ends it. What was found decides how it ends.
pub(crate) async fn run(
    start: &Start<'_>,
    patient: &Patient,
    warnings: &[Problem],
    shutdown: impl Future<Output = ()>,
) -> End {
    let patience = Patience { bears: PATIENCE, deadline: start.clock.at + patient.timeout };
    let client = match patient.route.as_ref().map(|route| client(start, route, patience)).transpose() {
        Ok(client) => client,
        Err(problems) => return (Err(Stop { exit: Exit::Bug, problems }), Stats::default()),
    };
    let proxy = patient.route.as_ref().and_then(way);
    let record = Record::new(start, patient.output_dir.as_deref());
    let case = Case {
        patient,
        warnings,
        pipeline: start.pipeline,
        client: client.as_ref(),
        proxy: proxy.as_deref(),
        redactor: start.redactor,
        secrets: start.secrets,
        clock: start.clock,
        events: &record,
    };
    let ended = tokio::select! {
        biased;
        // Before what is asked for in that very moment: that nobody waited for its answer is no fault of the host.
        () = tokio::time::sleep_until(patience.deadline) => Err(time_is_up()),
        examined = unwind::caught(doctor::examine(&case)) => match examined {
            Ok(None) => Ok(()),
            Ok(Some(out_of_time)) => Err(Stop::because(Exit::WaitEnded, out_of_time)),
            Err(_) => Err(crate::panicked(&start.journalist.outcome())),
        },
        () = shutdown => Err(crate::told_to_stop()),
    };
    let complete = ended.is_ok();
    let Counts { good, bad, unknown } = Counts::of(&start.journalist.outcome().findings);
    let found = if bad > 0 { Exit::Identity } else { Exit::Done };
    let exit = ended.as_ref().err().map_or(found, |stop| stop.exit.or_worse(found));
    let file = record.end(complete, exit);
    start.journalist.emit(Event::Examined { complete, good, bad, unknown, file });
    let end = match ended {
        Err(stop) => Err(Stop { exit, ..stop }),
        Ok(()) if bad > 0 => Err(Stop::told(exit)),
        Ok(()) => Ok(()),
    };
    (end, client.map(|client| client.stats()).unwrap_or_default())
}

fn time_is_up() -> Stop {
    let problem = Problem::new(Code::TimeIsUp, "`TIMEOUT` passed before everything was examined");
    Stop::because(Exit::WaitEnded, problem.hint("raise `TIMEOUT`, or look above at what the time was spent on"))
}

/// The proxy that requests to the host go through.
fn way(route: &Route) -> Option<String> {
    let proxy = route.proxy.clone()?;
    Proxy { url: proxy.url, login: proxy.login, except: proxy.except }.on_the_way_to(&route.host)
}

/// Hands every event on, and keeps `doctor.json` up to date: Bitbucket's Stop button kills, and what was found until then
/// is there all the same. It is beside the outputs of this call: the file of an earlier one is never overwritten.
struct Record<'a> {
    start: &'a Start<'a>,
    /// Where it is; nothing where there is no folder for it.
    path: Option<io::Result<PathBuf>>,
    folder: &'a Path,
}

impl<'a> Record<'a> {
    fn new(start: &'a Start<'a>, folder: Option<&'a Path>) -> Record<'a> {
        let path = folder.map(|folder| claim(folder, "doctor").map(|(_, path)| path));
        Record { start, path, folder: folder.unwrap_or(start.here) }
    }

    /// What cannot be written now is told at the end, when it is tried for the last time.
    fn keep(&self) {
        if let Some(Ok(path)) = &self.path {
            let _ = self.write(path, false, None);
        }
    }

    fn write(&self, path: &Path, complete: bool, exit: Option<Exit>) -> io::Result<()> {
        let text = findings(&self.start.journalist.outcome().findings, complete, exit);
        replace(path, &self.start.redactor.redact(&text))
    }

    /// Writes it for the last time, and says where it is. What cannot be written is a warning, never the exit code.
    fn end(self, complete: bool, exit: Exit) -> Option<String> {
        let shown = |path: &Path| path.strip_prefix(self.start.here).unwrap_or(path).to_string_lossy().into_owned();
        let written = self.path.as_ref()?.as_ref().map_err(ToString::to_string).and_then(|path| {
            self.write(path, complete, Some(exit)).map_err(|error| error.to_string())?;
            Ok(shown(path))
        });
        written
            .map_err(|error| {
                let message = format!("the findings cannot be written: {error}");
                let problem = Problem::new(Code::OutputsNotWritten, message).at(shown(self.folder));
                let hint = "set `OUTPUT_DIR` to a folder of the clone that the pipe may write to";
                self.start.journalist.emit(Event::Warned(problem.hint(hint)));
            })
            .ok()
    }
}

impl Emit for Record<'_> {
    fn emit(&self, event: Event) {
        let found = matches!(event, Event::Found(_));
        self.start.journalist.emit(event);
        if found {
            self.keep();
        }
    }
}
