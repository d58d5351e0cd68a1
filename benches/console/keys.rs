//! From a key to what it paints.

use std::time::Duration;

use super::{
    Plan,
    service::Service,
    table::{Table, quantile},
    terminal::{Answer, Terminal},
};

/// Keys that change the screen, in an order that leads back to where it began.
const KEYS: [(&str, &str); 5] =
    [("Tab", "\t"), ("?", "?"), ("Esc", "\x1b"), ("j", "j"), ("k", "k")];
/// How long a key may go unanswered.
const LIMIT: Duration = Duration::from_secs(2);
/// The silence before a key, and before one behind a slow line.
const QUIET: Duration = Duration::from_millis(40);
const SLOW_QUIET: Duration = Duration::from_millis(150);
/// The slow line, bytes per second.
const SLOW: usize = 20_000;

/// While everything answers.
pub fn measure(plan: &Plan, service: &Service, table: &mut Table) {
    for _ in 0..plan.runs {
        let configuration = service.configuration();
        let mut terminal = Terminal::start(&configuration.file, None);
        terminal.wait_for_text(service.all_answer());
        run("key, sources answer", plan.presses, QUIET, &mut terminal, table);
    }
}

/// While nothing answers.
pub fn measure_hanging(plan: &Plan, service: &Service, table: &mut Table) {
    for _ in 0..plan.runs {
        let configuration = service.configuration();
        let mut terminal = Terminal::start(&configuration.file, None);
        terminal.wait_for_text(service.all_answer());
        let hanging = service.hang();
        terminal.wait_for_text(service.none_answers());
        run("key, all sources hang", plan.presses, QUIET, &mut terminal, table);
        drop(hanging);
    }
}

/// Behind a slow line.
pub fn measure_slow(plan: &Plan, service: &Service, table: &mut Table) {
    for _ in 0..plan.runs {
        let configuration = service.configuration();
        let mut terminal = Terminal::start(&configuration.file, Some(SLOW));
        terminal.wait_for_text(service.all_answer());
        let answers = press(&mut terminal, plan.slow_presses, SLOW_QUIET, table);
        let first = sorted(&answers, |answer| answer.first);
        let whole = sorted(&answers, |answer| answer.whole);
        let what = "key behind 20 KB/s";
        table.add(&format!("{what}: first byte p50"), "ms", Some(50.0), quantile(&first, 0.5));
        table.add(&format!("{what}: first byte p95"), "ms", Some(60.0), quantile(&first, 0.95));
        table.add(&format!("{what}: first byte max"), "ms", None, quantile(&first, 1.0));
        table.add(&format!("{what}: whole frame p50"), "ms", None, quantile(&whole, 0.5));
        table.add(&format!("{what}: whole frame p95"), "ms", None, quantile(&whole, 0.95));
        table.add(&format!("{what}: whole frame max"), "ms", None, quantile(&whole, 1.0));
        for (name, _) in KEYS {
            let own: Vec<f64> = bytes_of(&answers, name);
            if !own.is_empty() {
                let what = format!("bytes that answer {name}, median");
                table.add(&what, "bytes", None, quantile(&own, 0.5));
            }
        }
    }
}

type Answers = Vec<(&'static str, Answer)>;

fn run(what: &str, presses: usize, quiet: Duration, terminal: &mut Terminal, table: &mut Table) {
    let answers = press(terminal, presses, quiet, table);
    // An Esc may begin a sequence: the program has to wait for what may follow.
    let plain: Answers = answers.iter().filter(|(name, _)| *name != "Esc").copied().collect();
    let escapes: Answers = answers.iter().filter(|(name, _)| *name == "Esc").copied().collect();
    let first = sorted(&plain, |answer| answer.first);
    let whole = sorted(&plain, |answer| answer.whole);
    table.add(&format!("{what}: first byte p50"), "ms", Some(1.0), quantile(&first, 0.5));
    table.add(&format!("{what}: first byte p99"), "ms", Some(5.0), quantile(&first, 0.99));
    table.add(&format!("{what}: first byte max"), "ms", None, quantile(&first, 1.0));
    table.add(&format!("{what}: whole frame p50"), "ms", None, quantile(&whole, 0.5));
    table.add(&format!("{what}: whole frame p99"), "ms", None, quantile(&whole, 0.99));
    if !escapes.is_empty() {
        let first = sorted(&escapes, |answer| answer.first);
        let what = format!("{what}: Esc, which waits 25 ms");
        table.add(&format!("{what}, p50"), "ms", None, quantile(&first, 0.5));
        table.add(&format!("{what}, max"), "ms", None, quantile(&first, 1.0));
    }
}

/// Presses the keys in turn, each after a silence.
fn press(terminal: &mut Terminal, presses: usize, quiet: Duration, table: &mut Table) -> Answers {
    let mut answers = Vec::new();
    let mut unanswered = Vec::new();
    for (name, key) in KEYS.iter().cycle().take(presses) {
        terminal.settle(quiet);
        match terminal.press(key, LIMIT) {
            Some(answer) => answers.push((*name, answer)),
            None => unanswered.push(*name),
        }
    }
    assert!(terminal.runs() && !answers.is_empty(), "the program answers no keys");
    if !unanswered.is_empty() {
        table.remark(format!(
            "{} of {presses} keys changed nothing on the screen and are not counted: {}.",
            unanswered.len(),
            unanswered.join(" ")
        ));
    }
    answers
}

fn sorted(answers: &Answers, of: impl Fn(&Answer) -> Duration) -> Vec<f64> {
    let mut values: Vec<f64> =
        answers.iter().map(|(_, answer)| of(answer).as_secs_f64() * 1e3).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn bytes_of(answers: &Answers, name: &str) -> Vec<f64> {
    let own = answers.iter().filter(|(own, _)| *own == name);
    let mut values: Vec<f64> = own.map(|(_, answer)| answer.bytes as f64).collect();
    values.sort_by(f64::total_cmp);
    values
}
