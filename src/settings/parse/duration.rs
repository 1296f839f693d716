//! Durations.

use crate::problem::{Code, Problem};
use crate::settings::echo::Echo;
use std::time::Duration;

/// A Bitbucket step ends after 720 minutes at the latest (`max-time` in the schema of `bitbucket-pipelines.yml`).
const LONGEST: Duration = Duration::from_secs(720 * 60);

/// Reads a time of at least one second: `90s`, `15m`, `1h30m`; a bare number is in seconds.
pub(in crate::settings) fn duration(text: &str, echo: Echo<'_>) -> Result<Duration, Problem> {
    let shown = echo.show(text);
    let wrong = |message: String, hint: &str| Err(Problem::new(Code::InvalidValue, message).hint(hint));
    let parsed = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Only a number too large for the type fails here, and that is too long in any case.
        Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
    } else {
        humantime::parse_duration(text).ok()
    };
    match parsed {
        None => wrong(
            format!("{shown} is not a duration"),
            "write `90s`, `15m`, `2h` or `1h30m`; a bare number is in seconds",
        ),
        Some(parsed) if parsed < Duration::from_secs(1) => {
            wrong(format!("{shown} is less than a second"), "leave the variable out for the default")
        }
        Some(parsed) if parsed > LONGEST => {
            wrong(format!("{shown} is more than 12 hours"), "a step ends after 720 minutes at the latest")
        }
        Some(parsed) => Ok(parsed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_durations() {
        let seconds = |text: &str| duration(text, Echo::new(text, &[])).ok().map(|duration| duration.as_secs());
        for (text, expected) in [
            ("90", 90),
            ("90s", 90),
            ("15m", 900),
            ("15min", 900),
            ("2h", 7200),
            ("1h30m", 5400),
            ("1h 30m", 5400),
            ("1.5h", 5400),
            ("0001", 1),
            ("12h", 43200),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["0", "0s", "999ms", "-5", "+5", "h", "ten", "5 x", "43201", "13h", "99999999999999999999999", "१"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
