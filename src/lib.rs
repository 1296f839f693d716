//! The library of the databricks-deploy pipe.
#![allow(dead_code, unreachable_pub)] // skeleton only; removed when the modules meet

pub mod databricks;
pub mod exit;
pub mod http;
pub mod pipeline;
pub mod problem;
pub mod secrets;
pub mod settings;
pub mod source;
