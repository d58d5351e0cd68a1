//! How far the clocks of servers are from this one's.

use crate::domain::{
    examination::{Finding, Grade, Thing},
    time::short_duration,
};

/// More than this is a warning, seconds: ages and the order of events begin to mislead.
const WARNING: f64 = 2.0;

/// More than this is critical, seconds: tokens that are valid for a short time are refused.
const CRITICAL: f64 = 30.0;

/// Judges by how many seconds the clock of a server is ahead; negative where it is behind.
/// Nothing is said of clocks that agree.
pub fn judge(thing: &Thing, ahead: f64) -> Option<Finding> {
    if !ahead.is_finite() || ahead.abs() <= WARNING {
        return None;
    }
    let grade = if ahead.abs() > CRITICAL { Grade::Critical } else { Grade::Warning };
    let by = std::time::Duration::try_from_secs_f64(ahead.abs().round()).unwrap_or_default();
    let way = if ahead > 0.0 { "ahead of" } else { "behind" };
    let what = format!("its clock is {} {way} this machine's", short_duration(by));
    let cure = "look at both clocks: timedatectl, chronyc tracking";
    Some(Finding::new(thing, grade, what).cure(cure))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::examination::Subject;

    #[test]
    fn clocks_are_judged_by_how_far_they_are_apart() {
        let thing = Thing::new(Subject::Source, "api");
        let table = [
            (0.0, None),
            (2.0, None),
            (-2.0, None),
            (f64::NAN, None),
            (3.0, Some((Grade::Warning, "its clock is 3s ahead of this machine's"))),
            (-30.0, Some((Grade::Warning, "its clock is 30s behind this machine's"))),
            (31.0, Some((Grade::Critical, "its clock is 31s ahead of this machine's"))),
            (1e300, Some((Grade::Critical, "its clock is 0s ahead of this machine's"))),
        ];
        for (ahead, expected) in table {
            let found = judge(&thing, ahead);
            let found = found.as_ref().map(|found| (found.verdict, found.what.as_str()));
            assert_eq!(found.map(|(grade, _)| grade), expected.map(|(grade, _)| grade), "{ahead}");
            if ahead.abs() < 1e9 {
                assert_eq!(found, expected, "{ahead}");
            }
        }
    }
}
