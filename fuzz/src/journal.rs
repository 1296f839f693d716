//! `journal.json`: what a deploy that did not end left, or somebody else put there.

use super::is_one_plain_line;
use databricks_deploy::state::{DeployedBy, FOLDER, FoundJournal, Journal, Owner};

pub(crate) fn holds(input: &[u8]) {
    let me = Owner::new(Some("acme/etl"), Some("{ab-1}"), "notebooks", "production");
    let found = Journal::read(input, &me);
    assert_eq!(found, Journal::read(input, &me), "one text has one meaning");
    match found {
        FoundJournal::Ours(journal) => {
            assert_eq!(journal.owner, me);
            for path in journal.writes.keys() {
                let mut names = path.as_str().split('/');
                assert!(names.clone().all(|name| !matches!(name, "" | "." | "..")), "{path}");
                assert_ne!(names.next(), Some(FOLDER), "{path}");
            }
            written_and_read_it_is_itself(&journal, &me);
            goes_on(&journal, &me);
        }
        FoundJournal::Foreign(whose) => assert_ne!(whose.0, me),
        FoundJournal::Unreadable(why) => {
            assert!(is_one_plain_line(&why) && (1..=400).contains(&why.chars().count()), "{why:?}");
        }
        FoundJournal::Newer { schema, .. } => assert!(schema > 1),
        FoundJournal::Nothing => panic!("something was there"),
    }
}

fn written_and_read_it_is_itself(journal: &Journal, me: &Owner) {
    let text = journal.to_json();
    let FoundJournal::Ours(again) = Journal::read(text.as_bytes(), me) else { panic!("is not taken for ours: {text}") };
    assert_eq!((&*again, again.to_json()), (journal, text));
}

/// The deploy after it is about to write the same once more: nothing that may be there is forgotten but the oldest.
fn goes_on(journal: &Journal, me: &Owner) {
    let same = journal.writes.iter().filter_map(|(path, all)| Some((path.clone(), *all.last()?)));
    let next = Journal::of(me, DeployedBy::default(), &journal.writes, same);
    for (path, before) in &journal.writes {
        let now = &next.writes[path];
        assert_eq!(now.last(), before.last(), "{path}");
        assert!(now.len() >= before.len().min(16) || before.iter().all(|one| now.contains(one)), "{path}");
    }
    written_and_read_it_is_itself(&next, me);
}
