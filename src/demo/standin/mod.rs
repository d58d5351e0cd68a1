//! The systems that the demo can stand in for: what can go wrong in each, and its story.

pub(super) mod bici;
pub(super) mod exodrive;
pub(super) mod mixed;
pub(super) mod redcube;

use super::fault::{Fault, Scenario, Script};

/// What the demo stands in for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum System {
    /// The demo's own mixture of a rental service and a voice agent.
    #[default]
    Mixed,
    /// A rental service on Vercel, with its Redis and its Postgres.
    ExoDrive,
    /// A voice agent on Render, with its Redis and its Postgres.
    Bici,
    /// Services under docker compose, with their Redis and their Postgres.
    RedCube,
}

impl System {
    /// Every system.
    pub const ALL: &[Self] = &[Self::Mixed, Self::ExoDrive, Self::Bici, Self::RedCube];

    /// The profile that watches it.
    pub fn profile(self) -> &'static str {
        match self {
            Self::Mixed => "demo",
            Self::ExoDrive => "exodrive",
            Self::Bici => "bici",
            Self::RedCube => "redcube",
        }
    }

    /// The system that a profile watches.
    pub fn of_profile(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|system| system.profile() == name)
    }

    /// What can go wrong in it.
    pub fn faults(self) -> &'static [Fault] {
        match self {
            Self::Mixed => mixed::FAULTS,
            Self::ExoDrive => exodrive::FAULTS,
            Self::Bici => bici::FAULTS,
            Self::RedCube => redcube::FAULTS,
        }
    }

    /// The names of its scenarios, the default first: its story, no fault at all, and each
    /// fault alone.
    pub fn scenarios(self) -> Vec<&'static str> {
        let faults = self.faults().iter().map(|fault| fault.name);
        [Scenario::Story.name(), Scenario::Calm.name()].into_iter().chain(faults).collect()
    }

    /// The scenario of that name.
    pub fn scenario(self, name: &str) -> Option<Scenario> {
        let usual = [Scenario::Story, Scenario::Calm];
        let only = self.faults().iter().map(Scenario::Only);
        usual.into_iter().chain(only).find(|scenario| scenario.name() == name)
    }

    /// What happens in it by itself.
    pub(super) fn script(self) -> Script {
        match self {
            Self::Mixed => mixed::SCRIPT,
            Self::ExoDrive => exodrive::SCRIPT,
            Self::Bici => bici::SCRIPT,
            Self::RedCube => redcube::SCRIPT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fault::Act, *};

    #[test]
    fn every_story_shows_every_fault_and_ends_each_before_it_begins_again() {
        for system in System::ALL {
            let script = system.script();
            assert!(script.cues.is_sorted_by_key(|cue| cue.at), "{system:?}");
            for fault in system.faults() {
                let at = |act| script.cues.iter().find(|cue| cue.act == act).map(|cue| cue.at);
                let on = at(Act::On(fault.name)).unwrap();
                let off = at(Act::Off(fault.name)).unwrap();
                assert!(on < off && off < script.lasts.as_secs(), "{system:?} {}", fault.name);
            }
        }
    }

    #[test]
    fn stories_name_only_faults_of_their_system_and_scenarios_are_found_by_name() {
        for system in System::ALL {
            for cue in system.script().cues {
                if let Act::On(name) | Act::Off(name) = cue.act {
                    let known = system.faults().iter().any(|fault| fault.name == name);
                    assert!(known, "{system:?} {name}");
                }
            }
            for name in system.scenarios() {
                assert_eq!(system.scenario(name).unwrap().name(), name);
            }
            assert_eq!(System::of_profile(system.profile()), Some(*system));
        }
        assert_eq!(System::Mixed.scenario("no such scenario"), None);
    }

    #[test]
    fn names_and_titles_fit_into_the_menu() {
        for fault in System::ALL.iter().flat_map(|system| system.faults()) {
            assert!(fault.name.len() <= 17, "{}", fault.name);
            assert!(fault.title.len() <= 28, "{}", fault.title);
        }
    }
}
