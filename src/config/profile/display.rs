//! How the screen looks.

/// Colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorMode {
    /// By the terminal and `NO_COLOR`.
    #[default]
    Auto,
    /// The 16 colours of the terminal's own palette.
    Ansi16,
    /// 256 colours.
    Ansi256,
    /// 24 bits.
    TrueColor,
    /// Attributes only.
    Never,
}

/// How the screen looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Display {
    /// Colours.
    pub color: ColorMode,
    /// ASCII only.
    pub ascii: bool,
    /// Times in UTC; otherwise in the local zone, with its offset.
    pub utc: bool,
    /// Frames per second at most.
    pub fps: u8,
    /// Frames per second at most over SSH.
    pub fps_ssh: u8,
    /// Nothing can be started at all, whatever is armed.
    pub read_only: bool,
    /// The program sets the window title.
    pub title: bool,
}

impl Default for Display {
    fn default() -> Self {
        Self {
            color: ColorMode::Auto,
            ascii: false,
            utc: false,
            fps: 10,
            fps_ssh: 4,
            read_only: false,
            title: true,
        }
    }
}
