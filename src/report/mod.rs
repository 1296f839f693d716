//! What readers get to see: the console now; files and insights as they come.

mod console;
mod doctor;
mod journalist;
mod output;
mod outputs;

pub(crate) use doctor::document as findings;
pub use journalist::Journalist;
pub use output::Output;
pub use outputs::Outputs;
pub(crate) use outputs::{claim, replace};
