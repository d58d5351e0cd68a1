//! Kinds of values that a regular expression cannot judge: a point in time that is still to
//! come, and addresses of the public internet.

use core::net::IpAddr;
use std::{fmt, time::Duration};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::time::short_duration;

/// What a value must be, beside its length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// A point in time to come (RFC 3339, seconds may be left out).
    Time {
        /// How far ahead at most.
        within: Option<Duration>,
    },
    /// An address of the public internet, or a network of them.
    Address {
        /// What must not be touched, by a part either.
        never: Vec<Network>,
        /// The fewest bits of a prefix, of IPv4 and of IPv6: what is wider is refused.
        widest: (u8, u8),
    },
}

/// An address, or a network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Networks that no sender from outside has, and what they are.
const NOT_PUBLIC: [(&str, &str); 11] = [
    ("0.0.0.0/8", "no address of a sender"),
    ("10.0.0.0/8", "a private address: nothing from outside has it"),
    ("100.64.0.0/10", "an address inside a carrier's network"),
    ("127.0.0.0/8", "the machine itself"),
    ("169.254.0.0/16", "an address of the local network"),
    ("172.16.0.0/12", "a private address: nothing from outside has it"),
    ("192.168.0.0/16", "a private address: nothing from outside has it"),
    ("224.0.0.0/3", "no address of a sender"),
    ("::/128", "no address of a sender"),
    ("::1/128", "the machine itself"),
    ("fc00::/7", "a private address: nothing from outside has it"),
];

/// Where IPv6 addresses of the public internet are.
const PUBLIC_V6: &str = "2000::/3";

impl Network {
    /// Reads `203.0.113.5`, `198.51.100.0/24` or `2001:db8::1`.
    ///
    /// # Errors
    /// It is neither, or names an address within its network; in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let none = || "this is neither an address nor a network".to_owned();
        let address: IpAddr = address.parse().map_err(|_| none())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(prefix) if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(none());
            }
            Some(prefix) => prefix
                .parse()
                .ok()
                .filter(|prefix| *prefix <= bits)
                .ok_or_else(|| format!("the prefix is at most /{bits}"))?,
        };
        let network = Self { address, prefix };
        let first = network.range().0;
        let first = match u32::try_from(first) {
            Ok(first) if address.is_ipv4() => IpAddr::from(first.to_be_bytes()),
            _ => IpAddr::from(first.to_be_bytes()),
        };
        if first != address {
            return Err(format!(
                "{address} is within the network {first}/{prefix}: write that one"
            ));
        }
        Ok(network)
    }

    /// The first and the last address as numbers.
    fn range(self) -> (u128, u128) {
        let (number, bits) = match self.address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32_u32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let free = bits.saturating_sub(u32::from(self.prefix));
        let mask = u128::MAX.checked_shr(128 - free).unwrap_or(0);
        (number & !mask, number | mask)
    }

    /// Whether an address is in both.
    pub fn overlaps(self, other: Self) -> bool {
        let (mine, others) = (self.range(), other.range());
        self.address.is_ipv4() == other.address.is_ipv4()
            && mine.0 <= others.1
            && others.0 <= mine.1
    }

    /// Whether every address of the other one is in this one.
    fn holds(self, other: Self) -> bool {
        let (mine, others) = (self.range(), other.range());
        self.address.is_ipv4() == other.address.is_ipv4()
            && mine.0 <= others.0
            && others.1 <= mine.1
    }

    /// Why nobody outside sends from there.
    fn not_public(self) -> Option<&'static str> {
        if let IpAddr::V6(address) = self.address
            && address.to_ipv4_mapped().is_some()
        {
            return Some("an IPv4 address in disguise: write it as IPv4");
        }
        let listed = NOT_PUBLIC.iter().find_map(|(network, what)| {
            Self::parse(network).is_ok_and(|network| network.overlaps(self)).then_some(*what)
        });
        let is_public = || {
            self.address.is_ipv4() || Self::parse(PUBLIC_V6).is_ok_and(|public| public.holds(self))
        };
        listed.or_else(|| (!is_public()).then_some("no address of the public internet"))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.address.is_ipv4() { 32 } else { 128 };
        if self.prefix == bits {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

/// Reads a point in time as RFC 3339 writes it; seconds may be left out. It has a zone, so
/// that everybody means the same.
///
/// # Errors
/// It is none, in words.
fn point_in_time(text: &str) -> Result<Timestamp, String> {
    let digits = |at: std::ops::Range<usize>| {
        text.get(at).is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let shaped = text.len() >= "2026-11-21T18:00Z".len()
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"-:.+TZ".contains(&byte))
        && digits(0..4)
        && text.get(4..5) == Some("-")
        && text.get(10..11) == Some("T")
        && text.get(13..14) == Some(":");
    if !shaped {
        return Err("this is no point in time with its zone".to_owned());
    }
    text.parse().map_err(|_| "there is no such date, time or zone".to_owned())
}

impl Wanted {
    /// Why a value cannot be taken at that time.
    ///
    /// # Errors
    /// It cannot be taken.
    pub fn check(&self, value: &str, now: Timestamp) -> Result<(), String> {
        match self {
            Self::Time { within } => {
                let at = point_in_time(value).map_err(|why| self.with_such(why, now))?;
                if at <= now {
                    let why = format!("that is over: it is {} now", minute(now));
                    return Err(self.with_such(why, now));
                }
                let ahead = Duration::try_from(at.duration_since(now)).unwrap_or(Duration::MAX);
                match within.filter(|within| ahead > *within) {
                    Some(within) => Err(format!(
                        "{} from now at most: until {}",
                        in_days(within),
                        minute(now + SignedDuration::try_from(within).unwrap_or_default())
                    )),
                    None => Ok(()),
                }
            }
            Self::Address { never, widest } => {
                let network = Network::parse(value).map_err(|why| self.with_such(why, now))?;
                if let Some(what) = network.not_public() {
                    return Err(format!("refused: {what}"));
                }
                if let Some(ours) = never.iter().find(|ours| ours.overlaps(network)) {
                    return Err(format!("refused: {ours} is never to be touched"));
                }
                let widest = if network.address.is_ipv4() { widest.0 } else { widest.1 };
                if network.prefix < widest {
                    return Err(format!(
                        "refused: /{} is too wide, /{widest} at most",
                        network.prefix
                    ));
                }
                Ok(())
            }
        }
    }

    fn with_such(&self, why: String, now: Timestamp) -> String {
        format!("{why}: {}", self.such(now))
    }

    /// What would be right.
    pub fn such(&self, now: Timestamp) -> String {
        match self {
            Self::Time { within } => {
                let hour = SignedDuration::from_hours(1);
                let two_hours = Duration::from_secs(7200);
                // A full hour to come, as one would write it.
                let later = match within {
                    Some(within) if *within < two_hours => {
                        now + SignedDuration::try_from(*within / 2).unwrap_or_default()
                    }
                    _ => {
                        let later = now + hour;
                        let into = later.as_second().rem_euclid(3600);
                        later + SignedDuration::from_secs(3600 - into)
                    }
                };
                let most = within.map(|within| format!(", {} ahead at most", in_days(within)));
                format!("UTC, such as {}{}", minute(later), most.unwrap_or_default())
            }
            Self::Address { widest, .. } => match *widest {
                (32, 128) => "such as 203.0.113.77 or 2001:db8::77".to_owned(),
                (v4, 128) => {
                    format!("such as 203.0.113.77 or 203.0.113.0/{}; IPv6 alone", v4.max(24))
                }
                (v4, _) => {
                    format!("such as 203.0.113.77, 203.0.113.0/{} or 2001:db8::77", v4.max(24))
                }
            },
        }
    }
}

/// To the minute, UTC.
fn minute(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%MZ").to_string()
}

/// `7d` where it is whole days.
fn in_days(length: Duration) -> String {
    const DAY: u64 = 24 * 3600;
    match length.as_secs() {
        seconds if seconds >= DAY && seconds % DAY == 0 => format!("{}d", seconds / DAY),
        _ => short_duration(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn address(never: &[&str]) -> Wanted {
        let never = never.iter().map(|text| Network::parse(text).expect("a network")).collect();
        Wanted::Address { never, widest: (24, 128) }
    }

    #[test]
    fn a_time_is_there_has_a_zone_and_is_still_to_come() {
        let now = at("2026-02-20T12:00:30Z");
        let week = Wanted::Time { within: Some(Duration::from_secs(7 * 24 * 3600)) };
        for (text, why) in [
            ("2026-02-20T12:01Z", ""),
            ("2026-02-20T13:00:00Z", ""),
            ("2026-02-20T13:00:00.5Z", ""),
            ("2026-02-20T14:00+01:00", ""),
            ("2026-02-27T12:00Z", ""),
            ("2026-02-20T13:00+01:00", "that is over"),
            ("2026-02-20T12:00:30Z", "that is over"),
            ("2020-01-01T00:00Z", "that is over: it is 2026-02-20T12:00Z now"),
            ("2026-02-27T12:01Z", "7d from now at most: until 2026-02-27T12:00Z"),
            ("2026-02-31T10:00Z", "no such date"),
            ("2026-02-21T24:30Z", "no such date"),
            ("2026-02-21T10:00", "no point in time with its zone"),
            ("2026-02-21 10:00Z", "no point in time"),
            ("2026-02-21T10Z", "no point in time"),
            ("20260221T100000Z", "no point in time"),
            ("2026-02-21T10:00Z[UTC]", "no point in time"),
            ("tomorrow", "such as 2026-02-20T14:00Z, 7d ahead at most"),
            ("", "no point in time"),
        ] {
            let said = week.check(text, now);
            match why {
                "" => assert_eq!(said, Ok(()), "{text}"),
                why => {
                    assert!(said.as_ref().is_err_and(|said| said.contains(why)), "{text}: {said:?}")
                }
            }
        }
        assert_eq!(Wanted::Time { within: None }.check("2099-01-01T00:00Z", now), Ok(()));
    }

    #[test]
    fn what_would_be_right_could_be_given() {
        let now = at("2026-12-31T22:59:59Z");
        for seconds in [60, 1_800, 7_200, 86_400] {
            let wanted = Wanted::Time { within: Some(Duration::from_secs(seconds)) };
            let such = wanted.such(at("2026-12-31T22:59:00Z"));
            let (_, text) = such.split_once("such as ").expect("an example");
            let text = text.split(',').next().unwrap_or_default();
            if seconds > 60 {
                assert_eq!(wanted.check(text, now), Ok(()), "{such}");
            }
        }
    }

    #[test]
    fn only_addresses_of_the_public_internet_that_are_not_ours_are_taken() {
        let wanted = address(&["203.0.113.5", "198.51.100.0/24", "2001:db8:1::/48"]);
        for taken in ["203.0.113.4", "203.0.112.0/24", "9.9.9.9/32", "2001:db8::77", "2a00::1"] {
            assert_eq!(wanted.check(taken, Timestamp::UNIX_EPOCH), Ok(()), "{taken}");
        }
        for (refused, why) in [
            ("203.0.113.5", "203.0.113.5 is never"),
            ("203.0.113.0/24", "203.0.113.5 is never"),
            ("198.51.100.9", "198.51.100.0/24 is never"),
            ("2001:db8:1:2::3", "2001:db8:1::/48 is never"),
            ("8.0.0.0/7", "too wide"),
            ("9.9.0.0/16", "/16 is too wide, /24 at most"),
            ("2a00::/64", "/64 is too wide, /128 at most"),
            ("0.0.0.0/0", "no address of a sender"),
            ("::/0", "no address of a sender"),
            ("203.0.113.77/24", "within the network 203.0.113.0/24"),
            ("10.1.2.3", "private"),
            ("172.16.0.0/24", "private"),
            ("192.168.7.0/24", "private"),
            ("127.0.0.1", "the machine itself"),
            ("100.100.1.1", "carrier"),
            ("169.254.169.254", "local network"),
            ("224.0.0.1", "no address of a sender"),
            ("255.255.255.255", "no address of a sender"),
            ("0:0:0:0:0:0:0:1", "the machine itself"),
            ("::", "no address of a sender"),
            ("::ffff:10.0.0.1", "in disguise"),
            ("fe80::1", "public internet"),
            ("fd00::1", "private"),
            ("ff02::1", "public internet"),
            ("::::::::", "neither an address nor a network"),
            ("203.0.113.256", "neither"),
            ("203.0.113.07", "neither"),
            ("203.0.113.0/33", "at most /32"),
            ("203.0.113.0/+24", "neither"),
            ("203.0.113.0/", "neither"),
            ("fe80::1%eth0", "neither"),
            ("", "neither"),
        ] {
            let said = wanted.check(refused, Timestamp::UNIX_EPOCH);
            assert!(said.as_ref().is_err_and(|said| said.contains(why)), "{refused}: {said:?}");
        }
    }
}
