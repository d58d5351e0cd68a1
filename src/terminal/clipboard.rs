//! A text for the clipboard of the terminal that the operator sits at (OSC 52).
//!
//! There is no answer: whoever uses this may say "sent", not "copied", and should write
//! the text to a file as well.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::capabilities::Multiplexer;

/// The longest encoded text, in bytes. Terminals are known to drop sequences of more than
/// 100 000; this stays well below, for those that count what a multiplexer adds.
pub const LONGEST: usize = 74_994;
/// What GNU screen passes on in one piece: versions before 4.2 have 256 bytes for a string.
const SCREEN_PIECE: usize = 240;

/// What puts the text on the clipboard, to be written to the terminal; `None` when the text
/// is too long for that.
pub fn sequence(text: &str, multiplexer: Multiplexer) -> Option<String> {
    let encoded = STANDARD.encode(text);
    if encoded.len() > LONGEST {
        return None;
    }
    let plain = format!("\x1b]52;c;{encoded}\x1b\\");
    Some(match multiplexer {
        Multiplexer::None => plain,
        // tmux takes the plain one under `set-clipboard on`, and passes the wrapped one
        // on under `allow-passthrough on`. Either may be off.
        Multiplexer::Tmux => {
            let doubled = plain.replace('\x1b', "\x1b\x1b");
            format!("{plain}\x1bPtmux;{doubled}\x1b\\")
        }
        Multiplexer::Screen => wrapped_for_screen(&encoded),
    })
}

/// GNU screen passes device control strings on, piece by piece, without looking at them.
/// The first string terminator would end the piece, so the inner one is BEL.
fn wrapped_for_screen(encoded: &str) -> String {
    let inner = format!("\x1b]52;c;{encoded}\x07");
    let mut out = String::with_capacity(inner.len() + inner.len() / SCREEN_PIECE * 4 + 8);
    let mut rest = inner.as_str();
    while !rest.is_empty() {
        // All of it is ASCII.
        let (piece, after) = rest.split_at(rest.len().min(SCREEN_PIECE));
        out.push_str("\x1bP");
        out.push_str(piece);
        out.push_str("\x1b\\");
        rest = after;
    }
    out
}
