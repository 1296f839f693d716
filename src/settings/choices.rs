//! How the choices are spelt: one list for the parser, the README and the hints.

use super::{Action, AuthType, AzureCloud, OnDrift, OnPartialSuccess, OnTimeout, Prune, SecretScan};
use crate::access::Level;

/// A closed set of values that a variable can have.
pub(super) trait Spelled: Copy + 'static {
    /// The spellings, in the order of the README.
    const NAMES: &'static [&'static str];
    /// The values, in the order of `NAMES`.
    const VALUES: &'static [Self];

    /// The value that is spelt `name`, in any case.
    fn spelled(name: &str) -> Option<Self> {
        let position = Self::NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        Self::VALUES.get(position).copied()
    }
}

/// How a value is spelt.
pub(super) fn name_of<C: Spelled + PartialEq>(value: C) -> &'static str {
    let position = C::VALUES.iter().position(|known| *known == value);
    position.and_then(|position| C::NAMES.get(position)).copied().unwrap_or_default()
}

macro_rules! spelled {
    ($($choice:ident: $($value:ident $name:literal),+;)*) => {
        $(impl Spelled for $choice {
            const NAMES: &'static [&'static str] = &[$($name),+];
            const VALUES: &'static [Self] = &[$($choice::$value),+];
        })*
    };
}

spelled! {
    AuthType: BitbucketOidc "bitbucket-oidc", EnvOidc "env-oidc", FileOidc "file-oidc", OauthM2m "oauth-m2m",
        AzureClientSecret "azure-client-secret", Pat "pat";
    AzureCloud: Public "public", UsGovernment "usgovernment", China "china";
    Action: Deploy "deploy", Plan "plan", Run "run", Destroy "destroy", Doctor "doctor";
    Prune: None "none", Files "files", All "all", Force "force";
    OnDrift: Backup "backup", Fail "fail", Overwrite "overwrite";
    Level: Read "CAN_READ", Run "CAN_RUN", Edit "CAN_EDIT", Manage "CAN_MANAGE";
    SecretScan: Warn "warn", Fail "fail", Off "off";
    OnTimeout: Leave "leave", Cancel "cancel";
    OnPartialSuccess: Fail "fail", Accept "accept";
}
