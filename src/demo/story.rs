//! Playing a script.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{
    Throw,
    fault::{Act, Cue, Scenario, Script},
    stage::Stage,
};

/// Plays the scenario until the service stops. `throw` switches a fault, and says whether
/// that changed anything.
pub(super) async fn tell(scenario: Scenario, story: Script, stage: &Stage, throw: &Throw) {
    let cues = scenario.script(story);
    let repeats = (scenario == Scenario::Story).then_some(story.lasts);
    let play = play(&cues, repeats, |cue| {
        let happened = match cue.act {
            Act::Say => true,
            Act::On(fault) => throw(fault, true),
            Act::Off(fault) => throw(fault, false),
        };
        if happened {
            stage.say(cue.text);
        }
    });
    // A script that does not repeat ends; nothing follows from that.
    let _ = stage.until_over(play).await;
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
    use super::{super::standin::mixed, *};

    #[tokio::test(start_paused = true)]
    async fn cues_come_at_their_times_and_the_story_begins_again() {
        let (cues, repeats) = (mixed::SCRIPT.cues, Some(mixed::SCRIPT.lasts));
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
        let cues = Scenario::Calm.script(mixed::SCRIPT);
        let mut played = 0;
        play(&cues, None, |_| played += 1).await;
        assert_eq!(played, cues.len());
    }
}
