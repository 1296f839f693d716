//! The search for many literals at once.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::collections::BTreeSet;

/// A search that finds all of `forms`, also where they overlap. `None` if they are too many for one.
pub(super) fn build(forms: &BTreeSet<Vec<u8>>) -> Option<AhoCorasick> {
    AhoCorasick::builder()
        // The one that can tell overlapping matches.
        .match_kind(MatchKind::Standard)
        // The automatic choice would be a table of several megabytes for a few identity tokens.
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(forms)
        .ok()
}
