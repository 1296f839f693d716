//! `lock-7.json`: a line with the name of a file in the records' folder, then what is in it.

use super::is_one_plain_line;
use databricks_deploy::state::Lock;
use std::time::{Duration, UNIX_EPOCH};

pub(crate) fn holds(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    if let Ok(name) = std::str::from_utf8(&input[..end])
        && let Some(generation) = Lock::generation(name)
    {
        assert_eq!(Lock::file(generation), name, "one generation has one name");
    }
    let content = input.get(end + 1..).unwrap_or_default();
    let lock = match Lock::read(content) {
        Ok(lock) => lock,
        Err(why) => {
            assert!(is_one_plain_line(&why) && (1..=400).contains(&why.chars().count()), "{why:?}");
            return;
        }
    };
    let text = lock.to_json();
    let again = Lock::read(text.as_bytes());
    assert_eq!(again.as_ref(), Ok(&lock), "{text}");
    assert_eq!(again.map(|again| again.to_json()), Ok(text));
    assert!(lock.held_by.page().is_none_or(|page| is_one_plain_line(&page) && page.starts_with("https://")));
    // A lease ends once, and does not begin again.
    let hours = [0, 1, 500_000, 5_000_000].map(|hours| lock.is_over(UNIX_EPOCH + Duration::from_secs(hours * 3_600)));
    assert!(hours.is_sorted() && (lock.expires_at.is_some() || !hours[3]));
    assert!(!lock.step.comes_after(&lock.step) || lock.step.step.is_some());
}
