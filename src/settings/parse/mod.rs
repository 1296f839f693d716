//! Texts into values. Each parser is pure and says what is wrong as a [`Problem`] without a place: the caller knows
//! which variable it reads.
//!
//! [`Problem`]: crate::problem::Problem

mod boolean;
mod choice;
mod duration;
mod list;
mod map;
mod unresolved;

pub(super) use boolean::boolean;
pub(super) use choice::choice;
pub(super) use duration::duration;
pub(super) use list::{array_of_texts, list};
pub(super) use map::map;
pub(super) use unresolved::{unresolved, unresolved_problem};
