//! The stages of the walk that are more than a call: how the settings, the pipeline and what was found out so far become
//! what the modules below work with.

pub(crate) mod connect;
pub(crate) mod doctor;
pub(crate) mod files;
pub(crate) mod local;
