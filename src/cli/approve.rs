//! `approve`: the second person of an irreversible action.

use std::{process::ExitCode, sync::Arc, time::Instant};

use jiff::Timestamp;

use super::{
    args::{Approve, Common},
    configuration, out,
};
use crate::{
    actions::{Actions, Request},
    domain::{
        ids::RunId,
        time::{Moment, clock},
    },
};

/// Nothing was agreed to.
const REFUSED: u8 = 2;

/// Shows what was asked, and agrees to it where the target is named.
pub(super) fn run(common: &Common, options: &Approve) -> color_eyre::Result<ExitCode> {
    let loaded = match configuration::load(common, &configuration::request(common)) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let began = Instant::now();
    let now = Arc::new(move || Moment { mono: began.elapsed(), wall: Timestamp::now() });
    let (actions, report) = Actions::open(&loaded.profile.state_dir, now)?;
    for remark in report.remarks() {
        out::error(&remark);
    }
    let requests = actions.requests(&options.request);
    for request in &requests {
        out::line(&in_words(request))?;
    }
    let request = match requests.as_slice() {
        [request] => request,
        [] => {
            out::error(&format!("nobody asks for a second person for {}", options.request));
            return Ok(ExitCode::from(REFUSED));
        }
        several => {
            let count = several.len();
            out::error(&format!("{count} requests are open: nothing was agreed to; name the run"));
            return Ok(ExitCode::from(REFUSED));
        }
    };
    let Some(phrase) = &options.confirm else {
        let target = &request.target;
        out::error(&format!("nothing was agreed to; to agree: --confirm {target}"));
        return Ok(ExitCode::from(REFUSED));
    };
    match actions.approve(request, phrase) {
        Ok(approval) => out::line(&format!("agreed as {}", approval.words())),
        Err(why) => {
            out::error(&format!("REFUSED: {why}"));
            Ok(ExitCode::from(REFUSED))
        }
    }
}

fn in_words(request: &Request) -> String {
    let mut lines = vec![
        format!("{} on {}, as run {}", request.action, request.target, request.run),
        format!("asked by {} at {}", request.by, request.at.strftime("%H:%M:%SZ")),
    ];
    // Not every guard wants one.
    if !request.reason.trim().is_empty() {
        lines.push(format!("because: {}", request.reason));
    }
    lines.extend(request.asked.iter().map(|(name, value)| format!("given {name}: {value}")));
    if let Some(over) = &request.take_over {
        let from: Vec<&str> = over.from.iter().map(RunId::as_str).collect();
        lines.push(format!("it would stop run {} first: {}", from.join(", "), over.reason));
    }
    lines.push("it would send:".to_owned());
    lines.extend(request.request.iter().map(|line| format!("  {line}")));
    lines.push(format!("plan {}", request.digest));
    lines.push(format!("{} left to agree", clock(request.left)));
    lines.join("\n")
}
