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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_wrapped() {
        assert_eq!(
            sequence("hello", Multiplexer::None).as_deref(),
            Some("\x1b]52;c;aGVsbG8=\x1b\\")
        );
        let tmux = sequence("hello", Multiplexer::Tmux).unwrap();
        assert!(tmux.starts_with("\x1b]52;c;aGVsbG8=\x1b\\"));
        assert!(tmux.ends_with("\x1bPtmux;\x1b\x1b]52;c;aGVsbG8=\x1b\x1b\\\x1b\\"));
    }

    #[test]
    fn gnu_screen_gets_pieces_that_add_up() {
        let text = "a line of a long report\n".repeat(100);
        let wrapped = sequence(&text, Multiplexer::Screen).unwrap();
        let pieces: Vec<&str> = wrapped
            .split_terminator("\x1b\\")
            .map(|piece| piece.strip_prefix("\x1bP").unwrap())
            .collect();
        assert!(pieces.len() > 1);
        assert!(pieces.iter().all(|piece| piece.len() + 4 <= 256));
        let whole = pieces.concat();
        let encoded = whole.strip_prefix("\x1b]52;c;").unwrap().strip_suffix('\x07').unwrap();
        assert_eq!(STANDARD.decode(encoded).unwrap(), text.as_bytes());
    }

    #[test]
    fn too_long_is_refused() {
        // Three bytes become four.
        let longest = LONGEST / 4 * 3;
        assert!(sequence(&"x".repeat(longest), Multiplexer::None).is_some());
        assert!(sequence(&"x".repeat(longest + 1), Multiplexer::None).is_none());
    }
}
