//! `plan.json`, which a person may have had in the hands between two steps.

use super::assert_can_be_told;
use databricks_deploy::plan::{FileError, Inputs, Intent, OnDrift, Ours, PlanFile, Policy, Prune, Remote, compute};
use databricks_deploy::settings::WorkspacePath;
use databricks_deploy::state::Owner;
use std::collections::BTreeMap;

pub(crate) fn holds(input: &[u8]) {
    let read = PlanFile::read(input);
    assert_eq!(read, PlanFile::read(input), "one text has one meaning");
    match &read {
        Ok(file) => written_and_read_it_is_itself(file),
        Err(error) => assert_can_be_told(&error.problem("plan.json")),
    }
    // The same with the digest that fits, without which nothing but real plans would get any further.
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mine = plan();
    let file = mine.clone().redacted(|_| text.to_owned());
    written_and_read_it_is_itself(&file);
    assert_eq!(file.still_holds(&mine).is_ok(), file.digest() == mine.digest());
    for problem in [file.still_holds(&mine), mine.still_holds(&file)].into_iter().filter_map(Result::err) {
        assert_can_be_told(&problem);
    }
    if file != mine && !read.is_ok_and(|read| read == file) {
        let taken = PlanFile::read(input);
        assert!(taken.is_err(), "the digest does not fit, and it is taken: {taken:?}");
    }
}

fn written_and_read_it_is_itself(file: &PlanFile) {
    let text = file.to_json();
    let again = PlanFile::read(text.as_bytes());
    // A redacted text of another version is told by that.
    if let Err(FileError::Newer { .. } | FileError::NotAPlan(_)) = &again {
        return;
    }
    assert_eq!(again.as_ref(), Ok(file), "{text}");
    assert_eq!(again.map(|again| again.to_json()), Ok(text));
    assert_eq!(file.still_holds(file), Ok(()));
}

/// The plan for a target that has nothing yet.
fn plan() -> PlanFile {
    let root = WorkspacePath::parse("/Workspace/Shared/etl").expect("a path");
    let inputs = Inputs {
        root: &root,
        intent: Intent::Deploy,
        policy: Policy { prune: Prune::Files, on_drift: OnDrift::Backup },
        local: &BTreeMap::new(),
        remote: &Remote::default(),
        ours: &Ours::default(),
    };
    let owner = Owner::new(Some("acme/etl"), Some("{ab-1}"), "notebooks", "production");
    PlanFile::of(&compute(&inputs, &BTreeMap::new()), &owner, "0.1.0")
}
