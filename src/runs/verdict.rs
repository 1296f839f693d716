//! What the end of a run means: the design's truth table. Pure.
//!
//! Green only when every status field that is present says success; a disagreement is a failure that quotes both.

use crate::databricks::status::{LifeCycle, Phase, ResultState, Status, TerminationCode};
use crate::settings::OnPartialSuccess;

/// What a status says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It goes on; the word says how.
    Active(&'static str),
    /// One form says that it has ended, the other that it goes on: look again, and if it stays so, take
    /// [`Judgement::Ended`] from [`judge_disputed`].
    Disputed,
    /// It has ended.
    Ended(End),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// How that counts.
    pub(super) class: Class,
    /// In words that continue a sentence: `succeeded`, `failed (RUN_EXECUTION_ERROR)`.
    pub(super) words: String,
}

/// How an end counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A success.
    Succeeded,
    /// A failure.
    Failed,
    /// Cancelled, or it did not happen.
    Cancelled,
    /// The fields contradict each other, or say nothing: never a success.
    Disagrees,
}

/// What one field says of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Success,
    Partial,
    Failed,
    Cancelled,
}

/// Judges the status of a run or a task's run.
pub(super) fn judge(status: &Status, partial: OnPartialSuccess) -> Judgement {
    match (status.ended_by_state(), status.ended_by_status()) {
        (Some(true), Some(false)) | (Some(false), Some(true)) => Judgement::Disputed,
        (Some(true), _) | (_, Some(true)) => Judgement::Ended(end(status, partial)),
        (Some(false), _) | (_, Some(false)) => Judgement::Active(activity(status)),
        // Neither form is there. An answer without any state cannot mean that all is well; asked again, it may tell.
        (None, None) => Judgement::Disputed,
    }
}

/// Judges a status that stayed [`Judgement::Disputed`] however often it was asked for.
pub(super) fn judge_disputed(status: &Status) -> End {
    End { class: Class::Disagrees, words: format!("ended in contradiction: {}", quote(status)) }
}

fn activity(status: &Status) -> &'static str {
    match (&status.phase, &status.life_cycle) {
        (Some(Phase::Queued), _) | (None, Some(LifeCycle::Queued)) => "queued",
        (Some(Phase::Pending), _) | (None, Some(LifeCycle::Pending)) => "pending",
        (Some(Phase::Running), _) | (None, Some(LifeCycle::Running)) => "running",
        (Some(Phase::Terminating), _) | (None, Some(LifeCycle::Terminating)) => "terminating",
        (Some(Phase::Blocked), _) | (None, Some(LifeCycle::Blocked)) => "blocked",
        (Some(Phase::Waiting), _) | (None, Some(LifeCycle::WaitingForRetry)) => "waiting for a retry",
        _ => "in a state that this version does not know",
    }
}

fn end(status: &Status, partial: OnPartialSuccess) -> End {
    let by_result = status.result.as_ref().map(of_result);
    let by_code = status.code.as_ref().map(of_code);
    // INTERNAL_ERROR is how the service ends a run with a failed task: no platform fault, and never a success.
    let by_life_cycle = match status.life_cycle {
        Some(LifeCycle::Skipped) => Some(Says::Cancelled),
        Some(LifeCycle::InternalError) if by_result.is_none() && by_code.is_none() => Some(Says::Failed),
        _ => None,
    };
    let contradicts = |says: Option<Says>| matches!(says, Some(Says::Success | Says::Partial));
    let flags_against = (status.life_cycle == Some(LifeCycle::InternalError) && contradicts(by_result.or(by_code)))
        || (status.user_cancelled_or_timed_out && contradicts(by_result.or(by_code)))
        || status.termination_type.as_deref().is_some_and(|kind| {
            let success = kind == "SUCCESS";
            match by_code.or(by_result) {
                Some(Says::Success) => !success,
                Some(Says::Failed) => success,
                // Which type goes with a cancelled or a partly successful run is documented nowhere.
                Some(Says::Partial | Says::Cancelled) | None => false,
            }
        });
    let disagrees = End { class: Class::Disagrees, words: format!("ended in contradiction: {}", quote(status)) };
    if flags_against {
        return disagrees;
    }

    // The job's own time limit: the old form says TIMEDOUT, the new one CANCELED (by the platform). That is agreement.
    if status.result == Some(ResultState::TimedOut) && by_code != Some(Says::Success) && by_code != Some(Says::Partial)
    {
        return End { class: Class::Failed, words: words(status, "failed") };
    }
    let mut said = [by_result, by_code, by_life_cycle].into_iter().flatten();
    let Some(first) = said.next() else {
        return End { class: Class::Disagrees, words: format!("ended without saying how: {}", quote(status)) };
    };
    if said.any(|other| other != first) {
        return disagrees;
    }
    match (first, partial) {
        (Says::Success, _) => End { class: Class::Succeeded, words: "succeeded".into() },
        (Says::Partial, OnPartialSuccess::Accept) => {
            End { class: Class::Succeeded, words: "succeeded with failures (accepted)".into() }
        }
        (Says::Partial, OnPartialSuccess::Fail) => {
            End { class: Class::Failed, words: "succeeded with failures".into() }
        }
        (Says::Failed, _) => End { class: Class::Failed, words: words(status, "failed") },
        (Says::Cancelled, _) => {
            let skipped = matches!(status.life_cycle, Some(LifeCycle::Skipped))
                || matches!(
                    status.result,
                    Some(ResultState::Excluded | ResultState::Disabled | ResultState::MaximumConcurrentRunsReached)
                );
            End { class: Class::Cancelled, words: words(status, if skipped { "did not run" } else { "was cancelled" }) }
        }
    }
}

fn of_result(result: &ResultState) -> Says {
    match result {
        ResultState::Success => Says::Success,
        ResultState::SuccessWithFailures => Says::Partial,
        ResultState::Canceled
        | ResultState::UpstreamCanceled
        | ResultState::Excluded
        | ResultState::Disabled
        | ResultState::MaximumConcurrentRunsReached => Says::Cancelled,
        ResultState::Failed | ResultState::TimedOut | ResultState::UpstreamFailed | ResultState::Unknown(_) => {
            Says::Failed
        }
    }
}

fn of_code(code: &TerminationCode) -> Says {
    match code {
        TerminationCode::Success => Says::Success,
        TerminationCode::SuccessWithFailures => Says::Partial,
        TerminationCode::UserCanceled
        | TerminationCode::Canceled
        | TerminationCode::Skipped
        | TerminationCode::Disabled
        | TerminationCode::MaxConcurrentRunsExceeded => Says::Cancelled,
        _ => Says::Failed,
    }
}

/// `failed (RUN_EXECUTION_ERROR)`: the more telling of the two words of the service.
fn words(status: &Status, verb: &str) -> String {
    let result = status.result.as_ref().map(ResultState::as_str);
    let code = status.code.as_ref().map(TerminationCode::as_str);
    let life_cycle = status.life_cycle.as_ref().map(LifeCycle::as_str);
    match (result, code) {
        (Some("FAILED"), None) => verb.to_owned(),
        (Some("FAILED") | None, Some(code)) => format!("{verb} ({code})"),
        (Some("CANCELED"), _) => verb.to_owned(),
        (Some(result @ "UPSTREAM_FAILED"), _) => format!("did not run ({result})"),
        (Some(result), _) => format!("{verb} ({result})"),
        (None, None) => format!("{verb} ({})", life_cycle.unwrap_or("no state")),
    }
}

/// Every status field that is there, as the service wrote it.
fn quote(status: &Status) -> String {
    let mut fields = Vec::new();
    let mut field = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            fields.push(format!("{name} {value}"));
        }
    };
    field("life_cycle_state", status.life_cycle.as_ref().map(LifeCycle::as_str));
    field("result_state", status.result.as_ref().map(ResultState::as_str));
    field("user_cancelled_or_timedout", status.user_cancelled_or_timed_out.then_some("true"));
    field("status.state", status.phase.as_ref().map(Phase::as_str));
    field("termination code", status.code.as_ref().map(TerminationCode::as_str));
    field("termination type", status.termination_type.as_deref());
    if fields.is_empty() { "no state at all".into() } else { fields.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(life_cycle: &str, result: &str, phase: &str, code: &str, kind: &str) -> Status {
        let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Status {
            life_cycle: said(life_cycle).map(LifeCycle::from),
            result: said(result).map(ResultState::from),
            user_cancelled_or_timed_out: false,
            phase: said(phase).map(Phase::from),
            code: said(code).map(TerminationCode::from),
            termination_type: said(kind),
            message: None,
        }
    }

    fn class(status: &Status) -> Class {
        match judge(status, OnPartialSuccess::Fail) {
            Judgement::Ended(end) => end.class,
            other => panic!("{status:?} is {other:?}"),
        }
    }

    #[test]
    fn the_truth_table_of_the_design_by_the_old_form_alone() {
        for (result, expected) in [
            ("SUCCESS", Class::Succeeded),
            ("SUCCESS_WITH_FAILURES", Class::Failed),
            ("FAILED", Class::Failed),
            ("TIMEDOUT", Class::Failed),
            ("UPSTREAM_FAILED", Class::Failed),
            ("CANCELED", Class::Cancelled),
            ("UPSTREAM_CANCELED", Class::Cancelled),
            ("EXCLUDED", Class::Cancelled),
            ("DISABLED", Class::Cancelled),
            ("MAXIMUM_CONCURRENT_RUNS_REACHED", Class::Cancelled),
            ("SOMETHING_NEW", Class::Failed),
        ] {
            assert_eq!(class(&status("TERMINATED", result, "", "", "")), expected, "{result}");
        }
        assert_eq!(class(&status("SKIPPED", "", "", "", "")), Class::Cancelled);
        assert_eq!(class(&status("INTERNAL_ERROR", "", "", "", "")), Class::Failed);
        assert_eq!(class(&status("INTERNAL_ERROR", "FAILED", "", "", "")), Class::Failed);
        assert_eq!(class(&status("TERMINATED", "", "", "", "")), Class::Disagrees, "nothing says success");
    }

    #[test]
    fn the_new_form_alone_is_enough() {
        assert_eq!(class(&status("", "", "TERMINATED", "SUCCESS", "SUCCESS")), Class::Succeeded);
        assert_eq!(class(&status("", "", "TERMINATED", "RUN_EXECUTION_ERROR", "CLIENT_ERROR")), Class::Failed);
        assert_eq!(class(&status("", "", "TERMINATED", "USER_CANCELED", "SUCCESS")), Class::Cancelled);
        assert_eq!(class(&status("", "", "TERMINATED", "RUN_EXECUTION_ERROR", "SUCCESS")), Class::Disagrees);
        assert_eq!(class(&status("", "", "TERMINATED", "CANCELED", "CLIENT_ERROR")), Class::Cancelled);
        assert_eq!(class(&status("", "", "TERMINATED", "NEVER_HEARD_OF", "")), Class::Failed);
    }

    #[test]
    fn a_failed_task_makes_the_run_an_internal_error_and_that_is_a_failure() {
        let status = status("INTERNAL_ERROR", "FAILED", "TERMINATED", "RUN_EXECUTION_ERROR", "CLIENT_ERROR");
        let Judgement::Ended(end) = judge(&status, OnPartialSuccess::Fail) else { panic!() };
        assert_eq!((end.class, end.words.as_str()), (Class::Failed, "failed (RUN_EXECUTION_ERROR)"));
    }

    #[test]
    fn a_disagreement_is_never_green_and_quotes_both() {
        for disagreement in [
            status("TERMINATED", "SUCCESS", "TERMINATED", "RUN_EXECUTION_ERROR", "CLIENT_ERROR"),
            status("TERMINATED", "FAILED", "TERMINATED", "SUCCESS", "SUCCESS"),
            status("TERMINATED", "SUCCESS", "TERMINATED", "SUCCESS", "CLOUD_FAILURE"),
            status("INTERNAL_ERROR", "SUCCESS", "TERMINATED", "SUCCESS", "SUCCESS"),
            status("SKIPPED", "SUCCESS", "", "", ""),
            Status { user_cancelled_or_timed_out: true, ..status("TERMINATED", "SUCCESS", "", "", "") },
        ] {
            let Judgement::Ended(end) = judge(&disagreement, OnPartialSuccess::Accept) else { panic!() };
            assert_eq!(end.class, Class::Disagrees, "{disagreement:?}");
            assert!(end.words.contains("SUCCESS"), "{}", end.words);
        }
    }

    #[test]
    fn a_job_s_own_time_limit_is_a_failure_though_the_new_form_calls_it_canceled() {
        let timed_out = status("TERMINATED", "TIMEDOUT", "TERMINATED", "CANCELED", "CLIENT_ERROR");
        assert_eq!(class(&Status { user_cancelled_or_timed_out: true, ..timed_out }), Class::Failed);
    }

    #[test]
    fn a_partial_success_counts_as_the_user_says() {
        let status = status("TERMINATED", "SUCCESS_WITH_FAILURES", "TERMINATED", "SUCCESS_WITH_FAILURES", "SUCCESS");
        assert_eq!(class(&status), Class::Failed);
        let Judgement::Ended(end) = judge(&status, OnPartialSuccess::Accept) else { panic!() };
        assert_eq!(end.class, Class::Succeeded);
    }

    #[test]
    fn what_goes_on_is_active_and_what_is_half_ended_is_asked_again() {
        assert_eq!(
            judge(&status("RUNNING", "", "RUNNING", "", ""), OnPartialSuccess::Fail),
            Judgement::Active("running")
        );
        assert_eq!(judge(&status("QUEUED", "", "", "", ""), OnPartialSuccess::Fail), Judgement::Active("queued"));
        assert!(matches!(judge(&status("NEWSTATE", "", "", "", ""), OnPartialSuccess::Fail), Judgement::Active(_)));
        let half = status("TERMINATED", "SUCCESS", "RUNNING", "", "");
        assert_eq!(judge(&half, OnPartialSuccess::Fail), Judgement::Disputed);
        assert_eq!(judge_disputed(&half).class, Class::Disagrees);
        assert_eq!(judge(&Status::default(), OnPartialSuccess::Fail), Judgement::Disputed);
    }
}
