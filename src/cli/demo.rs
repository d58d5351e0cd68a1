//! `demo`: the console on an embedded service.

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    USAGE,
    args::{Common, Demo},
    configuration, live, logging, out,
};
use crate::{
    actions::Actions,
    config::{self, Request},
    demo::{self, Options, Scenario},
    domain::time::Moment,
    runtime,
    terminal::hooks::ContainedPanics,
};

/// How long an action may take to stop when the demo is over.
const END_WITHIN: Duration = Duration::from_secs(3);

/// Starts the service and the console on it. Needs nothing: no file, no network, no
/// other program; and takes no configuration, so that it can never reach a real system.
pub(super) fn run(
    common: &Common,
    options: &Demo,
    panics: ContainedPanics,
) -> color_eyre::Result<ExitCode> {
    let Some(scenario) = Scenario::named(&options.scenario) else {
        let names: Vec<&str> = Scenario::ALL.iter().map(|scenario| scenario.name()).collect();
        let names = names.join(", ");
        out::error(&format!("there is no scenario {:?}; choose one of {names}", options.scenario));
        return Ok(ExitCode::from(USAGE));
    };
    let settings = Options {
        scenario,
        seed: options.seed,
        embedded_redis: options.embedded_only,
        postgres: !options.embedded_only,
    };
    let tokio = live::tokio()?;
    let mut demo = tokio.block_on(demo::Demo::start(settings))?;
    let state = StateDir::create()?;
    demo.log_to(&state.path.join("requests.log"))?;
    let mut request = Request {
        config: None,
        profile: Some("demo".to_owned()),
        extra_vars: demo.variables(),
        isolated: true,
        ..configuration::request(common)
    };
    request.set.push(format!("state.dir={}", state.path.display()));
    let loaded = match configuration::load(common, &request) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
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

/// What is still under way acts on a service that is gone, and writes into a directory that
/// is about to be: it is ended, and that is said.
fn end_actions(state_dir: &std::path::Path) {
    let began = Instant::now();
    let now = Arc::new(move || Moment { mono: began.elapsed(), wall: Timestamp::now() });
    let Ok((actions, _)) = Actions::open(state_dir, now) else { return };
    for (action, ended) in actions.stop_all(END_WITHIN) {
        let how = if ended { "was ended with the demo" } else { "ends by itself in a moment" };
        out::error(&format!("{action} was still under way and {how}"));
    }
}

/// How the directories of demos begin; the process follows.
const PREFIX: &str = "watchfloor-demo-";

/// Removes the directories of demos that were killed and could not do it themselves.
fn forget_the_dead() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok());
        let dead = pid.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists());
        if dead && std::path::Path::new("/proc/self").exists() {
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
