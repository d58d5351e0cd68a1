//! The logs of the services, as their console transport prints them: coloured, over many
//! lines, with a space behind each colon.

use std::{
    fs,
    io::{self, Write},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::sleep;

use super::{CONTENT_ERRORS, serving::Cube};

/// A request is finished this often.
const EVERY: Duration = Duration::from_millis(150);
/// A log of this size begins anew, as docker's own rotation has it.
const LONGEST: u64 = 4 << 20;
/// Shares of the requests that fail: of a bad image, and while analyses fail.
const BAD_IMAGE_FAILS: f64 = 0.4;
const ANALYSES_FAIL: f64 = 0.25;

/// Writes until it is interrupted.
pub(super) async fn write(cube: &Cube) {
    let mut number = 0_u64;
    loop {
        sleep(EVERY).await;
        if !cube.containers.answers("content-service") {
            continue;
        }
        number += 1;
        let took = cube.dice.between(8.0, 45.0) as u64;
        let request = Request {
            method: "GET",
            path: "/api/content/interview-intel/experiences",
            agent: "Mozilla/5.0",
            status: status(cube),
            took,
        };
        // A line that the disk has no room for is lost, as it would be there.
        let _ = append(cube, "content-service", number, &request);
    }
}

/// The status that the next request is answered with.
pub(super) fn status(cube: &Cube) -> u16 {
    if cube.containers.runs_bad() && cube.dice.happens(BAD_IMAGE_FAILS) {
        return 500;
    }
    let failing = cube.stage.switches.is_on(CONTENT_ERRORS) && !cube.containers.analyses_are_off();
    if failing && cube.dice.happens(ANALYSES_FAIL) { 502 } else { 200 }
}

/// A request that was finished.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) agent: &'a str,
    pub(super) status: u16,
    /// Milliseconds.
    pub(super) took: u64,
}

/// Writes down a request, the how manieth it is.
pub(super) fn append(
    cube: &Cube,
    service: &str,
    number: u64,
    request: &Request<'_>,
) -> io::Result<()> {
    let path = cube.containers.log(service);
    if fs::metadata(&path)?.len() > LONGEST {
        fs::write(&path, "")?;
    }
    let at = Timestamp::now();
    let (level, colour) = if request.status >= 500 { ("error", 31) } else { ("info", 32) };
    let day = at.strftime("%Y-%m-%d %H:%M:%S%.3f");
    let trace = cube.dice.hex();
    let lines = [
        format!("{day} [\u{1b}[{colour}m{level}\u{1b}[39m]: request.completed {{"),
        format!("  \"trace_id\": \"{trace}\","),
        format!("  \"method\": \"{}\",", request.method),
        format!("  \"path\": \"{}\",", request.path),
        format!("  \"status\": {},", request.status),
        format!("  \"duration_ms\": {},", request.took),
        format!("  \"user_id\": {},", number % 240 + 1),
        format!("  \"ip\": \"198.51.100.{}\",", number % 200 + 10),
        format!("  \"user_agent\": {}", serde_json::Value::from(request.agent)),
        "}".to_owned(),
    ];
    let text: String = lines.iter().map(|line| format!("{at:.9} {line}\n")).collect();
    fs::OpenOptions::new().append(true).open(path)?.write_all(text.as_bytes())
}
