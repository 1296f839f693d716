//! Choices.

use crate::problem::{Code, Problem};
use crate::settings::choices::Spelled;
use crate::settings::echo::Echo;
use crate::settings::near_miss::closest;

/// Reads one of a closed set of words, in any case.
pub(in crate::settings) fn choice<C: Spelled>(text: &str, echo: Echo<'_>) -> Result<C, Problem> {
    C::spelled(text).ok_or_else(|| {
        let allowed = C::NAMES.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let problem = Problem::new(Code::InvalidValue, format!("{} is none of {allowed}", echo.show(text)));
        // A near miss says something of the value, so there is none for a value that must not be seen.
        match closest(text, C::NAMES.iter().copied()).filter(|_| !echo.hides_all()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.hint(format!("use one of {allowed}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{OnTimeout, SecretScan};

    #[test]
    fn any_case_is_accepted_and_a_near_miss_gets_a_hint() {
        let read = |text: &str| choice::<OnTimeout>(text, Echo::new(text, &[]));
        assert_eq!(read("leave"), Ok(OnTimeout::Leave));
        assert_eq!(read("CANCEL"), Ok(OnTimeout::Cancel));
        let problem = read("cancle").unwrap_err();
        assert_eq!(problem.message, "`cancle` is none of `leave`, `cancel`");
        assert_eq!(problem.hint.as_deref(), Some("did you mean `cancel`?"));
        assert_eq!(read("stop").unwrap_err().hint.as_deref(), Some("use one of `leave`, `cancel`"));
        assert_eq!(choice::<SecretScan>("Off", Echo::new("Off", &[])), Ok(SecretScan::Off));
    }
}
