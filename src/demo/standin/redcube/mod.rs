//! RedCube: services under docker compose on one machine, with their Redis and their
//! Postgres. What can go wrong in it, its story, and how it is started.

mod containers;
mod database;
mod gateway;
mod log;
mod serving;

use std::time::Duration;

pub(in crate::demo) use serving::start;

use super::super::fault::{Act, Cue, FLAPPING, Fault, REDIS_OUTAGE, Script, cue};

/// An image of the content service that fails.
const BAD_IMAGE: &str = "bad-image";
/// Analyses fail, where they are switched on.
const CONTENT_ERRORS: &str = "content-errors";
/// The content service leaks until it is killed.
const OOM: &str = "content-oom";
/// Users are not taken over into the second database.
const SYNC_BROKEN: &str = "sync-broken";
/// Postgres has stopped.
const POSTGRES_DOWN: &str = "postgres-down";
/// Dumps are cut short.
const DUMP_CUT: &str = "dump-cut";
/// Nothing is left to spend.
const CREDITS: &str = "credits-out";
/// The compose file hands the feature flags on.
const FLAG_WIRED: &str = "flag-wired";

/// Everything that can go wrong.
pub(in crate::demo) const FAULTS: &[Fault] = &[
    Fault {
        name: BAD_IMAGE,
        title: "bad image",
        explains: "A new image of the content service fails most requests. Give the kept one \
                   its name back and make the container anew; the script does neither.",
    },
    Fault {
        name: CONTENT_ERRORS,
        title: "failing analyses",
        explains: "One request in four fails while the UGC analysis is on. Switch it off, where \
                   the compose file hands the flag on; otherwise only time helps.",
    },
    Fault {
        name: OOM,
        title: "memory leak",
        explains: "The content service fills its memory within half a minute, is killed and \
                   starts again. A restart by hand ends it.",
    },
    Fault {
        name: SYNC_BROKEN,
        title: "broken user sync",
        explains: "The trigger is gone: new users are missing in the second database. Install \
                   migration 99 again, which takes over whom it missed.",
    },
    Fault {
        name: POSTGRES_DOWN,
        title: "Postgres is down",
        explains: "Its container has stopped. Restart it.",
    },
    Fault {
        name: REDIS_OUTAGE,
        title: "Redis outage",
        explains: "Redis hangs, then dies. It comes back by itself.",
    },
    Fault {
        name: FLAPPING,
        title: "flapping Redis",
        explains: "Redis hangs for three seconds in every ten.",
    },
    Fault {
        name: DUMP_CUT,
        title: "full disk",
        explains: "Dumps of the database are cut short, and pg_dump ends with 0.",
    },
    Fault {
        name: CREDITS,
        title: "credits used up",
        explains: "The key for the analyses has one dollar left.",
    },
    Fault {
        name: FLAG_WIRED,
        title: "compose hands flags on",
        explains: "Not a fault: docker-compose.yml names the feature flags. Without that no \
                   value in .env or in the shell reaches a container.",
    },
];

/// Its story.
pub(in crate::demo) const SCRIPT: Script = Script { cues: STORY, lasts: Duration::from_secs(480) };

const STORY: &[Cue] = &[
    cue(0, Act::Say, "A quiet evening: people read about interviews."),
    cue(30, Act::On(BAD_IMAGE), "A new image of the content service starts, and fails."),
    cue(120, Act::Off(BAD_IMAGE), "A colleague has started the image before it."),
    cue(130, Act::On(SYNC_BROKEN), "A restore took the trigger of the user sync away."),
    cue(185, Act::Off(SYNC_BROKEN), "Somebody installed migration 99 again."),
    cue(190, Act::On(FLAG_WIRED), "The compose file has learned to hand the feature flags on."),
    cue(195, Act::On(CONTENT_ERRORS), "The analyses begin to fail."),
    cue(255, Act::Off(CONTENT_ERRORS), "They work again."),
    cue(260, Act::On(OOM), "The content service leaks memory."),
    cue(330, Act::Off(OOM), "The leak has stopped."),
    cue(335, Act::On(POSTGRES_DOWN), "Postgres has stopped."),
    cue(375, Act::Off(POSTGRES_DOWN), "Somebody started it again."),
    cue(380, Act::On(REDIS_OUTAGE), "Redis stops answering, and then it is gone."),
    cue(410, Act::Off(REDIS_OUTAGE), "Redis is back."),
    cue(415, Act::On(DUMP_CUT), "The disk for backups is full."),
    cue(425, Act::On(CREDITS), "The credits for the analyses run out."),
    cue(440, Act::Off(CREDITS), "They were topped up."),
    cue(442, Act::Off(DUMP_CUT), "There is room for backups again."),
    cue(445, Act::On(FLAPPING), "Redis hangs for moments, again and again."),
    cue(470, Act::Off(FLAPPING), "Redis has settled."),
    cue(475, Act::Off(FLAG_WIRED), "Somebody reverted the compose file."),
];
