//! The terminal of an interactive run, reached from a console.
//!
//! The runner owns the terminal of its program and listens on a socket in the directory of the
//! run; one console at a time is attached to it. Frames go both ways: a byte that says what
//! it is, four bytes of length (big-endian), and so many bytes. When a console goes, however
//! it goes, that is the end of the connection and never the end of the program's input.

use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use super::{Actions, place_of, words};
use crate::domain::{action::Standing, ids::RunId};

/// The socket in the directory of a run.
pub(super) const SOCKET: &str = "terminal";
/// The longest frame, bytes.
const LONGEST: usize = 64 << 10;
/// What is typed and waits for the runner, in pieces.
const WAITING: usize = 64;
/// How long the terminal of a run that has just begun is waited for.
const APPEARS_WITHIN: Duration = Duration::from_secs(5);
const APPEARS_EVERY: Duration = Duration::from_millis(50);
/// How long its runner may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// A name longer than this is cut.
const LONGEST_NAME: usize = 80;

/// Who comes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    by: String,
    pub(super) columns: u16,
    pub(super) rows: u16,
    /// Whoever is attached has to go.
    pub(super) take_over: bool,
}

impl Hello {
    /// The name of who comes, fit to be shown.
    pub(super) fn by(&self) -> String {
        words::clip(&words::plain(&self.by), LONGEST_NAME)
    }
}

/// What goes over the socket.
#[derive(Debug)]
pub(super) enum Frame {
    /// From a console, first of all.
    Hello(Hello),
    /// What is typed; what is printed.
    Bytes(Vec<u8>),
    /// The size of the console's terminal: columns, rows.
    Size(u16, u16),
    /// From the runner: attached.
    Welcome,
    /// From the runner: not attached, or not any more, and why.
    Refused(String),
    /// From the runner: the program has ended.
    Ended,
}

impl Frame {
    fn encode(&self) -> io::Result<Vec<u8>> {
        let (kind, body) = match self {
            Self::Hello(hello) => (b'H', serde_json::to_vec(hello)?),
            Self::Bytes(bytes) => (b'B', bytes.clone()),
            Self::Size(columns, rows) => {
                (b'S', [columns.to_be_bytes(), rows.to_be_bytes()].concat())
            }
            Self::Welcome => (b'W', Vec::new()),
            Self::Refused(why) => (b'R', why.clone().into_bytes()),
            Self::Ended => (b'E', Vec::new()),
        };
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        Ok([&[kind], &length.to_be_bytes()[..], &body].concat())
    }

    fn decode(kind: u8, body: &[u8]) -> io::Result<Self> {
        let foreign = || io::Error::new(io::ErrorKind::InvalidData, "not a frame of a terminal");
        Ok(match (kind, body) {
            (b'H', body) => Self::Hello(serde_json::from_slice(body)?),
            (b'B', body) => Self::Bytes(body.to_vec()),
            (b'S', &[a, b, c, d]) => {
                Self::Size(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
            }
            (b'W', []) => Self::Welcome,
            (b'R', body) => Self::Refused(words::plain(&String::from_utf8_lossy(body))),
            (b'E', []) => Self::Ended,
            _ => return Err(foreign()),
        })
    }
}

/// The frames that come in.
#[derive(Debug)]
pub(super) struct Reader {
    half: OwnedReadHalf,
    buffer: Vec<u8>,
}

impl Reader {
    /// The next frame; `None` where the other side has gone. Can be dropped while it waits
    /// without losing anything.
    pub(super) async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some((kind, rest)) = self.buffer.split_first()
                && let Some((length, rest)) = rest.split_first_chunk()
            {
                let length = u32::from_be_bytes(*length) as usize;
                if length > LONGEST {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is too long"));
                }
                if let Some(body) = rest.get(..length) {
                    let frame = Frame::decode(*kind, body)?;
                    self.buffer.drain(..5 + length);
                    return Ok(Some(frame));
                }
            }
            if self.half.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

/// The frames that go out.
#[derive(Debug)]
pub(super) struct Writer(OwnedWriteHalf);

impl Writer {
    /// Sends a frame. Dropped while it waits, or failed, the connection is of no use.
    pub(super) async fn send(&mut self, frame: &Frame) -> io::Result<()> {
        self.0.write_all(&frame.encode()?).await
    }
}

/// Both ends of a connection.
pub(super) fn framed(stream: UnixStream) -> (Reader, Writer) {
    let (reader, writer) = stream.into_split();
    (Reader { half: reader, buffer: Vec::new() }, Writer(writer))
}

/// A path to the socket that is short enough for one, whatever the directory is called. It
/// holds for as long as the file is open.
pub(super) fn short_path(directory: &Path) -> io::Result<(PathBuf, File)> {
    let file = File::open(directory)?;
    let by_number = Path::new("/proc/self/fd").join(file.as_raw_fd().to_string());
    let path = if by_number.is_dir() { by_number } else { directory.to_owned() };
    Ok((path.join(SOCKET), file))
}

/// What the program's terminal shows.
#[derive(Debug, PartialEq, Eq)]
pub enum Shown {
    /// Bytes for the operator's terminal, as the program printed them.
    Bytes(Vec<u8>),
    /// The program has ended.
    Ended,
    /// The connection is over, and why. The program goes on.
    Lost(String),
}

/// The terminal of a run, attached to. Dropped, it is left; the program goes on.
#[derive(Debug)]
pub struct Attachment {
    reader: Reader,
    typed: mpsc::Sender<Frame>,
}

impl Attachment {
    /// What is shown next. Can be dropped while it waits without losing anything.
    pub async fn next(&mut self) -> Shown {
        loop {
            match self.reader.next().await {
                Ok(Some(Frame::Bytes(bytes))) => return Shown::Bytes(bytes),
                Ok(Some(Frame::Ended)) => return Shown::Ended,
                Ok(Some(Frame::Refused(why))) => return Shown::Lost(why),
                Ok(Some(_)) => {}
                Ok(None) => return Shown::Lost("its runner has closed the terminal".to_owned()),
                Err(error) => return Shown::Lost(error.to_string()),
            }
        }
    }

    /// Types. What the runner does not take is lost, as with any terminal.
    pub fn type_in(&self, bytes: Vec<u8>) {
        let _ = self.typed.try_send(Frame::Bytes(bytes));
    }

    /// Says that the operator's terminal has another size: columns, rows.
    pub fn resize(&self, (columns, rows): (u16, u16)) {
        let _ = self.typed.try_send(Frame::Size(columns, rows));
    }
}

/// Why a run cannot be attached to.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotAttached {
    /// The journal does not know it.
    #[error("there is no run of that name")]
    Unknown,
    /// Nothing of it runs any more.
    #[error("it is over")]
    Over,
    /// It has none: it is not interactive, or its runner is gone.
    #[error("it has no terminal: it is not interactive, or its runner is gone")]
    NoTerminal,
    /// Somebody else is there.
    #[error("{0}")]
    Refused(String),
    /// The connection failed.
    #[error("its terminal does not answer: {0}")]
    Failed(String),
}

impl Actions {
    /// Attaches to the terminal of a run that goes on. `size` is that of the operator's own
    /// terminal: columns, rows. With `take_over`, whoever is attached has to go.
    ///
    /// # Errors
    /// There is no such terminal, or somebody else is at it.
    pub async fn attach(
        &self,
        run: &RunId,
        size: (u16, u16),
        take_over: bool,
    ) -> Result<Attachment, NotAttached> {
        let stream = self.reach(run).await?;
        let (mut reader, mut writer) = framed(stream);
        let by = super::operator();
        let hello = Frame::Hello(Hello { by, columns: size.0, rows: size.1, take_over });
        let answer = timeout(ANSWERS_WITHIN, async {
            writer.send(&hello).await?;
            reader.next().await
        });
        match answer.await {
            Ok(Ok(Some(Frame::Welcome))) => {}
            Ok(Ok(Some(Frame::Refused(why)))) => return Err(NotAttached::Refused(why)),
            Ok(Ok(_)) => return Err(NotAttached::Failed("it closed the connection".to_owned())),
            Ok(Err(error)) => return Err(NotAttached::Failed(error.to_string())),
            Err(_) => return Err(NotAttached::Failed("no answer in time".to_owned())),
        }
        let (typed, mut frames) = mpsc::channel(WAITING);
        // On its own: what is shown must be read also where what is typed is not taken.
        tokio::spawn(async move {
            while let Some(frame) = frames.recv().await {
                if writer.send(&frame).await.is_err() {
                    return;
                }
            }
        });
        Ok(Attachment { reader, typed })
    }

    /// Connects. A run that has just begun may still be about to listen.
    async fn reach(&self, run: &RunId) -> Result<UnixStream, NotAttached> {
        let directory = place_of(&self.state_dir, run);
        let give_up = Instant::now() + APPEARS_WITHIN;
        loop {
            let connected = match short_path(&directory) {
                // The directory stays open until the connection stands.
                Ok((path, _directory)) => UnixStream::connect(path).await,
                Err(error) => Err(error),
            };
            let error = match connected {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            let (actions, name) = (self.clone(), run.clone());
            let past = tokio::task::spawn_blocking(move || actions.past(&name)).await;
            let past = past.ok().flatten().ok_or(NotAttached::Unknown)?;
            if !past.trace.standing.is_some_and(Standing::is_running) {
                return Err(NotAttached::Over);
            }
            if Instant::now() >= give_up {
                let absent = matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                );
                return Err(match absent {
                    true => NotAttached::NoTerminal,
                    false => NotAttached::Failed(error.to_string()),
                });
            }
            sleep(APPEARS_EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_come_whole_however_they_are_cut() {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let (mut reader, _writer) = framed(ours);
        let frames = [
            Frame::Hello(Hello {
                by: "ann\x1b[2J".to_owned(),
                columns: 80,
                rows: 24,
                take_over: true,
            }),
            Frame::Bytes(b"yes\r".to_vec()),
            Frame::Size(132, 43),
            Frame::Bytes(Vec::new()),
            Frame::Ended,
        ];
        let bytes: Vec<u8> =
            frames.iter().flat_map(|frame| frame.encode().expect("bytes")).collect();
        let (_their_reader, mut to) = theirs.into_split();
        tokio::spawn(async move {
            for byte in bytes {
                to.write_all(&[byte]).await.expect("sent");
            }
        });
        let mut came = Vec::new();
        while let Some(frame) = reader.next().await.expect("a frame") {
            came.push(frame);
        }
        assert!(matches!(&came[0], Frame::Hello(hello) if hello.by() == "ann" && hello.take_over));
        assert!(matches!(&came[1], Frame::Bytes(bytes) if bytes == b"yes\r"));
        assert!(matches!(came[2], Frame::Size(132, 43)));
        assert!(matches!(&came[3], Frame::Bytes(bytes) if bytes.is_empty()));
        assert!(matches!(came[4], Frame::Ended));
        assert_eq!(came.len(), 5);
    }

    #[tokio::test]
    async fn what_is_no_frame_is_an_error_and_takes_no_room() {
        for bytes in [&b"B\xff\xff\xff\xff"[..], b"S\0\0\0\x01x", b"?\0\0\0\0", b"H\0\0\0\x01{"] {
            let (ours, mut theirs) = UnixStream::pair().expect("a pair");
            theirs.write_all(bytes).await.expect("sent");
            let (mut reader, _writer) = framed(ours);
            assert!(reader.next().await.is_err(), "{bytes:?}");
        }
    }
}
