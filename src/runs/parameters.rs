//! How `PARAMS` reach a job: as job parameters where it defines any, else as notebook parameters. Pure.

use crate::databricks::jobs::Job;
use crate::order;
use crate::problem::{Code, Problem};
use std::collections::BTreeMap;

/// `PARAMS`, in the form that a job takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    /// For parameters that the job defines.
    pub(super) job: BTreeMap<String, String>,
    /// For every notebook task of a job that defines none.
    pub(super) notebook: BTreeMap<String, String>,
}

/// The form that `job` takes `params` in.
pub(super) fn map(job: &Job, params: &[(String, String)]) -> Result<Parameters, Vec<Problem>> {
    let given = || order::gathered::<_, BTreeMap<_, _>>(params.iter().cloned());
    if params.is_empty() {
        return Ok(Parameters::default());
    }
    let place = || format!("job `{}` ({})", job.name, job.id);
    if !job.parameters.is_empty() {
        let defined = job.parameters.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let unknown: Vec<Problem> = params
            .iter()
            .filter(|(name, _)| !job.parameters.contains(name))
            .map(|(name, _)| {
                Problem::new(Code::UnknownParameter, format!("the job does not define the parameter `{name}`"))
                    .at(place())
                    .hint(format!("it defines {defined}"))
            })
            .collect();
        return if unknown.is_empty() {
            Ok(Parameters { job: given(), ..Parameters::default() })
        } else {
            Err(unknown)
        };
    }
    let others: Vec<String> = job
        .tasks
        .iter()
        .filter(|task| task.kind != "notebook_task")
        .map(|task| format!("`{}` is a `{}`", task.key, task.kind))
        .collect();
    if others.is_empty() && !job.tasks.is_empty() {
        return Ok(Parameters { notebook: given(), ..Parameters::default() });
    }
    let why = if job.tasks.is_empty() { "it has no tasks".to_owned() } else { others.join(", ") };
    Err(vec![
        Problem::new(
            Code::ParametersNotAccepted,
            format!(
                "`PARAMS` cannot reach it: it defines no job parameters, and not all its tasks are notebooks ({why})"
            ),
        )
        .at(place())
        .hint("define the parameters in the job, or leave `PARAMS` out"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::databricks::jobs::JobTask;

    fn job(parameters: &[&str], kinds: &[&str]) -> Job {
        Job {
            id: 7,
            name: "etl".into(),
            tasks: kinds
                .iter()
                .enumerate()
                .map(|(index, kind)| JobTask { key: format!("t{index}"), kind: (*kind).into(), compute: Vec::new() })
                .collect(),
            parameters: parameters.iter().map(|name| (*name).to_owned()).collect(),
            run_as: None,
            job_clusters: Vec::new(),
        }
    }

    fn params(names: &[&str]) -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), "v".to_owned())).collect()
    }

    #[test]
    fn a_job_that_defines_parameters_takes_them_and_only_them() {
        let mapped = map(&job(&["day", "env"], &["sql_task"]), &params(&["day"])).unwrap();
        assert_eq!((mapped.job.len(), mapped.notebook.len()), (1, 0));
        let problems = map(&job(&["day"], &["notebook_task"]), &params(&["day", "dya"])).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].to_string().contains("`dya`"), "{}", problems[0]);
        assert_eq!(problems[0].hint.as_deref(), Some("it defines `day`"));
    }

    #[test]
    fn notebook_jobs_take_notebook_parameters() {
        let mapped = map(&job(&[], &["notebook_task", "notebook_task"]), &params(&["day"])).unwrap();
        assert_eq!((mapped.job.len(), mapped.notebook.len()), (0, 1));
    }

    #[test]
    fn other_tasks_are_named() {
        let problems = map(&job(&[], &["notebook_task", "sql_task"]), &params(&["day"])).unwrap_err();
        assert!(problems[0].message.contains("`t1` is a `sql_task`"), "{}", problems[0]);
        assert_eq!(map(&job(&[], &["sql_task"]), &[]), Ok(Parameters::default()));
    }
}
