//! One story for each profile, in a terminal and with the program itself: a fault is switched
//! on in the menu, its alert fires, the right action is confirmed, and the alert is over.

use std::time::Duration;

use super::common::pty::Pty;

const PROGRAM: &str = env!("CARGO_BIN_EXE_watchfloor");

/// A console on a stand-in, armed. `set` makes the profile's waits short, nothing else.
fn console(profile: &str, set: &[&str]) -> Pty {
    let mut arguments = vec!["demo", "--profile", profile, "--scenario", "calm"];
    for one in set {
        arguments.extend(["--set", one]);
    }
    let mut pty = Pty::spawn(PROGRAM, &arguments, &[], (140, 45));
    pty.wait_for_text("sources answer");
    pty.arm();
    pty
}

/// Switches the fault at this place of the menu.
fn inject(pty: &mut Pty, place: usize, title: &str) {
    pty.send("F");
    pty.wait_for_text("Faults of the demo");
    pty.wait_for_text(title);
    for _ in 0..place {
        pty.send("j");
    }
    pty.send("\r");
    pty.wait_until_quiet(Duration::from_millis(300));
    // Escape and the key after it are one key where they come together.
    pty.send("\x1b");
    pty.wait_until_quiet(Duration::from_millis(300));
}

/// Starts an action, says why, and confirms it as its guard wants; waits for the outcome.
fn carry_out(pty: &mut Pty, action: &str, target: Option<&str>) {
    pty.send(format!(":{action}\r"));
    confirm(pty, target);
}

/// The same for one that asks for something first, which is answered by the first of the choices.
fn carry_out_first(pty: &mut Pty, action: &str, choice: &str, target: &str) {
    pty.send(format!(":{action}\r"));
    pty.wait_for_text("to choose from");
    pty.wait_for_text(choice);
    pty.wait_until_quiet(Duration::from_millis(400));
    pty.send(choice);
    pty.wait_until_quiet(Duration::from_millis(400));
    pty.send("\r");
    confirm(pty, Some(target));
}

/// Says why, confirms, and waits for the outcome.
fn confirm(pty: &mut Pty, target: Option<&str>) {
    pty.say_why();
    match target {
        Some(target) => pty.type_target(target),
        None => pty.say_yes(),
    }
    // The message of the run before may still be there; the dialog is closed only by hand.
    pty.wait_for("the run to be confirmed", |screen| {
        let text = screen.contents();
        text.contains("CONFIRMED") && text.contains("Close")
    });
    // Escape and the key after it are one key where they come together.
    pty.send("\x1b");
    pty.wait_until_quiet(Duration::from_millis(300));
}

/// Waits until an alert fires, which the pane of alerts says.
fn wait_until_firing(pty: &Pty, title: &str) {
    pty.wait_for("the alert to fire", |screen| fires(&screen.contents(), title));
}

/// Waits until it does not any more.
fn wait_until_over(pty: &Pty, title: &str) {
    pty.wait_for("the alert to be over", |screen| !fires(&screen.contents(), title));
}

fn fires(screen: &str, title: &str) -> bool {
    screen.lines().any(|line| line.to_lowercase().contains("firing") && line.contains(title))
}

#[test]
fn exodrive_a_bad_deployment_is_rolled_back() {
    let mut pty = console(
        "exodrive",
        &[
            "source.cars.interval=1500ms",
            "source.cars.timeout=1400ms",
            "source.vercel_project.interval=1500ms",
            "source.vercel_project.timeout=1400ms",
            "source.vercel_candidates.interval=1500ms",
            "source.vercel_candidates.timeout=1400ms",
            "rule.latency.when=\"avg(cars.first_byte_ms, 10s) > 150ms\"",
            "rule.latency.for=4s",
        ],
    );
    inject(&mut pty, 0, "bad deployment");
    wait_until_firing(&pty, "p95 of the car listing");
    // The one that was served before it.
    carry_out_first(&mut pty, "rollback", "dpl_Demo4GoodYx8mVtQ2", "exodrive/demo");
    wait_until_over(&pty, "p95 of the car listing");
}

#[test]
fn bici_a_build_that_does_not_start_is_rolled_back() {
    let mut pty = console(
        "bici",
        &[
            "source.health.interval=1500ms",
            "source.health.timeout=1400ms",
            "source.deploys.interval=1500ms",
            "source.deploys.timeout=1400ms",
            "rule.agent_down.for=4s",
        ],
    );
    inject(&mut pty, 0, "bad build");
    wait_until_firing(&pty, "Agent does not answer");
    // The deploy to go back to is the first that is offered.
    pty.send(":rollback\r");
    pty.wait_for_text("dep-demo0good");
    pty.wait_until_quiet(Duration::from_millis(400));
    pty.send("dep-demo0good\r");
    confirm(&mut pty, Some("bici/demo"));
    wait_until_over(&pty, "Agent does not answer");
}

#[test]
fn redcube_a_bad_image_is_replaced_by_the_kept_one() {
    let mut pty = console(
        "redcube",
        &[
            "source.experiences.interval=2s",
            "source.experiences.timeout=1900ms",
            "source.content_health.interval=2s",
            "source.content_health.timeout=1900ms",
            "source.content.interval=2s",
            "source.content.timeout=1900ms",
            "source.kept.interval=2s",
            "source.kept.timeout=1900ms",
            "source.kept_running.interval=2s",
            "source.kept_running.timeout=1900ms",
            "rule.experiences_down.for=4s",
        ],
    );
    inject(&mut pty, 0, "bad image");
    wait_until_firing(&pty, "Experiences are not listed");
    carry_out(&mut pty, "rollback", Some("redcube/demo"));
    wait_until_over(&pty, "Experiences are not listed");
}
