//! OAuth machine-to-machine: the id and the OAuth secret of a service principal buy access tokens.

use super::cache::{Fetching, TokenSource};
use super::endpoint::Endpoint;
use super::{refusal, unsendable};
use crate::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use crate::http::{Authorize, Client, Signing};
use crate::secrets::Secret;
use crate::settings::Route;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

/// Asks the workspace's own token endpoint.
pub(super) struct OauthM2m {
    endpoint: Endpoint,
}

impl OauthM2m {
    pub(super) fn new(client: &Client, route: &Route, client_id: String, secret: Secret) -> OauthM2m {
        OauthM2m { endpoint: Endpoint::new(client, route, Arc::new(Pair { client_id, secret })) }
    }
}

impl TokenSource for OauthM2m {
    fn fetch(&self) -> Fetching<'_> {
        const FORM: [(&str, &str); 2] = [("grant_type", "client_credentials"), ("scope", "all-apis")];
        Box::pin(self.endpoint.request(&FORM, refusal::of_oauth_secret))
    }
}

/// Id and secret in the Basic scheme, for requests for tokens only.
struct Pair {
    client_id: String,
    secret: Secret,
}

impl Authorize for Pair {
    fn sign(&self) -> Signing<'_> {
        Box::pin(async {
            let pair = STANDARD.encode(format!("{}:{}", self.client_id, self.secret.expose()));
            let mut value =
                HeaderValue::from_str(&format!("Basic {pair}")).map_err(|_| unsendable("the OAuth secret"))?;
            value.set_sensitive(true);
            Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
        })
    }

    fn refused(&self, _: &HeaderMap) -> bool {
        false
    }
}
