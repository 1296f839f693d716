mod examples;
mod model;
mod properties;
