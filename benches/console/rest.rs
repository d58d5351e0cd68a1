//! The program left alone: bytes, processor time, memory.

use std::{collections::BTreeMap, thread, time::Duration};

use super::{
    Plan, machine,
    service::Service,
    table::{Table, shown},
    terminal::{Terminal, keep_screen},
};

/// How long a start is left to settle: the windows of the hit rates have two looks, and no
/// row waits any more.
const WARM_UP: Duration = Duration::from_secs(8);

/// Watches the program for a while.
pub fn measure(plan: &Plan, service: &Service, table: &mut Table) {
    let mut threads: BTreeMap<String, f64> = BTreeMap::new();
    let mut largest = Vec::new();
    for _ in 0..plan.runs {
        let configuration = service.configuration();
        let terminal = Terminal::start(&configuration.file, None);
        terminal.wait_for_text(service.all_answer());
        // This is how long the program is left alone, not a wait for something.
        thread::sleep(WARM_UP);
        let pid = terminal.pid();
        let (bytes, frames) = terminal.look(|seen| (seen.bytes, seen.frames));
        let (cpu, by_thread) = (machine::cpu(pid), machine::cpu_of_threads(pid));
        thread::sleep(plan.rest);
        let after = machine::cpu(pid);
        let (bytes_after, frames_after) = terminal.look(|seen| (seen.bytes, seen.frames));
        let (user, system) = (after.user - cpu.user, after.system - cpu.system);
        let seconds = plan.rest.as_secs_f64();
        let minutes = seconds / 60.0;
        let per_second = |count: usize| count as f64 / seconds;
        table.add(
            "at rest: bytes to the terminal",
            "/s",
            Some(300.0),
            per_second(bytes_after - bytes),
        );
        table.add("at rest: frames with bytes", "/s", None, per_second(frames_after - frames));
        table.add("at rest: CPU, user and system", "s/min", Some(0.20), (user + system) / minutes);
        table.add("at rest: CPU, user", "s/min", None, user / minutes);
        table.add("at rest: CPU, system", "s/min", None, system / minutes);
        let (now, most) = machine::memory(pid);
        table.add("resident memory", "MB", Some(20.0), now);
        table.add("resident memory, the most ever", "MB", None, most);
        for (name, spent) in machine::cpu_of_threads(pid) {
            let spent = spent - by_thread.get(&name).copied().unwrap_or_default();
            *threads.entry(name).or_default() += spent / minutes / plan.runs as f64;
        }
        largest.push(terminal.look(|seen| largest_frames(&seen.pieces, frames)));
        keep_screen(&terminal);
    }
    let threads = threads.iter().filter(|(_, spent)| **spent >= 0.0005);
    let threads: Vec<String> =
        threads.map(|(name, spent)| format!("{name} {}", shown(*spent))).collect();
    table.remark(format!("CPU s/min by thread: {}.", threads.join(", ")));
    let frames: Vec<String> = largest.concat().iter().map(ToString::to_string).collect();
    table.remark(format!("Largest frames at rest, bytes: {}.", frames.join(", ")));
}

/// The sizes of the five largest frames after the first `skip` ones.
fn largest_frames(pieces: &[super::terminal::Piece], skip: usize) -> Vec<usize> {
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    for piece in pieces.iter().filter(|piece| piece.frames > skip) {
        *sizes.entry(piece.frames).or_default() += piece.bytes;
    }
    let mut sizes: Vec<usize> = sizes.into_values().collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.truncate(5);
    sizes
}
