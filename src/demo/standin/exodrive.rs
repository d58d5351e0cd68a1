//! ExoDrive: what can go wrong in the rental service and on its platform, and its story.

use std::time::Duration;

use super::super::fault::{
    Act, BLOCKED_SESSION, COLD_CACHE, Cue, DEPLOY_REGRESSION, FLAPPING, Fault, RATE_LIMIT_ABUSE,
    REDIS_OUTAGE, Script, cue,
};

/// The listing waits for something that no build of ours can change.
pub(in crate::demo) const SLOW_CARS: &str = "slow-cars";
/// One request in four fails.
pub(in crate::demo) const ERROR_BURST: &str = "error-burst";
/// Nothing captures the payments that are due.
pub(in crate::demo) const CAPTURES_STUCK: &str = "captures-stuck";
/// Jobs of the platform take ten times as long.
pub(in crate::demo) const PLATFORM_SLOW: &str = "platform-slow";
/// Jobs of the platform fail.
pub(in crate::demo) const PLATFORM_FAILS: &str = "platform-fails";
/// The build that serves reads the Edge Config.
pub(in crate::demo) const READS_EDGE: &str = "reads-edge-config";

/// Everything that can go wrong, and how the service and its platform may differ.
pub(in crate::demo) const FAULTS: &[Fault] = &[
    Fault {
        name: DEPLOY_REGRESSION,
        title: "bad deployment",
        explains: "A new build answers slowly and fails one request in twenty-five. \
                   Roll back to the previous deployment.",
    },
    Fault {
        name: REDIS_OUTAGE,
        title: "Redis outage",
        explains: "Redis hangs, then dies. /api/demo/redis goes on answering 200; the cache is \
                   skipped, rate limits let everybody through, the database takes the load.",
    },
    Fault {
        name: SLOW_CARS,
        title: "slow car listing",
        explains: "Each listing waits 400 ms for another service, cached or not. No roll-back \
                   and no warming helps: it ends by itself.",
    },
    Fault {
        name: ERROR_BURST,
        title: "burst of errors",
        explains: "One request in four fails with 500, whichever deployment serves.",
    },
    Fault {
        name: CAPTURES_STUCK,
        title: "payment captures stuck",
        explains: "For 45 minutes nothing has captured the payments that are due, while a GET on \
                   the endpoint says that it runs. A POST with the cron secret mends it.",
    },
    Fault {
        name: RATE_LIMIT_ABUSE,
        title: "abusive client",
        explains: "One address sends twenty requests a second. The rate limit refuses them; \
                   without Redis nothing does. A rule of the firewall keeps it out.",
    },
    Fault {
        name: COLD_CACHE,
        title: "cold cache",
        explains: "The cache was emptied, and a lock left behind by a warm-up keeps requests \
                   from filling it. Warm the cache, which takes the lock away.",
    },
    Fault {
        name: FLAPPING,
        title: "flapping Redis",
        explains: "Redis hangs for three seconds in every ten.",
    },
    Fault {
        name: BLOCKED_SESSION,
        title: "blocked session",
        explains: "A migration holds a row lock in Postgres and idles; a booking waits for it.",
    },
    Fault {
        name: PLATFORM_SLOW,
        title: "slow platform",
        explains: "Roll-backs, promotions and builds take ten times as long.",
    },
    Fault {
        name: PLATFORM_FAILS,
        title: "failing platform",
        explains: "Roll-backs and promotions are accepted and then fail; builds end in ERROR.",
    },
    Fault {
        name: READS_EDGE,
        title: "build reads Edge Config",
        explains: "Not a fault: what serves reads disable_redis from the Edge Config. Without \
                   it nothing does, and switching Redis off there is refuted.",
    },
];

/// Its story.
pub(in crate::demo) const SCRIPT: Script = Script { cues: STORY, lasts: Duration::from_secs(540) };

const STORY: &[Cue] = &[
    cue(0, Act::Say, "A quiet evening: customers look at cars, the cache answers most of them."),
    cue(35, Act::On(DEPLOY_REGRESSION), "A new build goes live. Watch the response times."),
    cue(
        60,
        Act::On(BLOCKED_SESSION),
        "Its migration holds a row lock; a booking waits in Postgres.",
    ),
    cue(110, Act::Off(DEPLOY_REGRESSION), "Nobody rolled back, so a colleague did."),
    cue(112, Act::Off(BLOCKED_SESSION), "The migration gives up its lock."),
    cue(130, Act::On(RATE_LIMIT_ABUSE), "One address starts to hammer the API."),
    cue(175, Act::Off(RATE_LIMIT_ABUSE), "The abusive client loses interest."),
    cue(190, Act::On(REDIS_OUTAGE), "Redis stops answering, and then it is gone."),
    cue(
        210,
        Act::On(READS_EDGE),
        "The build that serves reads the Edge Config: Redis can be switched off there.",
    ),
    cue(240, Act::Off(REDIS_OUTAGE), "Redis is back, and empty: the cache has to fill again."),
    cue(265, Act::On(COLD_CACHE), "Somebody emptied the cache, and it does not fill. Warm it."),
    cue(305, Act::Off(COLD_CACHE), "A colleague removed the lock; the cache fills on its own."),
    cue(315, Act::On(CAPTURES_STUCK), "A capture run died: payments that are due stay uncaptured."),
    cue(330, Act::On(SLOW_CARS), "The listing waits for a service of somebody else."),
    cue(370, Act::Off(SLOW_CARS), "That service has recovered."),
    cue(385, Act::On(PLATFORM_SLOW), "The platform has an incident: its jobs take very long."),
    cue(395, Act::Off(CAPTURES_STUCK), "Captures run again, and catch up."),
    cue(400, Act::On(ERROR_BURST), "One request in four fails, whatever is deployed."),
    cue(430, Act::Off(ERROR_BURST), "The errors have stopped."),
    cue(435, Act::On(PLATFORM_FAILS), "The platform accepts jobs, and then fails them."),
    cue(460, Act::Off(PLATFORM_FAILS), "Jobs of the platform work again."),
    cue(462, Act::Off(PLATFORM_SLOW), "The platform is as fast as usual."),
    cue(470, Act::On(FLAPPING), "Redis hangs for moments, again and again."),
    cue(505, Act::Off(FLAPPING), "Redis has settled."),
    cue(530, Act::Off(READS_EDGE), "The next build reads no Edge Config any more."),
];
