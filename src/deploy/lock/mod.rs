//! The target's lock: taken, waited for, renewed, lost, released.
//!
//! Generation n+1 is created where the service refuses to create what exists; the highest holds. A lock whose lease is
//! over, or whose holder is certainly dead, is passed over: the next generation is taken. Who holds the lock renews it,
//! and sends nothing from a while before its lease ends, so that nobody writes who was passed over.

mod claim;
mod held;
mod keeper;

pub use claim::{Claim, Taken};
pub use held::Held;
pub use keeper::Keeper;

use std::time::Duration;

/// How long a release may take where there is no hurry: as long as the lock would be in others' way, so that one answer
/// that does not come leaves no lock behind.
pub const RELEASE: Duration = Duration::from_secs(110);

/// How long it may take where the process is told to stop.
pub const QUICK_RELEASE: Duration = Duration::from_secs(1);

/// How long before the lease's end nothing is sent any more, and how much longer than it somebody without a clock waits.
/// More than the clocks of one service's parts differ, and than the part of a second that a date leaves out.
const MARGIN: Duration = Duration::from_secs(10);
