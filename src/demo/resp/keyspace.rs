//! What is kept: texts and sorted sets under keys that may expire.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
};

/// What a key costs beside its own bytes: about what a hash table entry, two headers and
/// an expiry cost in the original.
const PER_KEY: usize = 96;
/// What a member of a sorted set costs beside its bytes.
const PER_MEMBER: usize = 64;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Bytes.
    Text(Vec<u8>),
    /// Members with scores.
    Sorted(SortedSet),
}

impl Value {
    /// The name of its type.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Sorted(_) => "zset",
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(bytes) => bytes.len(),
            Self::Sorted(set) => set.bytes,
        }
    }
}

/// Members, each with a score, in the order of the scores.
#[derive(Clone, Debug, Default)]
pub(super) struct SortedSet {
    scores: HashMap<Vec<u8>, f64>,
    order: BTreeSet<(u64, Vec<u8>)>,
    bytes: usize,
}

impl SortedSet {
    /// How many members.
    pub(super) fn len(&self) -> usize {
        self.scores.len()
    }

    /// Adds or moves a member; true where it is new.
    pub(super) fn insert(&mut self, member: Vec<u8>, score: f64) -> bool {
        let before = self.scores.insert(member.clone(), score);
        match before {
            Some(old) => {
                self.order.remove(&(rank(old), member.clone()));
            }
            None => self.bytes += member.len() * 2 + PER_MEMBER,
        }
        self.order.insert((rank(score), member));
        before.is_none()
    }

    /// How many members have a score in the range.
    pub(super) fn count(&self, range: ScoreRange) -> usize {
        self.within(range).count()
    }

    /// Removes the members whose score is in the range; how many there were.
    pub(super) fn remove_range(&mut self, range: ScoreRange) -> usize {
        let doomed: Vec<(u64, Vec<u8>)> = self.within(range).cloned().collect();
        for entry in &doomed {
            self.order.remove(entry);
            self.scores.remove(&entry.1);
            self.bytes = self.bytes.saturating_sub(entry.1.len() * 2 + PER_MEMBER);
        }
        doomed.len()
    }

    fn within(&self, range: ScoreRange) -> impl Iterator<Item = &(u64, Vec<u8>)> {
        self.order
            .range((rank(range.low), Vec::new())..)
            .skip_while(move |entry| range.without_low && entry.0 == rank(range.low))
            .take_while(move |entry| {
                let high = rank(range.high);
                if range.without_high { entry.0 < high } else { entry.0 <= high }
            })
    }
}

/// A range of scores; either end may be left out.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScoreRange {
    pub(super) low: f64,
    pub(super) without_low: bool,
    pub(super) high: f64,
    pub(super) without_high: bool,
}

/// A number whose order is that of the floats: the sign bit is flipped, and the rest too
/// where it is set. Negative zero is zero.
fn rank(score: f64) -> u64 {
    let bits = (score + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

#[derive(Debug)]
struct Entry {
    value: Value,
    expires_at: Option<u64>,
}

/// The keys. Times are milliseconds since the epoch, told by the caller.
///
/// The map is ordered by a hash of the key, and that hash is the cursor of a scan: a key
/// that is there from the beginning to the end of a scan is therefore found exactly once,
/// whatever comes and goes meanwhile.
#[derive(Debug, Default)]
pub(super) struct Keyspace {
    entries: BTreeMap<(u64, Vec<u8>), Entry>,
    bytes: usize,
    /// How many keys were removed because their time was over.
    pub(super) expired: u64,
}

/// The place of a key. Never 0, which as a cursor means the beginning and the end.
fn place(key: &[u8]) -> (u64, Vec<u8>) {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    (hasher.finish().max(1), key.to_vec())
}

fn cost(key: &[u8], entry: &Entry) -> usize {
    PER_KEY + key.len() + entry.value.bytes()
}

impl Keyspace {
    /// How many keys, those whose time is over included until they are noticed.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many keys will expire.
    pub(super) fn expiring(&self) -> usize {
        self.entries.values().filter(|entry| entry.expires_at.is_some()).count()
    }

    /// The bytes that the data takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What one key costs.
    pub(super) fn cost_of(&mut self, key: &[u8], now: u64) -> Option<usize> {
        self.live(key, now).map(|entry| cost(key, entry))
    }

    /// The value of a key.
    pub(super) fn get(&mut self, key: &[u8], now: u64) -> Option<&Value> {
        self.live(key, now).map(|entry| &entry.value)
    }

    /// When a key expires: `None` no such key, `Some(None)` never.
    pub(super) fn expiry(&mut self, key: &[u8], now: u64) -> Option<Option<u64>> {
        self.live(key, now).map(|entry| entry.expires_at)
    }

    /// Puts a value under a key.
    pub(super) fn set(&mut self, key: &[u8], value: Value, expires_at: Option<u64>) {
        self.remove(key);
        let entry = Entry { value, expires_at };
        self.bytes += cost(key, &entry);
        self.entries.insert(place(key), entry);
    }

    /// Changes when a key expires; false where there is none.
    pub(super) fn expire(&mut self, key: &[u8], at: u64, now: u64) -> bool {
        match self.live(key, now) {
            Some(entry) => {
                entry.expires_at = Some(at);
                true
            }
            None => false,
        }
    }

    /// Removes a key; false where there is none, or its time was over.
    pub(super) fn delete(&mut self, key: &[u8], now: u64) -> bool {
        self.live(key, now).is_some() && self.remove(key)
    }

    /// Lets `change` change the sorted set under a key, made where there is none. An empty
    /// set is removed. `Err` where the key holds something else.
    pub(super) fn sorted<T>(
        &mut self,
        key: &[u8],
        now: u64,
        change: impl FnOnce(&mut SortedSet) -> T,
    ) -> Result<T, ()> {
        if self.live(key, now).is_none() {
            self.set(key, Value::Sorted(SortedSet::default()), None);
        }
        let Some(entry) = self.entries.get_mut(&place(key)) else { return Err(()) };
        let before = cost(key, entry);
        let Value::Sorted(set) = &mut entry.value else { return Err(()) };
        let answer = change(set);
        let empty = set.len() == 0;
        self.bytes = (self.bytes + cost(key, entry)).saturating_sub(before);
        if empty {
            self.remove(key);
        }
        Ok(answer)
    }

    /// About `count` keys from a cursor on, and the next cursor; 0 begins and ends.
    pub(super) fn scan(&mut self, cursor: u64, count: usize, now: u64) -> (u64, Vec<Vec<u8>>) {
        let mut keys: Vec<Vec<u8>> = Vec::new();
        let mut next = 0;
        for ((hash, key), entry) in self.entries.range((cursor, Vec::new())..) {
            // Keys of one hash stay together: a cursor cannot point between them.
            if keys.len() >= count && place(&keys[keys.len() - 1]).0 != *hash {
                next = *hash;
                break;
            }
            if entry.expires_at.is_none_or(|at| at > now) {
                keys.push(key.clone());
            }
        }
        (next, keys)
    }

    /// Removes every key whose time is over.
    pub(super) fn sweep(&mut self, now: u64) {
        let over = |entry: &Entry| entry.expires_at.is_some_and(|at| at <= now);
        let doomed: Vec<Vec<u8>> = self
            .entries
            .iter()
            .filter(|(_, entry)| over(entry))
            .map(|((_, key), _)| key.clone())
            .collect();
        for key in doomed {
            self.expired += 1;
            self.remove(&key);
        }
    }

    fn live(&mut self, key: &[u8], now: u64) -> Option<&mut Entry> {
        let place = place(key);
        let over = self.entries.get(&place)?.expires_at.is_some_and(|at| at <= now);
        if over {
            self.expired += 1;
            self.remove(key);
            return None;
        }
        self.entries.get_mut(&place)
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        match self.entries.remove(&place(key)) {
            Some(entry) => {
                self.bytes = self.bytes.saturating_sub(cost(key, &entry));
                true
            }
            None => false,
        }
    }
}

/// Whether a name matches a pattern of `*`, `?`, `[a-z]`, `[^a]` and `\`.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Where the last star stands and what it has taken so far: enough to go back to, so
    // that the time stays bounded by the product of the lengths.
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, n));
            p += 1;
            continue;
        }
        if let Some(next) = one(pattern, p, name[n]) {
            p = next;
            n += 1;
            continue;
        }
        let Some((at, taken)) = star else { return false };
        star = Some((at, taken + 1));
        p = at + 1;
        n = taken + 1;
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Where the pattern goes on if the item at `p` matches this byte.
fn one(pattern: &[u8], p: usize, byte: u8) -> Option<usize> {
    match pattern.get(p)? {
        b'?' => Some(p + 1),
        b'[' => class(pattern, p, byte),
        b'\\' if p + 1 < pattern.len() => (pattern[p + 1] == byte).then_some(p + 2),
        plain => (*plain == byte).then_some(p + 1),
    }
}

fn class(pattern: &[u8], p: usize, byte: u8) -> Option<usize> {
    let negated = pattern.get(p + 1) == Some(&b'^');
    let mut at = p + 1 + usize::from(negated);
    let mut found = false;
    while let Some(&low) = pattern.get(at) {
        match low {
            b']' => return (found != negated).then_some(at + 1),
            b'\\' if at + 1 < pattern.len() => {
                found |= pattern[at + 1] == byte;
                at += 2;
            }
            _ if pattern.get(at + 1) == Some(&b'-') && at + 2 < pattern.len() => {
                let high = pattern[at + 2];
                found |= (low.min(high)..=low.max(high)).contains(&byte);
                at += 3;
            }
            _ => {
                found |= low == byte;
                at += 1;
            }
        }
    }
    (found != negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_finds_what_stays_exactly_once_while_others_come_and_go() {
        let mut keys = Keyspace::default();
        for i in 0..500 {
            keys.set(format!("stays:{i}").as_bytes(), Value::Text(vec![1]), None);
        }
        let (mut cursor, mut found, mut round) = (0, Vec::new(), 0);
        loop {
            let (next, page) = keys.scan(cursor, 7, 0);
            found.extend(page.into_iter().filter(|key| key.starts_with(b"stays:")));
            keys.set(format!("comes:{round}").as_bytes(), Value::Text(vec![1]), None);
            keys.delete(format!("comes:{}", round / 2).as_bytes(), 0);
            round += 1;
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(found.len(), 500);
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 500);
    }

    #[test]
    fn time_removes_and_the_bytes_follow() {
        let mut keys = Keyspace::default();
        keys.set(b"a", Value::Text(vec![0; 1_000]), Some(100));
        keys.set(b"b", Value::Text(vec![0; 10]), None);
        assert!(keys.bytes() > 1_000);
        assert!(keys.get(b"a", 99).is_some());
        assert!(keys.get(b"a", 100).is_none());
        assert_eq!((keys.len(), keys.expired), (1, 1));
        keys.delete(b"b", 100);
        assert_eq!(keys.bytes(), 0);
    }

    #[test]
    fn an_emptied_sorted_set_is_gone_and_costs_nothing() {
        let mut keys = Keyspace::default();
        for i in 0..100_i32 {
            let member = format!("m{i}").into_bytes();
            keys.sorted(b"z", 0, |set| set.insert(member, f64::from(i))).unwrap();
        }
        let below = |high: f64| ScoreRange {
            low: f64::NEG_INFINITY,
            without_low: false,
            high,
            without_high: true,
        };
        let removed = keys.sorted(b"z", 0, |set| set.remove_range(below(40.0))).unwrap();
        assert_eq!(removed, 40);
        keys.sorted(b"z", 0, |set| set.remove_range(below(f64::INFINITY))).unwrap();
        assert_eq!((keys.len(), keys.bytes()), (0, 0));
    }

    #[test]
    fn scores_are_ordered_across_zero() {
        let scores = [f64::NEG_INFINITY, -2.5, -0.0, 1e-9, 3.0, f64::INFINITY];
        assert!(scores.windows(2).all(|pair| rank(pair[0]) < rank(pair[1])));
        assert_eq!(rank(-0.0), rank(0.0));
    }

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("rate:*", "rate:public:1", true),
            ("rate:*", "car:1", false),
            ("*:1?", "car:12", true),
            ("c[a-c]r", "cbr", true),
            ("c[^a-c]r", "cbr", false),
            (r"a\*b", "a*b", true),
            (r"a\*b", "axb", false),
            ("*a*b", "xxaxxab", true),
            ("a*", "ba", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
