//! The redactor: takes every secret out of a text before the text leaves the process.

use super::forms::{self, MIN_LENGTH};
use super::shapes::{self, Where};
use super::{Secret, search};
use aho_corasick::AhoCorasick;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

/// What stands where a secret stood.
pub const MARKER: &str = "[secret]";

/// Marks where an excerpt was cut.
const ELLIPSIS: char = '…';

/// Knows every secret of this process and takes it, in every form, out of a text. Cheap to clone; all clones learn
/// together.
///
/// Redacting twice is redacting once.
#[derive(Clone, Default)]
pub struct Redactor {
    known: Arc<RwLock<Known>>,
}

#[derive(Default)]
struct Known {
    forms: BTreeSet<Vec<u8>>,
    search: Search,
}

/// The search for all forms at once. It is built when it is needed: at the start a dozen secrets are learnt in a row.
#[derive(Clone, Default)]
enum Search {
    #[default]
    Nothing,
    Stale,
    Ready(Arc<AhoCorasick>),
    /// It could not be built, so nothing at all is shown.
    Failed,
}

impl Redactor {
    /// A redactor that knows no literal yet, only the shapes of tokens.
    pub fn new() -> Redactor {
        Redactor::default()
    }

    /// From now on `secret` is taken out of every text, in all its forms. `false` if it is too short for that (fewer
    /// than 8 bytes): it would blank ordinary words, so the caller should warn instead. A blank one hides nothing.
    pub fn learn(&self, secret: &Secret) -> bool {
        let value = secret.expose();
        self.add(forms::all(value));
        let length = value.trim().len();
        length >= MIN_LENGTH || length == 0
    }

    /// Like [`learn`](Redactor::learn), for a secret that is also sent as a pair in the Basic scheme.
    pub fn learn_pair(&self, user: &str, secret: &Secret) -> bool {
        self.add(forms::basic_pair(user, secret.expose()));
        self.learn(secret)
    }

    /// `text` without any secret.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.redact_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(
                String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
            ),
        }
    }

    /// The first `max_chars` characters of `text`, redacted before they are counted; `…` stands where it was cut.
    pub fn head(&self, text: &str, max_chars: usize) -> String {
        let (mut start, cut) = self.cut(text, max_chars);
        if cut {
            start.push(ELLIPSIS);
        }
        start
    }

    /// Like [`head`](Redactor::head), for who marks the cut in a way of his own: whether there was one.
    pub fn cut(&self, text: &str, max_chars: usize) -> (String, bool) {
        let text = self.redact(text);
        match text.char_indices().nth(max_chars) {
            None => (text.into_owned(), false),
            Some((end, _)) => (text.get(..end).unwrap_or_default().to_owned(), true),
        }
    }

    /// The last `max_chars` characters of `text`, redacted before they are counted; `…` stands where it was cut.
    pub fn tail(&self, text: &str, max_chars: usize) -> String {
        let text = self.redact(text);
        let cut = text.chars().count().saturating_sub(max_chars);
        if cut == 0 { text.into_owned() } else { [ELLIPSIS].into_iter().chain(text.chars().skip(cut)).collect() }
    }

    /// Like [`redact`](Redactor::redact), for what may not be UTF-8.
    pub(super) fn redact_bytes<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        // What a pass leaves may, together with the marker, be a secret again; a few passes end that for all but
        // contrived secrets, and for those nothing is shown.
        const PASSES: usize = 8;
        let search = self.search();
        let mut text = Cow::Borrowed(bytes);
        for _ in 0..PASSES {
            let Ok(ranges) = secret_ranges(&text, &search) else { break };
            match replace(&text, &ranges) {
                None => return text,
                Some(changed) => text = Cow::Owned(changed),
            }
        }
        Cow::Owned(MARKER.as_bytes().to_vec())
    }

    fn add(&self, forms: BTreeSet<Vec<u8>>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let before = known.forms.len();
        known.forms.extend(forms);
        if known.forms.len() > before {
            known.search = Search::Stale;
        }
    }

    fn search(&self) -> Search {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if !matches!(known.search, Search::Stale) {
            return known.search.clone();
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(known.search, Search::Stale) {
            known.search = search::build(&known.forms).map_or(Search::Failed, |search| Search::Ready(Arc::new(search)));
        }
        known.search.clone()
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(…)")
    }
}

/// The search cannot say where the secrets are.
struct Blind;

/// Where the secrets are: sorted, and apart from each other.
fn secret_ranges(text: &[u8], search: &Search) -> Result<Vec<Range<usize>>, Blind> {
    let mut ranges = match search {
        Search::Nothing => Vec::new(),
        // Overlapping: of two secrets that share some bytes no rest may stay.
        Search::Ready(search) => {
            search.try_find_overlapping_iter(text).map_err(|_| Blind)?.map(|found| found.range()).collect()
        }
        Search::Stale | Search::Failed => return Err(Blind),
    };
    ranges.extend(shapes::find(text, 0, Where::Output).map(|(_, range)| range));
    ranges.sort_by_key(|range| (range.start, range.end));
    ranges.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
    Ok(ranges)
}

/// `text` with the marker in place of `ranges`; `None` if it stays as it is.
fn replace(text: &[u8], ranges: &[Range<usize>]) -> Option<Vec<u8>> {
    let is_marker = |range: &Range<usize>| text.get(range.clone()) == Some(MARKER.as_bytes());
    if ranges.iter().all(is_marker) {
        return None;
    }
    let (mut out, mut at) = (Vec::with_capacity(text.len()), 0);
    for range in ranges {
        out.extend_from_slice(text.get(at..range.start).unwrap_or_default());
        out.extend_from_slice(MARKER.as_bytes());
        at = range.end;
    }
    out.extend_from_slice(text.get(at..).unwrap_or_default());
    Some(out)
}

#[cfg(test)]
#[path = "redactor_tests.rs"]
mod tests;
