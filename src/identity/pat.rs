//! A personal access token: sent as it is, and of no further use once it is refused.

use super::unsendable;
use crate::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use crate::http::{Authorize, Signing};
use crate::secrets::Secret;

/// Signs with a token that never changes.
pub(super) struct Pat {
    token: Secret,
}

impl Pat {
    pub(super) fn new(token: Secret) -> Pat {
        Pat { token }
    }
}

impl Authorize for Pat {
    fn sign(&self) -> Signing<'_> {
        Box::pin(async {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", self.token.expose()))
                .map_err(|_| unsendable("the token"))?;
            value.set_sensitive(true);
            Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
        })
    }

    fn refused(&self, _: &HeaderMap) -> bool {
        false
    }
}
