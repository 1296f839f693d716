//! The search for many literals at once.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::collections::{BTreeMap, BTreeSet};

/// A search that finds all of `forms`, also where they overlap. `None` if they are too many for one.
pub(super) fn build(forms: &BTreeSet<Vec<u8>>) -> Option<AhoCorasick> {
    automaton(AhoCorasickKind::ContiguousNFA, forms)
}

fn automaton<F: AsRef<[u8]>>(kind: AhoCorasickKind, forms: impl IntoIterator<Item = F>) -> Option<AhoCorasick> {
    AhoCorasick::builder()
        // The one that can tell overlapping matches.
        .match_kind(MatchKind::Standard)
        // The automatic choice would be a table of several megabytes for a few identity tokens.
        .kind(Some(kind))
        // The bytes that secrets begin with are too common for it to be of use.
        .prefilter(false)
        .build(forms)
        .ok()
}

/// A search for bulk: a table, three times as fast, which is affordable because of a long form only a part is looked
/// for, and the rest is compared where that part is.
#[derive(Clone)]
pub(super) struct BulkSearch {
    parts: AhoCorasick,
    /// For each part the forms that it comes from, and where it is in them.
    forms: Vec<Vec<(Vec<u8>, usize)>>,
}

impl BulkSearch {
    /// How much of a form is looked for. Bytes.
    const PART: usize = 32;

    /// `None` if `forms` are too many for one search.
    pub(super) fn new(forms: BTreeSet<Vec<u8>>) -> Option<BulkSearch> {
        let mut parts: BTreeMap<Vec<u8>, Vec<(Vec<u8>, usize)>> = BTreeMap::new();
        for form in forms {
            // From the middle: beginnings and ends are often the same in many secrets.
            let at = form.len().saturating_sub(BulkSearch::PART) / 2;
            let part = form.iter().skip(at).take(BulkSearch::PART).copied().collect();
            parts.entry(part).or_default().push((form, at));
        }
        Some(BulkSearch { parts: automaton(AhoCorasickKind::DFA, parts.keys())?, forms: parts.into_values().collect() })
    }

    /// Where forms begin in `bytes`.
    pub(super) fn find(&self, bytes: &[u8]) -> impl Iterator<Item = usize> {
        let parts = self.parts.try_find_overlapping_iter(bytes).into_iter().flatten();
        parts.flat_map(move |part| {
            let forms = self.forms.get(part.pattern().as_usize()).map_or(&[][..], Vec::as_slice);
            forms.iter().filter_map(move |(form, at)| {
                let start = part.start().checked_sub(*at)?;
                bytes.get(start..)?.starts_with(form).then_some(start)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn looking_for_parts_finds_what_looking_for_all_finds(
            forms in prop::collection::btree_set(prop::collection::vec(b'a'..b'c', 1..70), 1..8),
            text in prop::collection::vec(b'a'..b'c', 0..400),
            at in any::<prop::sample::Index>(),
        ) {
            let mut text = text;
            let at = at.index(text.len() + 1);
            text.splice(at..at, forms.iter().next_back().unwrap().clone());
            let expected: BTreeSet<usize> =
                build(&forms).unwrap().find_overlapping_iter(&text).map(|found| found.start()).collect();
            let found: BTreeSet<usize> = BulkSearch::new(forms).unwrap().find(&text).collect();
            prop_assert!(found.contains(&at));
            prop_assert_eq!(found, expected);
        }
    }
}
