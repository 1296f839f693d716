//! `lock-<n>.json`: who may change the target now. The service has no compare-and-swap, only "create fails where it
//! exists": so whoever wants the lock creates the generation after the highest, and the highest holds.

use super::{DeployedBy, Owner, json};
use crate::pipeline::Pipeline;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a lock is held without being renewed.
pub const LEASE: Duration = Duration::from_secs(120);

/// Generations go up by one a deploy; a number with more digits than this was not made by us.
const MOST_DIGITS: usize = 15;

/// Who holds a target's lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lock {
    /// Whose target it is.
    pub owner: Owner,
    /// The build that deploys.
    pub held_by: DeployedBy,
    /// Which of the processes of one step it is: tells whether the lock is one's own when an answer was lost.
    pub nonce: String,
    /// Where the process runs.
    #[serde(default)]
    pub step: StepId,
    /// How often it has been written: tells those who watch it that it is renewed, also where the service tells no time.
    #[serde(default)]
    pub writes: u64,
    /// When the lease ends by the service's clock, in seconds since 1970; `None` where the service tells no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// Which run of which step of which pipeline a process belongs to, as far as Bitbucket told it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepId {
    /// The pipeline's UUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// The step's UUID; new in every run of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Goes up when a step is run again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
}

impl StepId {
    /// That of this step.
    pub fn of(pipeline: &Pipeline) -> StepId {
        StepId {
            pipeline: pipeline.pipeline_uuid.clone(),
            step: pipeline.step_uuid.clone(),
            attempt: pipeline.attempt.as_deref().and_then(|attempt| attempt.trim().parse().ok()),
        }
    }

    /// Whether a process of `other` is certainly over now that one of this step runs. The script of a step runs one
    /// line after the other, and a step is run again only when it has ended. Two steps of one pipeline may well run side
    /// by side, so that the pipeline alone says nothing.
    pub fn comes_after(&self, other: &StepId) -> bool {
        let same = |one: &Option<String>, two: &Option<String>| one.is_some() && one == two;
        let later = matches!((self.attempt, other.attempt), (Some(one), Some(two)) if one > two);
        same(&self.pipeline, &other.pipeline) && (same(&self.step, &other.step) || later)
    }
}

#[derive(Serialize, Deserialize)]
struct Written<L> {
    schema: u32,
    #[serde(flatten)]
    lock: L,
}

/// The version of the form.
const SCHEMA: u32 = 1;

impl Lock {
    /// The last generation that there can be.
    pub const LAST: u64 = 10_u64.pow(MOST_DIGITS as u32) - 1;

    /// The name of the file of a generation.
    pub fn file(generation: u64) -> String {
        format!("lock-{generation}.json")
    }

    /// The generation of a file's name; `None` for what is no lock.
    pub fn generation(file: &str) -> Option<u64> {
        let digits = file.strip_prefix("lock-")?.strip_suffix(".json")?;
        let normal = !digits.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit());
        if normal && digits.len() <= MOST_DIGITS { digits.parse().ok() } else { None }
    }

    /// Reads what stands in the place of a lock. What cannot be read counts as a lock of somebody unknown: why it cannot
    /// is the end of a sentence that starts with the file.
    pub fn read(bytes: &[u8]) -> Result<Lock, String> {
        let Written { schema, lock } =
            serde_json::from_slice::<Written<Lock>>(bytes).map_err(|error| json::what_is_wrong(&error))?;
        if schema == SCHEMA { Ok(lock) } else { Err(format!("has schema {schema}, and this version knows {SCHEMA}")) }
    }

    /// The text of the file.
    pub fn to_json(&self) -> String {
        // Strings and numbers: there is nothing in it that JSON cannot hold.
        let mut text = serde_json::to_string_pretty(&Written { schema: SCHEMA, lock: self }).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Whether the lease is over at this time of the service.
    pub fn is_over(&self, now: SystemTime) -> bool {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// When the lease ends, by the service's clock.
    pub fn expires(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.expires_at?))
    }

    /// When a lease ends that begins now, by the service's clock.
    pub fn lease_from(now: SystemTime) -> u64 {
        (now + LEASE).duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(pipeline: &str, step: &str, attempt: u32) -> StepId {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        StepId { pipeline: text(pipeline), step: text(step), attempt: (attempt > 0).then_some(attempt) }
    }

    #[test]
    fn only_a_later_attempt_or_the_same_step_knows_that_the_other_is_over() {
        assert!(id("p", "b", 2).comes_after(&id("p", "a", 1)));
        assert!(id("p", "a", 1).comes_after(&id("p", "a", 1)));
        for (one, other) in [
            // Side by side in one pipeline.
            (id("p", "b", 1), id("p", "a", 1)),
            (id("p", "a", 1), id("p", "b", 2)),
            (id("q", "b", 2), id("p", "a", 1)),
            // Nobody knows.
            (id("", "", 0), id("", "", 0)),
            (id("p", "", 0), id("p", "", 0)),
            (id("", "a", 2), id("", "a", 1)),
        ] {
            assert!(!one.comes_after(&other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn the_name_tells_the_generation_in_one_way() {
        for generation in [1, 7, 10, 999_999_999_999_999] {
            assert_eq!(Lock::generation(&Lock::file(generation)), Some(generation));
        }
        for name in
            ["lock-.json", "lock-01.json", "lock-0.json", "lock--1.json", "lock-1.json.bak", "lock-1", "state.json"]
        {
            assert_eq!(Lock::generation(name), None, "{name}");
        }
        assert_eq!(Lock::generation("lock-1000000000000000.json"), None);
    }

    #[test]
    fn what_was_written_is_read_and_what_was_not_is_told_apart() {
        let lock = Lock {
            owner: Owner::new(Some("acme/etl"), Some("{ab}"), "notebooks", "production"),
            held_by: DeployedBy { build: Some("7".into()), ..DeployedBy::default() },
            nonce: "00ff".into(),
            step: id("p", "a", 1),
            writes: 3,
            expires_at: Some(1_000),
        };
        let text = lock.to_json();
        assert_eq!(Lock::read(text.as_bytes()), Ok(lock.clone()));
        assert!(!lock.is_over(UNIX_EPOCH + Duration::from_secs(999)));
        assert!(lock.is_over(UNIX_EPOCH + Duration::from_secs(1_000)));
        assert!(!Lock { expires_at: None, ..lock }.is_over(UNIX_EPOCH + Duration::from_secs(u32::MAX.into())));
        for wrong in ["", "{}", &text[..text.len() / 2], &text.replace("\"schema\": 1", "\"schema\": 2")] {
            assert!(Lock::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
