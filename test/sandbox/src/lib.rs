//! A fake Databricks workspace that keeps state and tells the truth: what the real service refuses, it refuses, with
//! the same status, `error_code` and text as far as they are known, and what it does not know, it refuses loudly.
//!
//! It depends on nothing of the crate that it judges. A test talks to it in memory, where tokio's paused time rules
//! ([`Sandbox::answer`]), or over a socket ([`Running`]); it prepares the workspace and reads back what happened
//! through [`Sandbox`].
//!
//! ```
//! use databricks_sandbox::{Ending, Fault, Match, Moment, On, Running, Sandbox, Script, Trouble};
//! use serde_json::json;
//!
//! let sandbox = Sandbox::new();
//! let job = sandbox.create_job(json!({ "name": "nightly", "tasks": [] }));
//! // Its next run fails, and the answer to its trigger is lost although the run was made.
//! sandbox.script(Match::Job(job), Script::ending(Ending::failed("ValueError: 3", "Traceback …")).times(1));
//! sandbox.fault(Fault::once(On::post("/api/2.2/jobs/run-now"), Trouble::Drop(Moment::After)));
//!
//! let running = Running::start(sandbox.clone())?;
//! println!("DATABRICKS_HOST={} DATABRICKS_TOKEN={}", running.url(), sandbox.token());
//! // … what is to be judged runs here …
//! assert!(sandbox.unknown_routes().is_empty());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! It also plays those who vouch for others, under their own host names in the `Host` field: Bitbucket, whose steps'
//! tokens it signs and verifies ([`Bitbucket`]), and Microsoft Entra ID in each of its clouds ([`EntraCloud`]).
//!
//! ```
//! use databricks_sandbox::{Bitbucket, Flaw, Principal, Sandbox, StepClaims};
//!
//! let sandbox = Sandbox::new();
//! let id = "5f5e8b6a-0000-4000-8000-00000000a001";
//! sandbox.add_principal(Principal::service(id, "deployer"));
//! // Whoever deploys to production from this repository may speak for the service principal …
//! let bitbucket = sandbox.bitbucket();
//! let policy = bitbucket.policy("deploymentEnvironmentUuid", Bitbucket::PRODUCTION);
//! sandbox.add_federation_policy(id, policy)?;
//! // … with the token of the step, but not with one that has expired.
//! let good = bitbucket.step(&StepClaims::production());
//! let late = bitbucket.flawed_step(&StepClaims::production(), &[Flaw::Expired]);
//! assert_ne!(good, late);
//! # Ok::<(), databricks_sandbox::PolicyRefused>(())
//! ```
//!
//! Where the behaviour of the real service is not confirmed, the comment beside it says so.

mod answer;
mod bodies;
mod clock;
mod compute;
mod doors;
mod entra;
mod errors;
mod faults;
mod freeze;
mod gate;
mod host;
mod ids;
mod issuer;
mod jobs;
mod jwt;
mod limits;
mod multipart;
mod oauth;
mod permissions;
mod principals;
mod record;
mod reply;
mod request;
mod routes;
mod runs;
mod sandbox;
mod server;
mod state;
mod tls;
mod workspace;

pub use answer::Dropped;
pub use entra::EntraCloud;
pub use faults::{Canned, Fault, Moment, On, Trouble};
pub use host::HostKind;
pub use issuer::{Bitbucket, Flaw, StepClaims};
pub use limits::{Conditions, RateLimit, Rival};
pub use oauth::{FederatedLifetime, Policy, PolicyRefused};
pub use permissions::PermissionLevel;
pub use principals::{FolderRight, JobRight, Principal, PrincipalKind, TokenState};
pub use record::{Authenticated, PartRecord, Recorded, Way};
pub use runs::{Block, Ending, Lasting, Match, Phase, Run, RunEnd, Script, Start, TaskScript};
pub use sandbox::Sandbox;
pub use server::Running;
pub use tls::Tls;
pub use workspace::{Kind, Language, Object};
