//! The shapes of well-known tokens: the net below the literals, for secrets that nobody told this process about.

use regex::bytes::Regex;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

/// What a kind of token looks like.
#[derive(Debug)]
pub struct Shape {
    /// What messages call it.
    pub name: &'static str,
    /// How it is written. Where there is a group `value`, only that part is secret.
    pattern: &'static str,
    /// A stricter pattern for files, where the looser one would cry wolf over examples and documentation.
    in_files: Option<&'static str>,
}

impl Shape {
    fn pattern(&self, place: Where) -> &'static str {
        match place {
            Where::Output => self.pattern,
            Where::Files => self.in_files.unwrap_or(self.pattern),
        }
    }
}

/// All shapes. Lengths are lower bounds: the issuers lengthen their tokens now and then.
///
/// The prefixes are the issuers' own; those with four letters only are bounded on the left, because notebooks hold
/// images in base64, in which four given letters turn up every sixteen million characters.
pub const SHAPES: &[Shape] = &[
    Shape { name: "Databricks access token", pattern: r"dapi[0-9a-f]{32,}(?:-[0-9]+)?", in_files: None },
    Shape { name: "Databricks OAuth secret", pattern: r"dose[0-9a-f]{32,}", in_files: None },
    Shape { name: "Databricks token", pattern: r"(?:dkea|dosa|doau)[0-9a-f]{32,}", in_files: None },
    Shape { name: "Bitbucket access token", pattern: r"ATCTT3[A-Za-z0-9_=-]{60,}", in_files: None },
    Shape { name: "Atlassian API token", pattern: r"ATATT3[A-Za-z0-9_=-]{60,}", in_files: None },
    Shape {
        name: "Bitbucket app password",
        pattern: r"(?:\b|\\[nrt])(?<value>ATBB[A-Za-z0-9_=.-]{28,})",
        in_files: None,
    },
    Shape { name: "Vault token", pattern: r"(?:\b|\\[nrt])(?<value>hv[bs]\.[A-Za-z0-9_-]{20,})", in_files: None },
    Shape {
        name: "JSON web token",
        pattern: r"ey[A-Za-z0-9_-]{17,}\.ey[A-Za-z0-9_-]{17,}\.[A-Za-z0-9_-]{10,}",
        in_files: None,
    },
    Shape { name: "AWS access key", pattern: r"(?:AKIA|ASIA)[A-Z2-7]{16}\b", in_files: None },
    Shape {
        name: "Authorization header",
        pattern: r#"(?i)authorization["'\\]*[ \t]*[:=][ \t]*["'\\]*(?:bearer|basic)[ \t]+(?<value>[!-~&&[^"'\\,;]]+)"#,
        // `Bearer <token>`, `Bearer {token}` and `Bearer $TOKEN` stand in every second notebook.
        in_files: Some(
            r#"(?i)authorization["'\\]*[ \t]*[:=][ \t]*["'\\]*(?:bearer|basic)[ \t]+(?<value>[a-z._~+/-]*[0-9][a-z0-9._~+/-]{15,})"#,
        ),
    },
    Shape {
        name: "URL with a password",
        pattern: r#"://(?u:[^\x00-\x20/@:"'<>]*:(?<value>[^\x00-\x20/"'<>]+))@"#,
        in_files: Some(r#"://(?u:[^\x00-\x20/@:"'<>{}$*]+:(?<value>[^\x00-\x20/@:"'<>{}$*]{8,}))@"#),
    },
    Shape {
        name: "URL with a token",
        // Not in any URL: in `abfss://container@account…` the same place has a name that everybody may see.
        pattern: r"https?://(?<value>[A-Za-z0-9_.~=-]{20,})@",
        in_files: Some(r"https?://(?<value>[A-Za-z_.~-]*[0-9][A-Za-z0-9_.~=-]{19,})@"),
    },
];

/// Which patterns to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    /// In what this process writes: better one word too many.
    Output,
    /// In the repository's files: better no false alarm.
    Files,
}

/// `true` if a token is in `text`, or is all of it.
pub fn looks_like_token(text: &str) -> bool {
    find(text.as_bytes(), 0, Where::Output).next().is_some()
}

/// Each token in `bytes` that starts at `from` or later: its shape and the secret part of it.
pub(super) fn find(bytes: &[u8], from: usize, place: Where) -> impl Iterator<Item = (&'static Shape, Range<usize>)> {
    static OUTPUT: LazyLock<Option<Net>> = LazyLock::new(|| Net::weave(Where::Output));
    static FILES: LazyLock<Option<Net>> = LazyLock::new(|| Net::weave(Where::Files));
    let net = match place {
        Where::Output => OUTPUT.as_ref(),
        Where::Files => FILES.as_ref(),
    };
    let mut at = from;
    std::iter::from_fn(move || {
        // `find_at` looks at what precedes `at`, so that a boundary is judged as it is.
        let net = net.filter(|_| at <= bytes.len())?;
        let found = net.any.find_at(bytes, at)?;
        at = found.end();
        net.name(bytes, found.range())
    })
}

/// The shapes for one place: first all in one, so that a text is read once, then one by one for what was found.
struct Net {
    any: Regex,
    /// Compiled when something is found: most runs find nothing.
    each: [OnceLock<Option<Regex>>; SHAPES.len()],
    place: Where,
}

impl Net {
    fn weave(place: Where) -> Option<Net> {
        let any: Vec<String> =
            SHAPES.iter().map(|shape| format!("(?:{})", shape.pattern(place).replace("?<value>", ""))).collect();
        Some(Net { any: compile(&any.join("|"))?, each: [const { OnceLock::new() }; SHAPES.len()], place })
    }

    fn name(&self, bytes: &[u8], range: Range<usize>) -> Option<(&'static Shape, Range<usize>)> {
        let until = bytes.get(..range.end)?;
        SHAPES.iter().zip(&self.each).find_map(|(shape, regex)| {
            let regex = regex.get_or_init(|| compile(shape.pattern(self.place))).as_ref()?;
            let captures = regex.captures_at(until, range.start)?;
            let whole = captures.get(0).filter(|whole| whole.start() == range.start)?;
            Some((shape, captures.name("value").unwrap_or(whole).range()))
        })
    }
}

fn compile(pattern: &str) -> Option<Regex> {
    // ASCII classes: the Unicode tables are not linked.
    Regex::new(&format!("(?-u){pattern}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, place: Where) -> Vec<(&'static str, &str)> {
        find(text.as_bytes(), 0, place).map(|(shape, range)| (shape.name, &text[range])).collect()
    }

    fn hex(length: usize) -> String {
        "0123456789abcdef".chars().cycle().take(length).collect()
    }

    #[test]
    fn every_pattern_is_one() {
        for place in [Where::Output, Where::Files] {
            assert!(Net::weave(place).is_some());
            assert!(SHAPES.iter().all(|shape| compile(shape.pattern(place)).is_some()));
        }
    }

    #[test]
    fn every_shape_is_found_inside_a_text_and_as_a_whole() {
        let samples = [
            ("Databricks access token", format!("dapi{}", hex(32))),
            ("Databricks access token", format!("dapi{}-2", hex(32))),
            ("Databricks OAuth secret", format!("dose{}", hex(32))),
            ("Databricks token", format!("dkea{}", hex(32))),
            ("Databricks token", format!("dosa{}", hex(32))),
            ("Databricks token", format!("doau{}", hex(32))),
            ("Bitbucket access token", format!("ATCTT3xFfGN0{}=1A2B3C4D", hex(170))),
            ("Atlassian API token", format!("ATATT3xFfGF0{}=1A2B3C4D", hex(170))),
            ("Bitbucket app password", format!("ATBB{}", hex(32))),
            ("Vault token", format!("hvs.{}", hex(24))),
            ("Vault token", format!("hvb.{}", hex(140))),
            ("JSON web token", format!("eyJ{}.eyJ{}.{}", hex(40), hex(4000), hex(80))),
            ("AWS access key", "AKIAABCDEFGHIJKLMNOP".to_owned()),
            ("AWS access key", "ASIAABCDEFGHIJKLMNOP".to_owned()),
        ];
        for place in [Where::Output, Where::Files] {
            for (name, token) in &samples {
                for text in [token.clone(), format!("x = \"{token}\""), format!("a\\n{token} b"), format!("é {token}é")]
                {
                    assert_eq!(names(&text, place), [(*name, token.as_str())], "{place:?} in {text}");
                    assert!(looks_like_token(&text));
                }
            }
        }
    }

    #[test]
    fn only_the_secret_part_of_a_header_or_url_is_taken() {
        for (text, name, secret) in [
            ("Authorization: Bearer abc.def", "Authorization header", "abc.def"),
            ("authorization=basic dTpw", "Authorization header", "dTpw"),
            (r#"{"authorization": "Bearer abc", "x": 1}"#, "Authorization header", "abc"),
            (r#"{\"Authorization\": \"Bearer abc\"}"#, "Authorization header", "abc"),
            ("https://user:pässword@host/x", "URL with a password", "pässword"),
            ("https://user:p@ss:w@host/x", "URL with a password", "p@ss:w"),
            ("https://:word@host/x", "URL with a password", "word"),
            ("https://x-token-auth:abc@bitbucket.org/a/b", "URL with a password", "abc"),
            ("https://abcdefghij0123456789@host/x", "URL with a token", "abcdefghij0123456789"),
        ] {
            assert_eq!(names(text, Where::Output), [(name, secret)], "{text}");
        }
    }

    #[test]
    fn ordinary_text_has_no_token() {
        for text in [
            "",
            "dapi",
            "the dapi-token of dose",
            "dapi0123",
            "https://host:8080/path",
            "https://john@bitbucket.org/team/repo.git",
            "abfss://landing-zone-2024-europe-west@account.dfs.core.windows.net/raw/",
            "mail someone@example.com, see https://example.com:443 or so",
            "key.eye of hockey.eyelash.brow",
            "self.hvs.value",
            "AKIA",
            "Authorization: required",
            "authorization: basic\nand another line",
            "0123456789abcdef0123456789abcdef01234567",
        ] {
            assert!(!looks_like_token(text), "{text}");
        }
    }

    #[test]
    fn examples_in_files_are_no_findings() {
        for text in [
            r#"headers = {"Authorization": f"Bearer {token}"}"#,
            r#"headers = {"Authorization": "Bearer " + token}"#,
            "curl -H 'Authorization: Bearer <your-databricks-token>'",
            "curl -H \"Authorization: Bearer $DATABRICKS_TOKEN\"",
            "mongodb+srv://<username>:<password>@cluster",
            "postgresql://{user}:{password}@{host}:{port}",
            "postgresql://user:****@host",
            "https://x-token-auth:${TOKEN_OF_THE_REPOSITORY}@bitbucket.org",
        ] {
            assert_eq!(names(text, Where::Files), [], "{text}");
        }
        for text in
            ["Authorization: Bearer abc123def456ghi789jkl", "postgresql://etl:correct-horse@db.example.com:5432/x"]
        {
            assert_eq!(names(text, Where::Files).len(), 1, "{text}");
        }
    }
}
