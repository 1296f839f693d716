//! What tokens look like.

use regex::Regex;
use std::sync::LazyLock;

/// Databricks, Atlassian and Vault tokens, JWTs, AWS key ids, and a password in an address.
static SHAPES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        (?:dapi|dose|dkea|dosa|doau)[0-9a-f]{32}
        | ATCTT3[A-Za-z0-9_=-]{20,} | ATATT3[A-Za-z0-9_=-]{20,} | ATBB[A-Za-z0-9_=.-]{20,}
        | hv[sb]\.[A-Za-z0-9_-]{24,}
        | (?-u:\b)ey[A-Za-z0-9_-]{17,}\.ey[A-Za-z0-9_-]{17,}\.[A-Za-z0-9_-]{10,}
        | (?-u:\b)(?:ASIA|AKIA)[A-Z2-7]{16}(?-u:\b)
        | ://[^/@:\ \t\r\n]*:[^/@\ \t\r\n]+@",
    )
    .ok()
});

/// Whether something in `text` has the shape of a token.
pub fn looks_like_token(text: &str) -> bool {
    SHAPES.as_ref().is_none_or(|shapes| shapes.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::looks_like_token;

    #[test]
    fn tokens_are_told_from_ordinary_text() {
        let hex = "0123456789abcdef".repeat(2);
        let long = "A1b2_".repeat(10);
        for token in [
            format!("dapi{hex}"),
            format!("x dose{hex}-2"),
            format!("ATCTT3xFfGN0{long}"),
            format!("ATATT3{long}"),
            format!("ey{long}.ey{long}.{long}"),
            "AKIAABCDEFGHIJKLMNOP".into(),
            "https://user:password@proxy:8080".into(),
        ] {
            assert!(looks_like_token(&token), "{token}");
        }
        for text in ["", "production", "dapi", "https://dbc-1.cloud.databricks.com/?o=1", "/Users/me@example.com/x"] {
            assert!(!looks_like_token(text), "{text}");
        }
    }
}
