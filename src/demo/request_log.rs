//! The log of the service: a line of JSON for each request, in a file that stays small.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::json;

/// At this size, bytes, the file begins anew.
const LARGEST: u64 = 4 << 20;

/// Where requests are written down; nowhere until it is opened.
#[derive(Default)]
pub(super) struct RequestLog(OnceLock<Mutex<(File, u64)>>);

impl RequestLog {
    /// Writes into this file from now on.
    pub(super) fn open(&self, path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let _ = self.0.set(Mutex::new((file, 0)));
        Ok(())
    }

    /// Writes a finished request down. A disk that is full is not the demo's business.
    pub(super) fn write(&self, path: &str, status: u16, trace: &str, took: Duration) {
        let Some(place) = self.0.get() else { return };
        let level = match status {
            500.. => "error",
            400.. => "warn",
            _ => "info",
        };
        let line = json!({
            "timestamp": Timestamp::now(),
            "level": level,
            "message": "request.completed",
            "status": status,
            "path": path,
            "duration_ms": (took.as_secs_f64() * 10_000.0).round() / 10.0,
            "trace_id": trace,
        });
        let line = format!("{line}\n");
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, size) = &mut *place;
        if *size >= LARGEST && file.set_len(0).is_ok() {
            *size = 0;
        }
        if file.write_all(line.as_bytes()).is_ok() {
            *size += line.len() as u64;
        }
    }
}
