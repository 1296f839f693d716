use super::*;
use crate::source::{Kind, Language};
use crate::state::Digest;
use proptest::prelude::*;

fn me() -> Owner {
    Owner::new(Some("acme/etl"), Some("{ab}"), "notebooks", "production")
}

fn record(id: i64) -> FileRecord {
    FileRecord {
        kind: Kind::SourceNotebook(Language::Sql),
        digest: Digest::of(b"sent"),
        fingerprint: Digest::of(b"given back"),
        size: 4,
        object_id: id,
        modified_at: Some(1_700_000_000_000),
    }
}

fn state() -> State {
    let mut state = State::new(me());
    state.serial = 7;
    state.deployed_by = DeployedBy { version: Some("0.1.0".into()), build: Some("12".into()), ..DeployedBy::default() };
    state.files.insert(RelativePath::parse("b/query").unwrap(), record(11));
    let plain = FileRecord { kind: Kind::File, fingerprint: Digest::of(b"sent"), modified_at: None, ..record(12) };
    state.files.insert(RelativePath::parse("a.csv").unwrap(), plain);
    state
}

fn unreadable(text: &str) -> String {
    match State::read(text.as_bytes(), &me()) {
        Found::Unreadable(why) => why,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn people_can_read_the_text_and_the_pipe_reads_it_back() {
    let text = state().to_json();
    let digest = Digest::of(b"sent");
    let fingerprint = Digest::of(b"given back");
    assert_eq!(
        text,
        format!(
            r#"{{
  "schema": 1,
  "owner": {{
    "repository": "acme/etl",
    "repository_uuid": "ab",
    "local_path": "notebooks",
    "target": "production"
  }},
  "serial": 7,
  "deployed_by": {{
    "version": "0.1.0",
    "build": "12"
  }},
  "files": {{
    "a.csv": {{
      "kind": "file",
      "digest": "{digest}",
      "size": 4,
      "object_id": 12
    }},
    "b/query": {{
      "kind": "notebook",
      "language": "sql",
      "digest": "{digest}",
      "fingerprint": "{fingerprint}",
      "size": 4,
      "object_id": 11,
      "modified_at": 1700000000000
    }}
  }}
}}
"#
        )
    );
    assert_eq!(State::read(text.as_bytes(), &me()), Found::Ours(Box::new(state())));
}

#[test]
fn what_a_newer_pipe_of_the_same_schema_added_is_kept() {
    let text =
        state().to_json().replacen("\"serial\"", "\"jobs\": {\"nightly\": {\"id\": 9007199254740993}}, \"serial\"", 1);
    let Found::Ours(read) = State::read(text.as_bytes(), &me()) else { panic!("{text}") };
    let next = read.succeeded_by(DeployedBy::default(), BTreeMap::new(), 8);
    assert_eq!(next.serial, 8);
    // Where others have taken the lock and not come to write the state, it goes beyond them.
    assert_eq!(read.succeeded_by(DeployedBy::default(), BTreeMap::new(), 11).serial, 11);
    assert_eq!(read.succeeded_by(DeployedBy::default(), BTreeMap::new(), 2).serial, 8);
    assert!(next.to_json().contains("9007199254740993"), "{}", next.to_json());
    let unknown_in_a_record = state().to_json().replacen("\"size\"", "\"colour\": \"red\", \"size\"", 1);
    assert_eq!(State::read(unknown_in_a_record.as_bytes(), &me()), Found::Ours(Box::new(state())));
}

#[test]
fn another_owner_is_known_even_by_a_damaged_state() {
    let other = Owner::new(Some("acme/other"), Some("{cd}"), "notebooks", "production");
    let text = state().to_json();
    let by = state().deployed_by;
    assert_eq!(State::read(text.as_bytes(), &other), Found::Foreign(Box::new((me(), by.clone()))));
    let damaged = text.replace("\"a.csv\"", "\"../a.csv\"");
    assert_eq!(State::read(damaged.as_bytes(), &other), Found::Foreign(Box::new((me(), by))));
}

#[test]
fn a_newer_form_is_told_with_the_version_that_wrote_it() {
    let newer = state().to_json().replace("\"schema\": 1", "\"schema\": 2").replace("0.1.0", "3.4.5");
    assert_eq!(State::read(newer.as_bytes(), &me()), Found::Newer { schema: 2, by: Some("3.4.5".into()) });
    // In any form, as long as it says its version.
    assert_eq!(State::read(br#"{"schema": 9, "owner": 5, "files": []}"#, &me()), Found::Newer { schema: 9, by: None });
}

#[test]
fn damage_and_changes_by_hand_are_told_and_never_believed() {
    let text = state().to_json();
    assert_eq!(unreadable(""), "ends in the middle");
    assert_eq!(unreadable("<html>"), "is not JSON (line 1)");
    assert_eq!(unreadable(&text[..text.len() / 2]), "ends in the middle");
    assert!(unreadable("[]").starts_with("is not what the pipe wrote: "));
    assert!(unreadable(r#"{"schema": 0}"#).contains("never was"));
    for (from, to, why) in [
        ("\"a.csv\"", "\"../a.csv\"", "the path `../a.csv` contains `.` or `..`"),
        ("\"a.csv\"", "\"/Workspace/a.csv\"", "is absolute"),
        ("\"a.csv\"", "\".databricks-deploy/lock-1.json\"", "keeps its own records in"),
        ("\"a.csv\"", "\"b/query\"", "`b/query` stands there twice"),
        ("\"a.csv\"", "\"b\"", "names `b` as a file and `b/query` in it"),
        ("\"a.csv\"", "\"a\\ncsv\"", "contains a control character"),
        ("\"object_id\": 12", "\"object_id\": 11", "one object id"),
        ("\"object_id\": 12", "\"object_id\": -12", "negative or zero"),
        ("\"object_id\": 12", "\"object_id\": 12.5", "is not what the pipe wrote"),
        ("\"object_id\": 12", "\"object_id\": 12, \"object_id\": 13", "duplicate field"),
        ("\"size\": 4", "\"size\": 4000000000000000", "beyond that of any workspace file"),
        ("\"size\": 4", "\"size\": -4", "is not what the pipe wrote"),
        ("\"modified_at\": 1", "\"modified_at\": -1", "negative or zero"),
        ("\"kind\": \"file\"", "\"kind\": \"folder\"", "none that can be deployed"),
        ("\"kind\": \"file\"", "\"kind\": \"notebook\"", "none that can be deployed"),
        ("\"language\": \"sql\"", "\"language\": \"cobol\"", "none that can be deployed"),
        ("\"digest\": \"", "\"digest\": \"0", "64 lowercase hex digits"),
        ("\"serial\": 7", "\"serial\": 7, \"serial\": 8", "duplicate field"),
        ("\"serial\": 7", "\"serial\": 7, \"x\": 1, \"x\": 2", "`x` stands there twice"),
        ("\"files\": {", "\"files\": 5, \"other\": {", "is not what the pipe wrote"),
        ("\"schema\": 1", "\"schema\": \"1\"", "is not what the pipe wrote"),
        ("\"schema\": 1", "\"schema\": 1, \"schema\": 9", "duplicate field"),
        ("\"owner\": {", "\"owner\": null, \"x\": {", "is not what the pipe wrote"),
    ] {
        assert!(text.contains(from), "{from}");
        let told = unreadable(&text.replacen(from, to, 1));
        assert!(told.contains(why), "{from} → {to}: {told}");
    }
}

proptest! {
    /// Cut or flipped anywhere, it is read as it was or not at all, and never panics.
    #[test]
    fn no_damage_is_half_believed(at in 0..900_usize, byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = state().to_json().into_bytes();
        let at = at % bytes.len();
        if cut {
            bytes.truncate(at);
            prop_assert!(matches!(State::read(&bytes, &me()), Found::Unreadable(_) | Found::Ours(_)));
            prop_assert!(at + 1 == state().to_json().len() || matches!(State::read(&bytes, &me()), Found::Unreadable(_)));
        } else {
            bytes[at] = byte;
            if let Found::Ours(read) = State::read(&bytes, &me()) {
                prop_assert!(read.files.len() == 2);
            }
        }
    }
}
