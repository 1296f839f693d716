//! The Databricks workspace: its endpoints, its errors and what they mean.

pub mod error;
