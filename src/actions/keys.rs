//! Which keys an action may delete: literal prefixes, decided on bytes and never by the
//! server's pattern matching alone.

/// The fewest literal characters before the `*` of a pattern whose keys are deleted.
const SHORTEST_PREFIX: usize = 3;

/// A group of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// As configured.
    pub(super) text: String,
    prefix: Vec<u8>,
    /// All keys with the prefix; otherwise only the key of that very name.
    open: bool,
}

impl Pattern {
    /// A pattern whose keys are deleted: at least three literal characters and a final `*`.
    pub(super) fn to_delete(text: &str) -> Result<Self, String> {
        let Some(prefix) = text.strip_suffix('*') else {
            return Err(format!("{text:?} does not end in *"));
        };
        if let Some(odd) = prefix.chars().find(|c| is_glob(*c)) {
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
    pub(super) fn to_keep(text: &str) -> Self {
        let literal = text.find(is_glob).unwrap_or(text.len());
        Self {
            text: text.to_owned(),
            prefix: text.as_bytes()[..literal].to_vec(),
            open: literal < text.len(),
        }
    }

    /// Whether the key is in the group.
    pub(super) fn matches(&self, key: &[u8]) -> bool {
        if self.open { key.starts_with(&self.prefix) } else { key == self.prefix }
    }

    /// Whether every key of `other` is in the group.
    pub(super) fn contains(&self, other: &Self) -> bool {
        if self.open {
            other.prefix.starts_with(&self.prefix)
        } else {
            !other.open && other.prefix == self.prefix
        }
    }

    /// Whether some key could be in both groups.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// For `SCAN … MATCH`: nothing in it but the final `*` means anything to the server.
    pub(super) fn to_match(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

fn is_glob(c: char) -> bool {
    matches!(c, '*' | '?' | '[' | ']' | '\\')
}

/// What is deleted and what is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selection {
    /// Groups whose keys are deleted.
    pub(super) delete: Vec<Pattern>,
    /// Groups whose keys are kept, even where `delete` matches them.
    pub(super) keep: Vec<Pattern>,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Deleted by the pattern at this position.
    Deleted(usize),
    /// Kept because of the pattern at this position.
    Protected(usize),
    /// Not meant.
    Untouched,
}

impl Selection {
    /// What becomes of a key. Protection comes first.
    pub(super) fn fate(&self, key: &[u8]) -> Fate {
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
}
