//! What happens on an error at the end of the program, and on a panic.
//!
//! Install this first, then the log, then the screen: a panic while those are set up is
//! reported as well.

use std::{
    any::Any,
    io::{self, Write as _},
    panic::{self, PanicHookInfo},
    thread::{self, ThreadId},
};

use color_eyre::config::{HookBuilder, PanicHook, Theme};
use tokio::sync::mpsc;

use super::guard;

/// How many panics may wait to be shown; the log has all of them.
const WAITING: usize = 16;

/// How reports look.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// With colours: the standard error is a terminal, and colours are wanted.
    pub color: bool,
    /// Takes secrets out of a text.
    pub redact: fn(&str) -> String,
}

/// The panics of other threads than the one of the screen, as one line each.
pub type ContainedPanics = mpsc::Receiver<String>;

/// Installs the reports of errors and panics. The calling thread is taken for the one that
/// owns the screen: its panics end the program, so the terminal is given back and the
/// report printed. A panic on any other thread or task is logged and sent to the receiver;
/// the screen stays as it is, because the program goes on.
///
/// # Errors
///
/// When hooks have been installed already.
pub fn install(options: Options) -> color_eyre::Result<ContainedPanics> {
    let theme = if options.color { Theme::dark() } else { Theme::new() };
    let (panic_hook, eyre_hook) =
        HookBuilder::default().theme(theme).display_env_section(false).try_into_hooks()?;
    eyre_hook.install()?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let hook = Hook { owner: thread::current().id(), report: panic_hook, options, sender };
    panic::set_hook(Box::new(move |info| hook.panicked(info)));
    Ok(receiver)
}

struct Hook {
    owner: ThreadId,
    report: PanicHook,
    options: Options,
    sender: mpsc::Sender<String>,
}

impl Hook {
    fn panicked(&self, info: &PanicHookInfo<'_>) {
        let redact = self.options.redact;
        let current = thread::current();
        let name = current.name().unwrap_or("unnamed");
        let at = info.location().map(ToString::to_string).unwrap_or_default();
        let message = redact(message(info.payload()));
        tracing::error!(thread = name, at, message, "panic");
        if current.id() != self.owner {
            // When the receiver is full or gone, the log still has it.
            let _ = self.sender.try_send(format!("{message} ({at}, thread {name})"));
            return;
        }
        guard::restore_active();
        let report = redact(&self.report.panic_report(info).to_string());
        // The program is ending; a closed standard error must not make it abort.
        let _ = writeln!(io::stderr(), "{report}");
    }
}

fn message(payload: &dyn Any) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
