//! BICI: a voice agent on Render, with its Redis and its Postgres. What can go wrong in it,
//! its story, and how it is started.

mod checkout;
mod platform;
mod render;
mod render_api;
mod serving;

use std::time::Duration;

pub(in crate::demo) use serving::start;

use super::super::fault::{Act, Cue, FLAPPING, Fault, REDIS_OUTAGE, REDIS_SLOW, Script, cue};

/// A build in which the agent does not start.
pub(in crate::demo) const BAD_BUILD: &str = "bad-build";
/// The agent raises an alert of its own.
pub(in crate::demo) const AGENT_ALERTS: &str = "agent-alerts";
/// Everybody who calls is unknown, so that nothing is in the cache.
pub(in crate::demo) const STRANGERS: &str = "strangers";
/// Nobody calls.
pub(in crate::demo) const QUIET: &str = "quiet";
/// The monitoring routes are not mounted.
const NOT_MOUNTED: &str = "not-mounted";
/// Deploys take ten times as long.
const DEPLOYS_SLOW: &str = "deploys-slow";
/// Builds fail.
const DEPLOYS_FAIL: &str = "deploys-fail";
/// Deploys go live and change nothing.
const DEPLOYS_IDLE: &str = "deploys-idle";

/// A suite fails, and its runner ends with 0.
const SUITES_LIE: &str = "suites-lie";

/// Everything that can go wrong.
pub(in crate::demo) const FAULTS: &[Fault] = &[
    Fault {
        name: BAD_BUILD,
        title: "bad build",
        explains: "A new build goes live in which the agent does not start: the platform \
                   answers 502 for it. Roll back; a restart starts the same build again.",
    },
    Fault {
        name: REDIS_OUTAGE,
        title: "Redis outage",
        explains: "Redis hangs, then dies. The agent is critical and goes on with its database. \
                   Store REDIS_ENABLED=false and deploy it; a restart does not read it.",
    },
    Fault {
        name: REDIS_SLOW,
        title: "slow Redis",
        explains: "Redis answers, after 100 ms and more. Nothing fails, everybody waits.",
    },
    Fault {
        name: FLAPPING,
        title: "flapping Redis",
        explains: "Redis hangs for three seconds in every ten.",
    },
    Fault {
        name: STRANGERS,
        title: "nobody in the cache",
        explains: "Everybody who calls is unknown: the hit rate falls, and the agent raises an \
                   alert that it never resolves.",
    },
    Fault {
        name: AGENT_ALERTS,
        title: "alert of the agent",
        explains: "The agent raises an alert on its stream and never resolves it; only a new \
                   process forgets it.",
    },
    Fault {
        name: QUIET,
        title: "nobody calls",
        explains: "Not a fault: without a call there is nothing to count, and the agent reports \
                   a hit rate of 0 and an error rate of null from its next start on.",
    },
    Fault {
        name: NOT_MOUNTED,
        title: "monitoring not mounted",
        explains: "Every monitoring route answers 404, as in the public code. That is not down.",
    },
    Fault {
        name: DEPLOYS_SLOW,
        title: "slow deploys",
        explains: "Deploys and roll-backs take ten times as long.",
    },
    Fault {
        name: DEPLOYS_FAIL,
        title: "failing deploys",
        explains: "Deploys are accepted, and their builds fail. What served goes on serving.",
    },
    Fault {
        name: DEPLOYS_IDLE,
        title: "idle deploys",
        explains: "Deploys go live, and the process keeps the variables that it had.",
    },
    Fault {
        name: SUITES_LIE,
        title: "suites that lie",
        explains: "A test suite fails, and ends with 0 all the same: only what it prints says so.",
    },
];

/// Its story.
pub(in crate::demo) const SCRIPT: Script = Script { cues: STORY, lasts: Duration::from_secs(420) };

const STORY: &[Cue] = &[
    cue(0, Act::Say, "A quiet evening: people call, and the agent knows most of them."),
    cue(30, Act::On(BAD_BUILD), "A new build goes live, and the agent in it does not start."),
    cue(85, Act::Off(BAD_BUILD), "A colleague has deployed the build before it."),
    cue(100, Act::On(REDIS_SLOW), "Redis answers late."),
    cue(140, Act::Off(REDIS_SLOW), "Redis is as fast as before."),
    cue(150, Act::On(AGENT_ALERTS), "The agent says that its voices are slow."),
    cue(165, Act::Off(AGENT_ALERTS), "They are not any more; its alert stays."),
    cue(170, Act::On(REDIS_OUTAGE), "Redis stops answering, and then it is gone."),
    cue(240, Act::Off(REDIS_OUTAGE), "Redis is back, and empty."),
    cue(255, Act::On(STRANGERS), "A campaign: nobody who calls has called before."),
    cue(290, Act::Off(STRANGERS), "Those who call are known again."),
    cue(295, Act::On(DEPLOYS_SLOW), "The platform has an incident: deploys take very long."),
    cue(310, Act::On(DEPLOYS_FAIL), "Now they fail as well."),
    cue(330, Act::Off(DEPLOYS_FAIL), "Deploys work again."),
    cue(332, Act::Off(DEPLOYS_SLOW), "And they are as fast as usual."),
    cue(335, Act::On(DEPLOYS_IDLE), "Whatever is deployed, the process keeps its variables."),
    cue(355, Act::Off(DEPLOYS_IDLE), "Deploys bring what was stored."),
    cue(357, Act::On(QUIET), "It is late: nobody calls."),
    cue(359, Act::Off(QUIET), "People call again."),
    cue(360, Act::On(FLAPPING), "Redis hangs for moments, again and again."),
    cue(385, Act::Off(FLAPPING), "Redis has settled."),
    cue(386, Act::On(SUITES_LIE), "A test is broken, and whoever runs the suite is told 0."),
    cue(389, Act::Off(SUITES_LIE), "The test is mended."),
    cue(390, Act::On(NOT_MOUNTED), "A refactoring forgot the monitoring routes: all of them 404."),
    cue(412, Act::Off(NOT_MOUNTED), "They are mounted again."),
];
