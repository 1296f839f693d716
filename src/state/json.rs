//! Stricter than serde by itself: an object with one key twice says two things.

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// Reads a map, and refuses one in which a key stands twice.
pub(crate) fn unique<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord + fmt::Display,
    V: Deserialize<'de>,
{
    struct Unique<K, V>(PhantomData<(K, V)>);
    impl<'de, K, V> Visitor<'de> for Unique<K, V>
    where
        K: Deserialize<'de> + Ord + fmt::Display,
        V: Deserialize<'de>,
    {
        type Value = BTreeMap<K, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<BTreeMap<K, V>, A::Error> {
            let mut map = BTreeMap::new();
            while let Some(key) = access.next_key::<K>()? {
                let value = access.next_value()?;
                if map.contains_key(&key) {
                    return Err(A::Error::custom(format_args!("`{key}` stands there twice")));
                }
                map.insert(key, value);
            }
            Ok(map)
        }
    }
    deserializer.deserialize_map(Unique(PhantomData))
}

/// A value of JSON that is kept as it was written: read and written again, a number might become another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kept(Box<RawValue>);

impl PartialEq for Kept {
    fn eq(&self, other: &Kept) -> bool {
        self.0.get() == other.0.get()
    }
}

/// What is wrong with a text that should have been JSON of ours. What the parser quotes of it may be as long as it is.
pub(crate) fn what_is_wrong(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "ends in the middle".into(),
        Category::Syntax | Category::Io => format!("is not JSON (line {})", error.line()),
        Category::Data => {
            format!("is not what the pipe wrote: {}", crate::text::excerpt(&error.to_string(), crate::text::EXCERPT))
        }
    }
}
