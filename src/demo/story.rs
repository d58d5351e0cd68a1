//! Playing a script.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{
    fault::{Act, Cue, Scenario},
    world::World,
};

/// Plays the scenario until the service stops.
pub(super) async fn tell(scenario: Scenario, world: &World) {
    let (cues, repeats) = scenario.script();
    let play = play(cues, repeats, |cue| {
        let happened = match cue.act {
            Act::Say => true,
            Act::On(fault) => world.fault(fault, true),
            Act::Off(fault) => world.fault(fault, false),
        };
        if happened {
            world.say(cue.text);
        }
    });
    // A script that does not repeat ends; nothing follows from that.
    let _ = world.stopping.run_until_cancelled(play).await;
}

/// Performs each cue at its time, and all of them again where the script repeats.
async fn play(cues: &[Cue], repeats: Option<Duration>, mut perform: impl FnMut(&Cue)) {
    let mut began = Instant::now();
    loop {
        for cue in cues {
            sleep_until(began + Duration::from_secs(cue.at)).await;
            perform(cue);
        }
        let Some(length) = repeats else { return };
        began += length;
        sleep_until(began).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cues_come_at_their_times_and_the_story_begins_again() {
        let (cues, repeats) = Scenario::Story.script();
        let began = Instant::now();
        let mut played = Vec::new();
        let playing = play(cues, repeats, |cue| {
            assert_eq!(began.elapsed().as_secs() % 360, cue.at);
            played.push(cue.at);
        });
        let limit = Duration::from_secs(719);
        assert!(tokio::time::timeout(limit, playing).await.is_err());
        assert_eq!(played.len(), cues.len() * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_script_that_does_not_repeat_ends() {
        let (cues, repeats) = Scenario::RedisOutage.script();
        let mut played = 0;
        play(cues, repeats, |_| played += 1).await;
        assert_eq!(played, cues.len());
    }
}
