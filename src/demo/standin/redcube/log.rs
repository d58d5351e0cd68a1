//! The log of the content service, as its console transport prints it: coloured, over many
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
        // A line that the disk has no room for is lost, as it would be there.
        let _ = append(cube, number, status(cube));
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

fn append(cube: &Cube, number: u64, status: u16) -> io::Result<()> {
    let path = cube.containers.log("content-service");
    if fs::metadata(&path)?.len() > LONGEST {
        fs::write(&path, "")?;
    }
    let at = Timestamp::now();
    let (level, colour) = if status >= 500 { ("error", 31) } else { ("info", 32) };
    let day = at.strftime("%Y-%m-%d %H:%M:%S%.3f");
    let took = cube.dice.between(8.0, 45.0) as u64;
    let trace = cube.dice.hex();
    let lines = [
        format!("{day} [\u{1b}[{colour}m{level}\u{1b}[39m]: request.completed {{"),
        format!("  \"trace_id\": \"{trace}\","),
        "  \"method\": \"GET\",".to_owned(),
        "  \"path\": \"/api/content/interview-intel/experiences\",".to_owned(),
        format!("  \"status\": {status},"),
        format!("  \"duration_ms\": {took},"),
        format!("  \"user_id\": {},", number % 240 + 1),
        format!("  \"ip\": \"198.51.100.{}\",", number % 200 + 10),
        "  \"user_agent\": \"Mozilla/5.0\"".to_owned(),
        "}".to_owned(),
    ];
    let text: String = lines.iter().map(|line| format!("{at:.9} {line}\n")).collect();
    fs::OpenOptions::new().append(true).open(path)?.write_all(text.as_bytes())
}
