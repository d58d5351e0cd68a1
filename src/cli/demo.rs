//! `demo`: the console on an embedded service.

use std::{
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    UNAVAILABLE, USAGE,
    args::{Common, Demo},
    configuration, live, logging, out,
};
use crate::{
    actions::Actions,
    config::{self, Request, profile::Profile},
    demo::{Demo as Running, DemoError, Options, System, WARD},
    domain::time::Moment,
    runtime,
    terminal::hooks::ContainedPanics,
};

/// How long an action may take to stop when the demo is over.
const END_WITHIN: Duration = Duration::from_secs(3);

/// Starts the service and the console on it. Needs nothing: no file, no network, no
/// other program; and takes no configuration, so that it can never reach a real system. With
/// the name of a profile it stands in for the system of that profile, and needs the servers
/// that this one has.
pub(super) fn run(
    common: &Common,
    options: &Demo,
    panics: ContainedPanics,
) -> color_eyre::Result<ExitCode> {
    // The command line has let no other name through.
    let system = common.profile.as_deref().and_then(System::of_profile).unwrap_or_default();
    let Some(scenario) = system.scenario(&options.scenario) else {
        let names = system.scenarios().join(", ");
        out::error(&format!("there is no scenario {:?}; choose one of {names}", options.scenario));
        return Ok(ExitCode::from(USAGE));
    };
    let settings = Options {
        system,
        scenario,
        seed: options.seed,
        embedded_redis: options.embedded_only,
        postgres: !options.embedded_only,
    };
    let tokio = live::tokio()?;
    let mut demo = match tokio.block_on(Running::start(settings)) {
        Ok(demo) => demo,
        Err(missing @ DemoError::Missing { .. }) => {
            let without = "or start with --embedded-only, which goes on without these programs";
            out::error(&format!("{missing}, {without}"));
            return Ok(ExitCode::from(UNAVAILABLE));
        }
        Err(error) => return Err(error.into()),
    };
    let state = StateDir::create()?;
    demo.log_to(&state.path.join("requests.log"))?;
    let mut request = Request {
        config: None,
        profile: Some(system.profile().to_owned()),
        extra_vars: demo.variables(),
        search_path: demo.programs().map(search_path),
        isolated: true,
        ..configuration::request(common)
    };
    // Nobody shall take this for the system that it stands in for.
    request.set.push("service.environment=demo".to_owned());
    request.set.push(format!("state.dir={}", state.path.display()));
    let mut loaded = match configuration::load(common, &request) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    if let Some(why) = demo.no_postgres() {
        say_why_not(&mut loaded.profile, why);
    }
    let log = logging::start(&loaded.profile.state_dir, common.verbose);
    let mut plan = runtime::Plan::new(loaded, options.live.lasting);
    plan.remarks.extend(log.as_ref().err().cloned());
    plan.demo = Some(demo);
    // The directory of the journal is gone when the demo ends; what somebody saves is not.
    plan.saves = Some(config::state_dir(&request));
    plan.panics = Some(panics);
    let done = live::finish(tokio, plan, &options.live);
    end_actions(&state.path);
    done
}

/// The variable that a real system would need set does not help here: the demo sets it.
fn say_why_not(profile: &mut Profile, why: &str) {
    for source in profile.catalog.sources.values_mut().filter(|source| source.kind == "postgres") {
        source.disabled = Some(why.to_owned());
    }
}

/// The search path with the programs first that stand in for others.
fn search_path(programs: &Path) -> String {
    let usual = std::env::var("PATH").unwrap_or_default();
    format!("{}:{usual}", programs.display())
}

/// What is still under way acts on a service that is gone, and writes into a directory that
/// is about to be: it is ended, and that is said.
fn end_actions(state_dir: &Path) {
    let began = Instant::now();
    let now = Arc::new(move || Moment { mono: began.elapsed(), wall: Timestamp::now() });
    let Ok((actions, _)) = Actions::open(state_dir, now) else { return };
    for (action, ended) in actions.stop_all(END_WITHIN) {
        let how = if ended { "was ended with the demo" } else { "ends by itself in a moment" };
        out::error(&format!("{action} was still under way and {how}"));
    }
}

/// How the directories of demos begin; the process follows, then what makes it unique.
const PREFIX: &str = "watchfloor-demo-";

/// The process that made a directory of a demo. A name of any other form is not one of ours.
fn made_by(name: &str) -> Option<u32> {
    let rest = [PREFIX, WARD].into_iter().find_map(|prefix| name.strip_prefix(prefix))?;
    let (pid, unique) = rest.split_once('-')?;
    let is_ours = unique.len() == 8
        && unique.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && pid.bytes().all(|byte| byte.is_ascii_digit());
    is_ours.then(|| pid.parse().ok()).flatten()
}

/// Removes the directories of demos that were killed and could not do it themselves.
fn forget_the_dead() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(made_by);
        let dead = pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        if dead && Path::new("/proc/self").exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A directory for the journal of the demo, gone when the demo is over.
struct StateDir {
    path: std::path::PathBuf,
}

impl StateDir {
    fn create() -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        forget_the_dead();
        let name = format!("{PREFIX}{}-{:08x}", std::process::id(), rand::random::<u32>());
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_of_exactly_our_form_tells_a_process() {
        assert_eq!(made_by("watchfloor-demo-4711-0a1b2c3d"), Some(4711));
        assert_eq!(made_by("watchfloor-ward-4711-0a1b2c3d"), Some(4711));
        // Eight digits that are hexadecimal may all be decimal, and are no process.
        for other in [
            "watchfloor-demo-12345678",
            "watchfloor-ward-12345678",
            "watchfloor-demo-12345678-",
            "watchfloor-demo-12345678-0a1b2c3",
            "watchfloor-demo-+471-0a1b2c3d",
            "watchfloor-demo--0a1b2c3d",
            "watchfloor-demo-4711-0a1b2c3d-x",
            "watchfloor-demo-4711-0A1B2C3D",
            "something-4711-0a1b2c3d",
        ] {
            assert_eq!(made_by(other), None, "{other}");
        }
    }
}
