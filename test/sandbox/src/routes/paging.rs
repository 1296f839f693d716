//! Pages of long answers. Their tokens are opaque to clients, and refused when they are not ours.

use crate::errors::ApiError;
use crate::request::Ask;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

const ARRAY_PAGE: usize = 100;

fn token(kind: &str, number: impl ToString) -> String {
    URL_SAFE_NO_PAD.encode(format!("{kind}:{}", number.to_string()))
}

fn read(ask: &Ask, kind: &str) -> Result<Option<i64>, ApiError> {
    let Some(token) = ask.query("page_token") else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
    let number =
        String::from_utf8(bytes).ok().and_then(|text| text.strip_prefix(kind)?.strip_prefix(':')?.parse().ok());
    number.map(Some).ok_or_else(|| ApiError::invalid(format!("Invalid page token: {token}")))
}

/// Which ids a page of a list starts below.
pub(crate) fn before_of(ask: &Ask) -> Result<i64, ApiError> {
    Ok(read(ask, "before")?.unwrap_or(i64::MAX))
}

/// The token of the page below an id.
pub(crate) fn token_before(id: i64) -> String {
    token("before", id)
}

/// Which page of arrays is asked for, from 0.
pub(crate) fn page_of(ask: &Ask) -> Result<usize, ApiError> {
    let page = read(ask, "page")?.unwrap_or(0);
    usize::try_from(page).map_err(|_| ApiError::invalid("Invalid page token"))
}

/// Leaves in each array only what belongs on a page; an array that ended on an earlier page is left out. The token of
/// the next page, if there is one.
pub(crate) fn cut(object: &mut Value, arrays: &[&str], page: usize) -> Option<String> {
    let fields = object.as_object_mut()?;
    let mut more = false;
    for name in arrays {
        let Some(Value::Array(items)) = fields.get_mut(*name) else { continue };
        let end = (page + 1).saturating_mul(ARRAY_PAGE);
        more |= items.len() > end;
        items.truncate(end);
        items.drain(..page.saturating_mul(ARRAY_PAGE).min(items.len()));
        if items.is_empty() {
            fields.remove(*name);
        }
    }
    more.then(|| token("page", page + 1))
}
