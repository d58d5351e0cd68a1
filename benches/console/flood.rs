//! A log that grows by ten thousand lines a second, while somebody reads it.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    Plan, machine,
    table::{Table, quantile},
    terminal::Terminal,
};

/// Lines a second, and how long.
const LINES: u64 = 10_000;
/// Lines are written so many times a second.
const BURSTS: u64 = 100;
/// The silence before a key.
const QUIET: Duration = Duration::from_millis(30);
/// How long a key may go unanswered.
const LIMIT: Duration = Duration::from_secs(2);
/// Keys that each change the screen: up, up, follow; levels round; times. Not `w`: the lines fit,
/// so that breaking them changes nothing.
const KEYS: [&str; 8] = ["k", "k", "G", "e", "e", "e", "t", "t"];

/// Keys and memory while the list of entries is looked at.
pub fn measure(plan: &Plan, table: &mut Table) {
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join("app.log");
    fs::write(&log, "").unwrap();
    let configuration = home.path().join("watchfloor.toml");
    fs::write(&configuration, configured(home.path(), &log)).unwrap();
    let mut terminal = Terminal::start(&configuration, None);
    terminal.wait_for_text("Log of the app");
    terminal.type_keys("8f");
    terminal.wait_for_text("following");
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (halt, count) = (Arc::clone(&stop), Arc::clone(&written));
    let writer = thread::spawn(move || write(&log, &halt, &count));
    terminal.wait_for_text("lines dropped");
    let began = Instant::now();
    let first = written.load(Ordering::Relaxed);
    let cpu = machine::cpu(terminal.pid());
    let (mut times, mut memory, mut unanswered) = (Vec::new(), Vec::new(), 0);
    for key in KEYS.iter().cycle() {
        if began.elapsed() >= plan.flood {
            break;
        }
        terminal.settle(QUIET);
        match terminal.press(key, LIMIT) {
            Some(answer) => times.push(answer.whole.as_secs_f64() * 1e3),
            None => unanswered += 1,
        }
        memory.push((began.elapsed(), machine::memory(terminal.pid()).0));
    }
    let seconds = began.elapsed().as_secs_f64();
    let used = machine::cpu(terminal.pid());
    let lines = (written.load(Ordering::Relaxed) - first) as f64;
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    assert!(terminal.runs() && !times.is_empty(), "the program answers no keys");
    times.sort_by(f64::total_cmp);
    let what = "log flood";
    table.add(&format!("{what}: lines written"), "/s", None, lines / seconds);
    table.add(&format!("{what}: keys"), "", None, times.len() as f64);
    for (name, share, goal) in
        [("p50", 0.5, None), ("p95", 0.95, None), ("p99", 0.99, Some(100.0)), ("max", 1.0, None)]
    {
        let name = format!("{what}: key to whole frame {name}");
        table.add(&name, "ms", goal, quantile(&times, share));
    }
    let third = plan.flood / 3;
    let most = |from: Duration, until: Duration| {
        let within = memory.iter().filter(|(at, _)| *at >= from && *at < until);
        within.map(|(_, of)| *of).fold(0.0, f64::max)
    };
    table.add(&format!("{what}: memory, first third"), "MB", None, most(Duration::ZERO, third));
    table.add(&format!("{what}: memory, last third"), "MB", None, most(third * 2, plan.flood * 2));
    let cpu = (used.user + used.system - cpu.user - cpu.system) / seconds;
    table.add(&format!("{what}: CPU of one core"), "share", None, cpu);
    if unanswered > 0 {
        table
            .remark(format!("{unanswered} keys in the flood changed nothing and are not counted."));
    }
    let screen = terminal.look(|seen| seen.contents());
    let told = screen.lines().find(|line| line.contains("lines dropped")).unwrap_or_default();
    table.remark(format!("What the screen said at the end: `{}`", told.trim()));
}

fn configured(home: &Path, log: &Path) -> String {
    format!(
        "[service]\nname = \"bench\"\nenvironment = \"test\"\n\n[state]\ndir = \"{}\"\n\n\
         [source.app]\nkind = \"logs\"\ntitle = \"Log of the app\"\nfile = \"{}\"\n",
        home.join("state").display(),
        log.display()
    )
}

/// Appends JSON lines of some 230 bytes, evenly, until it is told to stop.
fn write(log: &Path, stop: &AtomicBool, written: &AtomicU64) {
    let file = File::options().append(true).open(log).unwrap();
    let mut file = BufWriter::with_capacity(64 << 10, file);
    let began = Instant::now();
    let mut number = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let due = (began.elapsed().as_secs_f64() * LINES as f64) as u64;
        let now = Timestamp::now();
        while number < due {
            let (level, status) =
                if number.is_multiple_of(500) { ("error", 503) } else { ("info", 200) };
            writeln!(
                file,
                "{{\"timestamp\":\"{now:.3}\",\"level\":\"{level}\",\
                 \"message\":\"request.completed\",\"trace_id\":\"{number:016x}\",\
                 \"method\":\"GET\",\"path\":\"/api/posts/{}\",\"status\":{status},\
                 \"duration_ms\":{},\"user_id\":\"u{}\",\"ip\":\"203.0.113.7\"}}",
                number % 977,
                number % 300,
                number % 5_000,
            )
            .unwrap();
            number += 1;
        }
        file.flush().unwrap();
        written.store(number, Ordering::Relaxed);
        thread::sleep(Duration::from_secs(1) / BURSTS as u32);
    }
}
