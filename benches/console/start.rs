//! From the start of the process to the first frame.

use super::{Plan, service::Service, table::Table, terminal::Terminal};

/// Starts the program many times.
pub fn measure(plan: &Plan, service: &Service, table: &mut Table) {
    for _ in 0..plan.runs * plan.starts {
        let configuration = service.configuration();
        let terminal = Terminal::start(&configuration.file, None);
        let first = terminal.wait("the first frame", |seen| {
            Some(seen.pieces.iter().find(|piece| piece.frames > 0)?.at)
        });
        let ms = |at: std::time::Instant| (at - terminal.started).as_secs_f64() * 1e3;
        table.add("start to first full frame", "ms", Some(30.0), ms(first));
        let all = terminal.wait_for_text(service.all_answer());
        table.add("start to an answer of every source", "ms", None, ms(all));
    }
}
