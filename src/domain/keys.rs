//! Patterns of Redis keys. Which keys are meant is decided here, on bytes; the server's own
//! pattern matching only narrows down what it sends.

use super::text::clip;

/// The fewest literal characters before the `*` of a pattern whose keys are deleted: `a*`
/// would be most of a server.
pub const SHORTEST_PREFIX: usize = 3;

/// The longest identifier that is taken out of a key, in characters.
const LONGEST_IDENTIFIER: usize = 200;

/// A group of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// As configured.
    pub text: String,
    prefix: Vec<u8>,
    /// All keys with the prefix; otherwise only the key of that very name.
    open: bool,
}

impl Pattern {
    /// A pattern whose keys are deleted: at least three literal characters and a final `*`.
    ///
    /// # Errors
    /// It is another sort of pattern; the text says what is wrong.
    pub fn to_delete(text: &str) -> Result<Self, String> {
        let Some(prefix) = text.strip_suffix('*') else {
            return Err(format!("{text:?} does not end in *"));
        };
        if let Some(odd) = prefix.chars().find(|c| is_special(*c)) {
            return Err(format!("{text:?} holds {odd:?}: only literal characters and a final *"));
        }
        if prefix.chars().count() < SHORTEST_PREFIX {
            return Err(format!(
                "{text:?} has less than {SHORTEST_PREFIX} literal characters before its *"
            ));
        }
        Ok(Self { text: text.to_owned(), prefix: prefix.as_bytes().to_vec(), open: true })
    }

    /// A pattern whose keys are kept. Where it holds other glob characters, everything
    /// with its literal start is kept: rather too much than too little.
    pub fn to_keep(text: &str) -> Self {
        let literal = text.find(is_special).unwrap_or(text.len());
        Self {
            text: text.to_owned(),
            prefix: text.as_bytes()[..literal].to_vec(),
            open: literal < text.len(),
        }
    }

    /// A pattern whose keys are counted: literal characters, of which only a final `*` is
    /// special.
    pub fn to_count(text: &str) -> Self {
        let prefix = text.strip_suffix('*');
        Self {
            text: text.to_owned(),
            prefix: prefix.unwrap_or(text).as_bytes().to_vec(),
            open: prefix.is_some(),
        }
    }

    /// Whether the key is in the group.
    pub fn matches(&self, key: &[u8]) -> bool {
        if self.open { key.starts_with(&self.prefix) } else { key == self.prefix }
    }

    /// Whether every key of `other` is in the group.
    pub fn contains(&self, other: &Self) -> bool {
        if self.open {
            other.prefix.starts_with(&self.prefix)
        } else {
            !other.open && other.prefix == self.prefix
        }
    }

    /// Whether some key could be in both groups.
    pub fn meets(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// For `SCAN … MATCH`: nothing in it but the final `*` means anything to the server.
    pub fn to_match(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

/// Whether the character is a wildcard, or makes one literal.
/// <https://redis.io/docs/latest/commands/keys/>
pub fn is_special(c: char) -> bool {
    matches!(c, '*' | '?' | '[' | ']' | '\\')
}

/// What the one `*` of a pattern stands for in a key, made safe to show.
pub fn identifier(pattern: &str, key: &[u8]) -> Option<String> {
    let (before, after) = pattern.split_once('*')?;
    let middle = key.strip_prefix(before.as_bytes())?.strip_suffix(after.as_bytes())?;
    (!middle.is_empty()).then(|| clip(&String::from_utf8_lossy(middle), LONGEST_IDENTIFIER))
}

/// For `SCAN … MATCH`: matches whatever any of the patterns matches. What they begin with
/// in common, its special characters escaped.
pub fn common_pattern<'a>(patterns: impl IntoIterator<Item = &'a str>) -> String {
    let mut literals = patterns.into_iter().map(|text| text.split('*').next().unwrap_or_default());
    let mut common = literals.next().unwrap_or_default().to_owned();
    for other in literals {
        while !other.starts_with(&common) {
            common.pop();
        }
    }
    format!("{}*", escaped(&common))
}

/// A text as a pattern that matches only itself.
fn escaped(literal: &str) -> String {
    let mut out = String::with_capacity(literal.len() + 4);
    for c in literal.chars() {
        if is_special(c) || matches!(c, '^' | '-') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// What is deleted and what is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Groups whose keys are deleted.
    pub delete: Vec<Pattern>,
    /// Groups whose keys are kept, even where `delete` matches them.
    pub keep: Vec<Pattern>,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Deleted by the pattern at this position.
    Deleted(usize),
    /// Kept because of the pattern at this position.
    Protected(usize),
    /// Not meant.
    Untouched,
}

impl Selection {
    /// What becomes of a key. Protection comes first.
    pub fn fate(&self, key: &[u8]) -> Fate {
        let first = |patterns: &[Pattern]| patterns.iter().position(|p| p.matches(key));
        match (first(&self.keep), first(&self.delete)) {
            (Some(keep), _) => Fate::Protected(keep),
            (None, Some(delete)) => Fate::Deleted(delete),
            (None, None) => Fate::Untouched,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(delete: &[&str], keep: &[&str]) -> Selection {
        Selection {
            delete: delete.iter().map(|text| Pattern::to_delete(text).expect("sound")).collect(),
            keep: keep.iter().map(|text| Pattern::to_keep(text)).collect(),
        }
    }

    #[test]
    fn only_bounded_literal_prefixes_may_be_deleted() {
        for text in ["*", "a*", "ab*", "cache:", "cache:?:*", "ca[ch]e*", "a\\bc*", "cache:**", ""]
        {
            assert!(Pattern::to_delete(text).is_err(), "{text}");
        }
        assert!(Pattern::to_delete("car*").is_ok());
        assert!(Pattern::to_delete("äöü*").is_ok());
    }

    #[test]
    fn protection_comes_before_deletion() {
        let selection = selection(&["cache:*", "car:*"], &["cache:session:*", "rate:*", "car:1"]);
        let table: [(&[u8], Fate); 8] = [
            (b"cache:a", Fate::Deleted(0)),
            (b"cache:", Fate::Deleted(0)),
            (b"cache:session:1", Fate::Protected(0)),
            (b"rate:x", Fate::Protected(1)),
            (b"car:1", Fate::Protected(2)),
            (b"car:12", Fate::Deleted(1)),
            (b"cach", Fate::Untouched),
            (b"cache:\xff\x00", Fate::Deleted(0)),
        ];
        for (key, fate) in table {
            assert_eq!(selection.fate(key), fate, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn an_odd_protection_protects_more_not_less() {
        let keep = Pattern::to_keep("user:[0-9]:x");
        assert!(keep.matches(b"user:abc") && keep.matches(b"user:"));
        assert!(!keep.matches(b"users"));
        assert!(Pattern::to_keep("*").matches(b"anything"));
    }

    #[test]
    fn overlap_is_found_in_both_directions() {
        let keep = Pattern::to_keep;
        assert!(keep("cache:*").contains(&keep("cache:session:*")));
        assert!(!keep("cache:session:*").contains(&keep("cache:*")));
        assert!(keep("cache:session:*").meets(&keep("cache:*")));
        assert!(!keep("cache:*").meets(&keep("rate:*")));
        assert!(!keep("cache:a").contains(&keep("cache:a*")));
    }

    #[test]
    fn counted_patterns_are_prefixes_or_names() {
        let matches = |pattern: &str, key: &[u8]| Pattern::to_count(pattern).matches(key);
        assert!(matches("car:*", b"car:1"));
        assert!(matches("car:*", b"car:"));
        assert!(matches("*", b"anything"));
        assert!(matches("lock", b"lock"));
        assert!(!matches("lock", b"lock:1"));
        assert!(!matches("c[a]r:*", b"car:1"), "only the final star is special");
    }

    #[test]
    fn the_star_is_the_identifier() {
        let table = [
            ("rate:public:*", "rate:public:203.0.113.7", Some("203.0.113.7")),
            ("rate:payment:*:ip", "rate:payment:x:ip", Some("x")),
            ("rate:payment:*:ip", "rate:payment:x:user", None),
            ("rate:payment:*:ip", "rate:payment::ip", None),
            ("rate:payment:*:ip", "rate:payment:ip", None),
            ("rate:*", "other:x", None),
            ("rate", "rate", None),
        ];
        for (pattern, key, expected) in table {
            assert_eq!(identifier(pattern, key.as_bytes()).as_deref(), expected, "{pattern} {key}");
        }
    }

    #[test]
    fn one_scan_serves_every_pattern() {
        let table: [(&[&str], &str); 4] = [
            (&["rate:public:*", "rate:auth:*"], "rate:*"),
            (&["rate:public:*", "rate:payment:*:ip"], "rate:p*"),
            (&["a:*", "b:*"], "*"),
            (&["odd[1]?:*"], "odd\\[1\\]\\?:*"),
        ];
        for (patterns, expected) in table {
            assert_eq!(common_pattern(patterns.iter().copied()), expected);
        }
    }
}
