//! `state.json`: whatever stands in its place.

use super::assert_can_be_told;
use databricks_deploy::state::{DeployedBy, FOLDER, Found, Lock, Owner, State};
use std::collections::BTreeSet;

pub(crate) fn holds(input: &[u8]) {
    let me = Owner::new(Some("acme/etl"), Some("{ab-1}"), "notebooks", "production");
    let found = State::read(input, &me);
    assert_eq!(found, State::read(input, &me), "one text has one meaning");
    if let Found::Ours(state) = &found {
        believable(state, &me);
        written_and_read_it_is_itself(state, &me);
    }
    if let Found::Foreign(whose) = &found {
        assert_ne!(whose.0, me);
    }
    match found.accept("/Workspace/Shared/etl/.databricks-deploy/state.json", &me) {
        Ok(accepted) => accepted.warning.iter().for_each(assert_can_be_told),
        Err(stop) => stop.problems.iter().for_each(assert_can_be_told),
    }
}

/// What the judge promises of a state that it lets pass.
fn believable(state: &State, me: &Owner) {
    assert_eq!(state.owner, *me);
    let next = state.serial + 1;
    assert_eq!(Lock::generation(&Lock::file(next)), Some(next), "nobody would see the next lock");
    let mut ids = BTreeSet::new();
    for (path, record) in &state.files {
        let names: Vec<&str> = path.as_str().split('/').collect();
        assert!(names.iter().all(|name| !matches!(*name, "" | "." | "..")), "{path}");
        assert_ne!(names[0], FOLDER, "{path}");
        assert!(record.object_id > 0 && ids.insert(record.object_id), "{path}: {record:?}");
        for end in 1..names.len() {
            let folder = names[..end].join("/");
            assert!(!state.files.contains_key(folder.as_str()), "{folder} is a file, and {path} lies in it");
        }
    }
}

fn written_and_read_it_is_itself(state: &State, me: &Owner) {
    let text = state.to_json();
    let Found::Ours(again) = State::read(text.as_bytes(), me) else { panic!("is not taken for ours: {text}") };
    assert_eq!(*again, *state, "{text}");
    assert_eq!(again.to_json(), text);
    // What a newer version wrote beside it outlives a deploy by this one.
    let next = state.succeeded_by(DeployedBy::default(), state.files.clone(), 7);
    assert!(next.serial > state.serial);
    // One that comes to the end of all serials is the last.
    if Lock::generation(&Lock::file(next.serial + 1)).is_some() {
        let Found::Ours(next) = State::read(next.to_json().as_bytes(), me) else { panic!("{}", next.to_json()) };
        assert_eq!((&next.others, &next.files), (&state.others, &state.files));
    }
}
