//! The states of a run, in both of the forms that the Jobs API tells them (the deprecated `state` and the newer
//! `status`). Values that this version does not know are kept as they came.

use serde::Deserialize;

/// Makes an enum of the service's own words that keeps a word it does not know.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $word, "`")] $variant,)*
            /// A word that this version does not know.
            Unknown(String),
        }

        impl From<String> for $name {
            fn from(word: String) -> $name {
                match word.as_str() { $($word => $name::$variant,)* _ => $name::Unknown(word) }
            }
        }

        impl $name {
            /// The service's own word.
            pub fn as_str(&self) -> &str {
                match self { $($name::$variant => $word,)* $name::Unknown(word) => word }
            }
        }
    };
}

words! {
    /// `state.life_cycle_state`.
    LifeCycle {
        Queued = "QUEUED",
        Pending = "PENDING",
        Running = "RUNNING",
        Terminating = "TERMINATING",
        Terminated = "TERMINATED",
        Skipped = "SKIPPED",
        InternalError = "INTERNAL_ERROR",
        Blocked = "BLOCKED",
        WaitingForRetry = "WAITING_FOR_RETRY",
    }
}

words! {
    /// `state.result_state`; only there when the run has ended.
    ResultState {
        Success = "SUCCESS",
        SuccessWithFailures = "SUCCESS_WITH_FAILURES",
        Failed = "FAILED",
        TimedOut = "TIMEDOUT",
        Canceled = "CANCELED",
        MaximumConcurrentRunsReached = "MAXIMUM_CONCURRENT_RUNS_REACHED",
        Excluded = "EXCLUDED",
        UpstreamFailed = "UPSTREAM_FAILED",
        UpstreamCanceled = "UPSTREAM_CANCELED",
        Disabled = "DISABLED",
    }
}

words! {
    /// `status.state`.
    Phase {
        Blocked = "BLOCKED",
        Pending = "PENDING",
        Queued = "QUEUED",
        Running = "RUNNING",
        Terminated = "TERMINATED",
        Terminating = "TERMINATING",
        Waiting = "WAITING",
    }
}

words! {
    /// `status.termination_details.code`, as far as codes are told apart; the others are failures by their name.
    TerminationCode {
        Success = "SUCCESS",
        SuccessWithFailures = "SUCCESS_WITH_FAILURES",
        UserCanceled = "USER_CANCELED",
        Canceled = "CANCELED",
        Skipped = "SKIPPED",
        Disabled = "DISABLED",
        MaxConcurrentRunsExceeded = "MAX_CONCURRENT_RUNS_EXCEEDED",
        RunExecutionError = "RUN_EXECUTION_ERROR",
        InternalError = "INTERNAL_ERROR",
        DriverError = "DRIVER_ERROR",
        ClusterError = "CLUSTER_ERROR",
        ClusterTerminatedByUser = "CLUSTER_TERMINATED_BY_USER",
        ClusterRequestLimitExceeded = "CLUSTER_REQUEST_LIMIT_EXCEEDED",
        InvalidClusterRequest = "INVALID_CLUSTER_REQUEST",
        InvalidRunConfiguration = "INVALID_RUN_CONFIGURATION",
        LibraryInstallationError = "LIBRARY_INSTALLATION_ERROR",
        RepositoryCheckoutFailed = "REPOSITORY_CHECKOUT_FAILED",
        ResourceNotFound = "RESOURCE_NOT_FOUND",
        UnauthorizedError = "UNAUTHORIZED_ERROR",
        StorageAccessError = "STORAGE_ACCESS_ERROR",
        FeatureDisabled = "FEATURE_DISABLED",
        CloudFailure = "CLOUD_FAILURE",
        MaxSparkContextsExceeded = "MAX_SPARK_CONTEXTS_EXCEEDED",
        MaxJobQueueSizeExceeded = "MAX_JOB_QUEUE_SIZE_EXCEEDED",
        WorkspaceRunLimitExceeded = "WORKSPACE_RUN_LIMIT_EXCEEDED",
        BudgetPolicyLimitExceeded = "BUDGET_POLICY_LIMIT_EXCEEDED",
        BreakingChange = "BREAKING_CHANGE",
    }
}

/// All that the service says about the state of a run or of a task's run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// `state.life_cycle_state`.
    pub life_cycle: Option<LifeCycle>,
    /// `state.result_state`.
    pub result: Option<ResultState>,
    /// `state.user_cancelled_or_timedout`.
    pub user_cancelled_or_timed_out: bool,
    /// `status.state`.
    pub phase: Option<Phase>,
    /// `status.termination_details.code`.
    pub code: Option<TerminationCode>,
    /// `status.termination_details.type`: `SUCCESS`, `CLIENT_ERROR`, `INTERNAL_ERROR`, `CLOUD_FAILURE`.
    pub termination_type: Option<String>,
    /// The service's words on it: `termination_details.message`, else `state_message`, else why it is queued.
    pub message: Option<String>,
}

impl Status {
    /// Whether the older form says that it has ended; `None` where that form is absent.
    pub fn ended_by_state(&self) -> Option<bool> {
        self.life_cycle.as_ref().map(|life_cycle| {
            matches!(life_cycle, LifeCycle::Terminated | LifeCycle::Skipped | LifeCycle::InternalError)
        })
    }

    /// Whether the newer form says that it has ended; `None` where that form is absent.
    pub fn ended_by_status(&self) -> Option<bool> {
        self.phase.as_ref().map(|phase| *phase == Phase::Terminated)
    }
}

/// The `state` and `status` blocks on the wire.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireStates {
    #[serde(default)]
    state: Option<WireState>,
    #[serde(default)]
    status: Option<WireStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireState {
    life_cycle_state: Option<String>,
    result_state: Option<String>,
    state_message: Option<String>,
    user_cancelled_or_timedout: Option<bool>,
    queue_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireStatus {
    state: Option<String>,
    termination_details: Option<WireTermination>,
    queue_details: Option<WireQueue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireTermination {
    code: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WireQueue {
    message: Option<String>,
}

impl From<WireStates> for Status {
    fn from(wire: WireStates) -> Status {
        let state = wire.state.unwrap_or_default();
        let status = wire.status.unwrap_or_default();
        let termination = status.termination_details.unwrap_or_default();
        let said = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        Status {
            life_cycle: said(state.life_cycle_state).map(LifeCycle::from),
            result: said(state.result_state).map(ResultState::from),
            user_cancelled_or_timed_out: state.user_cancelled_or_timedout.unwrap_or(false),
            phase: said(status.state).map(Phase::from),
            code: said(termination.code).map(TerminationCode::from),
            termination_type: said(termination.kind),
            message: said(termination.message)
                .or(said(state.state_message))
                .or(said(status.queue_details.unwrap_or_default().message))
                .or(said(state.queue_reason)),
        }
    }
}
