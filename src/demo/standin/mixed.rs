//! The service of the demo without a profile: its faults and its six minutes.

use std::time::Duration;

use super::super::fault::{
    Act, BLOCKED_SESSION, COLD_CACHE, Cue, DEPLOY_REGRESSION, FLAPPING, Fault, RATE_LIMIT_ABUSE,
    REDIS_OUTAGE, Script, cue,
};

/// Everything that can go wrong.
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
        explains: "Redis hangs, then dies. The cache is skipped, rate limits let everybody \
                   through, the database takes the load. Disable Redis until it is back.",
    },
    Fault {
        name: RATE_LIMIT_ABUSE,
        title: "abusive client",
        explains: "One address sends twenty requests a second. The rate limit refuses them; \
                   without Redis nothing does.",
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
];

/// Its story.
pub(in crate::demo) const SCRIPT: Script = Script { cues: STORY, lasts: Duration::from_secs(360) };

/// The six minutes.
const STORY: &[Cue] = &[
    cue(0, Act::Say, "A quiet evening: customers look at cars, the cache answers most of them."),
    cue(35, Act::On(DEPLOY_REGRESSION), "A new build goes live. Watch the response times."),
    cue(
        60,
        Act::On(BLOCKED_SESSION),
        "Its migration holds a row lock; a booking waits in Postgres.",
    ),
    cue(95, Act::Off(DEPLOY_REGRESSION), "Nobody rolled back, so a colleague did."),
    cue(97, Act::Off(BLOCKED_SESSION), "The migration gives up its lock."),
    cue(120, Act::On(RATE_LIMIT_ABUSE), "One address starts to hammer the API."),
    cue(165, Act::Off(RATE_LIMIT_ABUSE), "The abusive client loses interest."),
    cue(180, Act::On(REDIS_OUTAGE), "Redis stops answering, and then it is gone."),
    cue(225, Act::Off(REDIS_OUTAGE), "Redis is back, and empty: the cache has to fill again."),
    cue(255, Act::On(COLD_CACHE), "Somebody emptied the cache, and it does not fill. Warm it."),
    cue(295, Act::Off(COLD_CACHE), "A colleague removed the lock; the cache fills on its own."),
    cue(310, Act::On(FLAPPING), "Redis hangs for moments, again and again."),
    cue(340, Act::Off(FLAPPING), "Redis has settled."),
];
