//! Consoles of one machine, which share what people did.

use super::*;
use crate::app::alerts::{About, kept};

/// Two consoles that see the same, and share a file.
struct Pair {
    a: Console,
    b: Console,
    file: Option<Kept>,
}

impl Pair {
    fn firing() -> Self {
        let mut pair = Self { a: Console::new(), b: Console::new(), file: None };
        for console in [&mut pair.a, &mut pair.b] {
            console.rounds(2, 100.0);
            console.look("api", 100.0);
            console.fail("redis", FailureKind::Unreachable);
            assert_eq!(console.phase("redis_down"), Phase::Firing);
        }
        pair
    }

    fn writes(&mut self, a: bool) {
        let kept = if a { kept(&self.a.state.world) } else { kept(&self.b.state.world) };
        self.file = Some(match self.file.take() {
            Some(file) => kept.merged(file),
            None => kept,
        });
    }

    /// Both write and both read, as the file goes round.
    fn share(&mut self) {
        for _ in 0..2 {
            self.writes(true);
            self.writes(false);
            let text = serde_json::to_string(&self.file.as_ref().unwrap()).unwrap();
            let read: Kept = serde_json::from_str(&text).unwrap();
            self.a.send(Event::DeedsElsewhere(Box::new(read.deeds.clone())));
            self.b.send(Event::DeedsElsewhere(Box::new(read.deeds)));
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.a.pass(seconds);
        self.b.pass(seconds);
    }
}

fn ack(reason: &str) -> AlertCommand {
    let lasting = Duration::from_secs(1_800);
    AlertCommand::Acknowledge { rule: "redis_down".into(), lasting, reason: reason.to_owned() }
}

fn silence() -> AlertCommand {
    let lasting = Duration::from_secs(1_800);
    AlertCommand::Silence { matcher: "slow".into(), lasting, reason: "known".to_owned() }
}

#[test]
fn what_is_done_at_one_console_holds_at_the_other() {
    let mut pair = Pair::firing();
    pair.a.tell(ack("on it"));
    pair.b.tell(silence());
    let lasting = Duration::from_secs(600);
    pair.a.tell(AlertCommand::Maintenance { lasting, reason: "moving".to_owned() });
    pair.b.tell(AlertCommand::Priority { rule: "redis_down".into(), priority: Priority::P0 });
    pair.a.tell(AlertCommand::Taken { level: 1, who: "bob".into() });
    pair.share();
    for console in [&pair.a, &pair.b] {
        let world = &console.state.world;
        let row = console.row("redis_down");
        assert_eq!(row.acknowledged.unwrap().reason, "on it");
        assert_eq!((row.priority, row.decided), (Priority::P0, true));
        assert_eq!(world.alerts.handling.silences.len(), 1);
        assert_eq!(world.alerts.handling.maintenance.as_ref().unwrap().reason, "moving");
        assert_eq!(world.escalation.taken.as_ref().unwrap().who, "bob");
        assert!(world.escalation.contacted.contains_key(&1));
    }
    assert!(pair.b.said("elsewhere: alice@bastion looks after redis_down"));
    let before = pair.b.state.world.notices.clone();
    pair.share();
    assert_eq!(pair.b.state.world.notices, before, "said once");

    // What is ended at one is ended at the other, and does not come back.
    pair.pass(1);
    pair.b.tell(AlertCommand::Unacknowledge("redis_down".into()));
    pair.a.tell(AlertCommand::Unsilence("slow".into()));
    pair.b.tell(AlertCommand::EndMaintenance);
    for _ in 0..3 {
        pair.share();
    }
    for console in [&pair.a, &pair.b] {
        let handling = &console.state.world.alerts.handling;
        assert_eq!(console.row("redis_down").acknowledged, None);
        assert_eq!((handling.silences.len(), &handling.maintenance), (0, &None));
    }
    assert!(pair.a.said("elsewhere: alice@bastion ended the acknowledgement of redis_down"));
    // The newest decides.
    pair.pass(1);
    pair.a.tell(ack("again"));
    pair.share();
    assert_eq!(pair.b.row("redis_down").acknowledged.unwrap().reason, "again");
}

#[test]
fn an_alert_that_is_over_at_one_console_is_still_looked_after_at_the_other() {
    let mut pair = Pair::firing();
    pair.a.tell(ack("on it"));
    pair.a.tell(AlertCommand::Priority { rule: "redis_down".into(), priority: Priority::P0 });
    pair.share();
    // One console sees the end of it some time before the other.
    for _ in 0..4 {
        pair.a.look("redis", 1.0);
        pair.b.fail("redis", FailureKind::Unreachable);
        pair.pass(INTERVAL);
    }
    assert_eq!(pair.a.phase("redis_down"), Phase::Ok);
    assert_eq!(pair.a.row("redis_down").acknowledged, None);
    assert!(!pair.a.row("redis_down").decided, "the priority was that of what is over");
    pair.share();
    assert!(!pair.b.row("redis_down").calls(), "it would ring for nothing");
    assert_eq!(pair.b.row("redis_down").priority, Priority::P0);
    assert!(pair.b.state.world.escalation.started.is_some());
    assert!(pair.b.state.world.escalation.contacted.contains_key(&1));
    for _ in 0..4 {
        pair.a.look("redis", 1.0);
        pair.b.look("redis", 1.0);
        pair.pass(INTERVAL);
    }
    pair.share();
    for console in [&pair.a, &pair.b] {
        assert_eq!(console.row("redis_down").acknowledged, None);
        assert_eq!(console.state.world.escalation, escalation::Escalation::default());
    }
    // Another incident is nobody's.
    for console in [&mut pair.a, &mut pair.b] {
        console.fail("redis", FailureKind::Unreachable);
    }
    pair.share();
    for console in [&pair.a, &pair.b] {
        assert!(console.row("redis_down").calls());
        assert!(!console.row("redis_down").decided);
        assert!(console.state.world.escalation.contacted.contains_key(&1));
    }
}

#[test]
fn a_console_that_knows_nothing_yet_does_not_take_the_alerts_from_the_file() {
    let pair = Pair::firing();
    let file = kept(&pair.a.state.world);
    let fresh = kept(&Console::at(pair.a.second).state.world);
    let merged = fresh.merged(file.clone());
    assert_eq!(merged.alerts, file.alerts);
    // One that knows that all is well does.
    let mut well = Console::at(pair.a.second);
    well.rounds(2, 100.0);
    assert!(kept(&well.state.world).merged(file.clone()).alerts.is_empty());
    // And what nobody has seen for an hour is gone.
    assert!(kept(&Console::at(pair.a.second + 4_000).state.world).merged(file).alerts.is_empty());
}

#[test]
fn times_in_the_future_are_not_believed() {
    let mut console = Console::at(7_200);
    console.rounds(2, 400.0);
    console.fail("redis", FailureKind::Unreachable);
    console.tell(ack("on it"));
    console.tell(silence());
    let file = kept(&console.state.world);
    assert_eq!(file.alerts.len(), 2);

    // The clock was set back by an hour and a half.
    let mut later = Console::at(1_800);
    later.send(Event::AlertsKept(Box::new(file.clone())));
    let now = later.state.world.now.wall;
    assert!(later.said("in the future"));
    assert_eq!(later.phase("slow"), Phase::Unknown, "how long ago it was pending is not known");
    let row = later.row("redis_down");
    assert_eq!((row.phase, row.since.unwrap().wall), (Phase::Firing, now));
    let until = |console: &Console| console.state.world.alerts.handling.silences[0].until;
    let half_an_hour = jiff::SignedDuration::from_mins(30);
    assert_eq!(until(&later).duration_since(now), half_an_hour, "as long as was asked for");
    assert!(later.state.world.escalation.contacted[&1].wall <= now);
    // What is done now is newer than what the file says.
    later.tell(AlertCommand::Unsilence("slow".into()));
    let merged = kept(&later.state.world).merged(file);
    let about = About::Silence("slow".to_owned());
    later.send(Event::DeedsElsewhere(Box::new(merged.deeds)));
    assert!(later.state.world.alerts.handling.silences.is_empty(), "{about:?}");
}

#[test]
fn a_clock_that_is_set_back_makes_nothing_last_longer() {
    let mut console = Console::at(7_200);
    console.rounds(2, 100.0);
    console.tell(silence());
    let at = console.state.world.now;
    let back = jiff::SignedDuration::from_hours(1);
    let wall = at.wall.checked_sub(back).unwrap();
    let at = Moment { mono: at.mono + Duration::from_secs(1), wall };
    console.effects.extend(update(&mut console.state, Msg { at, event: Event::Tick }));
    let until = console.state.world.alerts.handling.silences[0].until;
    assert_eq!(until.duration_since(wall), jiff::SignedDuration::from_mins(30));
    assert!(console.said("the clock was set back"));
}
