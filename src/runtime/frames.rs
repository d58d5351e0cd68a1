//! How often the screen is drawn: at once for a key, seldom for data, hardly at rest.

use std::time::Duration;

use tokio::time::Instant;

/// The console is at rest when nobody has touched it for so long.
const REST_AFTER: Duration = Duration::from_secs(10);

/// At rest there is at most one frame in this time. Most of what a console costs is
/// drawing, and with many sources there is always something new.
const REST: Duration = Duration::from_secs(1);

/// When the next frame may be drawn.
pub(super) struct Frames {
    least: Duration,
    last: Option<Instant>,
    /// When somebody last did something, or the console was started.
    pub(super) touched: Instant,
    pub(super) dirty: bool,
    pub(super) urgent: bool,
    /// The terminal has not taken the last frame yet.
    pub(super) blocked: bool,
}

impl Frames {
    pub(super) fn new(fps: u8) -> Self {
        let least = Duration::from_secs(1) / u32::from(fps.max(1));
        let touched = Instant::now();
        Self { least, last: None, touched, dirty: true, urgent: true, blocked: false }
    }

    /// When a frame is due; none where nothing has changed.
    pub(super) fn due(&self) -> Option<Instant> {
        if !self.dirty || self.blocked {
            return None;
        }
        let at_rest = self.touched.elapsed() >= REST_AFTER;
        let least = if at_rest { self.least.max(REST) } else { self.least };
        match self.last {
            Some(last) if !self.urgent => Some(last + least),
            _ => Some(Instant::now()),
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.due().is_some_and(|due| Instant::now() >= due)
    }

    pub(super) fn drawn(&mut self) {
        (self.last, self.dirty, self.urgent) = (Some(Instant::now()), false, false);
    }
}
