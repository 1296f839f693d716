mod examples;
mod file;
mod model;
mod properties;
