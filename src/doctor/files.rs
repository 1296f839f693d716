//! The files of the clone, as a deploy would read them.

use super::Case;
use super::chart::Chart;
use crate::finding::Group;
use crate::plan::PlanFile;
use crate::source::{self, LocalTree};
use crate::text;

/// The tree that a deploy would send; `None` where there is none, or none that could be sent.
pub(super) async fn examine(case: &Case<'_>, chart: &mut Chart<'_>) -> Option<LocalTree> {
    let files = case.patient.files.clone()?;
    if let Some(plan) = &case.patient.plan {
        let shown = plan.file_name().unwrap_or_default().to_string_lossy();
        match PlanFile::open(plan, &shown) {
            Ok(_) => chart.good(Group::Files, format!("`{shown}` is a plan that a deploy can be held to")),
            Err(problem) => chart.bad(Group::Files, problem),
        }
    }
    let from = files.shown.clone();
    let (output_dir, secrets) = (case.patient.output_dir.clone().unwrap_or_default(), case.secrets.to_vec());
    let read = tokio::task::spawn_blocking(move || source::read(&files, &output_dir, &secrets)).await;
    let (tree, warnings, problems) = match read {
        Ok(Ok(tree)) => (Some(tree.clone()), tree.warnings, Vec::new()),
        Ok(Err(unusable)) => (None, unusable.warnings, unusable.problems),
        Err(panicked) => {
            chart.unknown(Group::Files, format!("reading `LOCAL_PATH` ended unexpectedly: {panicked}"));
            return None;
        }
    };
    problems.into_iter().for_each(|problem| chart.bad(Group::Files, problem));
    warnings.into_iter().for_each(|warning| chart.odd(Group::Files, warning));
    if let Some(tree) = &tree {
        let number = text::count(tree.files.len(), "file");
        chart.good(Group::Files, format!("{number} below `{from}` can be deployed"));
    }
    tree
}
