//! What readers get to see: the console now; files and insights as they come.

mod console;
mod journalist;
mod output;
mod outputs;

pub use journalist::Journalist;
pub use output::Output;
pub use outputs::Outputs;
pub(crate) use outputs::claim;
