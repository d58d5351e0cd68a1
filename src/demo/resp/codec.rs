//! The wire format: requests in, answers out, in both versions of the protocol
//! (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).

/// The most arguments of one command, and the most bytes of one argument.
const MOST_ARGUMENTS: usize = 65_536;
const LONGEST_ARGUMENT: usize = 1 << 20;
/// The longest line: a header, or a command typed by hand.
const LONGEST_LINE: usize = 64 * 1_024;

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    /// A status, such as `OK`.
    Simple(&'static str),
    /// An error, its code first.
    Error(String),
    /// A whole number.
    Int(i64),
    /// Bytes.
    Bulk(Vec<u8>),
    /// Text to be shown to people; plain bytes in version 2.
    Text(String),
    /// Nothing.
    Null,
    /// A list.
    Array(Vec<Reply>),
    /// Pairs; a flat list in version 2.
    Map(Vec<(Reply, Reply)>),
}

impl Reply {
    /// Bytes from text.
    pub(super) fn bulk(text: &str) -> Self {
        Self::Bulk(text.as_bytes().to_vec())
    }

    /// An error with the general code.
    pub(super) fn err(message: &str) -> Self {
        Self::Error(format!("ERR {message}"))
    }

    /// Appends the answer to `out` in the given protocol version, 2 or 3.
    pub(super) fn write(&self, version: u8, out: &mut Vec<u8>) {
        match self {
            Self::Simple(text) => line(out, b'+', text),
            Self::Error(text) => line(out, b'-', text),
            Self::Int(number) => line(out, b':', &number.to_string()),
            Self::Bulk(bytes) => {
                line(out, b'$', &bytes.len().to_string());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            Self::Text(text) if version >= 3 => {
                line(out, b'=', &(text.len() + 4).to_string());
                out.extend_from_slice(b"txt:");
                out.extend_from_slice(text.as_bytes());
                out.extend_from_slice(b"\r\n");
            }
            Self::Text(text) => Self::bulk(text).write(version, out),
            Self::Null if version >= 3 => out.extend_from_slice(b"_\r\n"),
            Self::Null => out.extend_from_slice(b"$-1\r\n"),
            Self::Array(items) => {
                line(out, b'*', &items.len().to_string());
                for item in items {
                    item.write(version, out);
                }
            }
            Self::Map(pairs) => {
                let (mark, length) =
                    if version >= 3 { (b'%', pairs.len()) } else { (b'*', pairs.len() * 2) };
                line(out, mark, &length.to_string());
                for (key, value) in pairs {
                    key.write(version, out);
                    value.write(version, out);
                }
            }
        }
    }
}

fn line(out: &mut Vec<u8>, mark: u8, text: &str) {
    out.push(mark);
    // A line break inside would be read as the end of the answer.
    out.extend(text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

/// The client does not speak the protocol; the connection is closed after saying so.
#[derive(Debug, PartialEq)]
pub(super) struct Broken(pub(super) &'static str);

/// A command, and how many bytes of the input it took.
pub(super) type Request = (Vec<Vec<u8>>, usize);

/// Reads one command from the front of `input`; none where it is not all there yet.
pub(super) fn request(input: &[u8]) -> Result<Option<Request>, Broken> {
    let Some((header, mut at)) = take_line(input, 0)? else { return Ok(None) };
    if header.first() != Some(&b'*') {
        let words = header.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        return Ok(Some((words.map(<[u8]>::to_vec).collect(), at)));
    }
    let count = number(&header[1..])
        .filter(|count| *count <= MOST_ARGUMENTS)
        .ok_or(Broken("invalid multibulk length"))?;
    let mut arguments = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        let Some((header, body)) = take_line(input, at)? else { return Ok(None) };
        if header.first() != Some(&b'$') {
            return Err(Broken("expected '$'"));
        }
        let length = number(&header[1..])
            .filter(|length| *length <= LONGEST_ARGUMENT)
            .ok_or(Broken("invalid bulk length"))?;
        let Some(bytes) = input.get(body..body + length) else { return Ok(None) };
        if input.len() < body + length + 2 {
            return Ok(None);
        }
        arguments.push(bytes.to_vec());
        at = body + length + 2;
    }
    Ok(Some((arguments, at)))
}

/// The line that begins at `from`, without its end, and where the next one begins.
fn take_line(input: &[u8], from: usize) -> Result<Option<(&[u8], usize)>, Broken> {
    let rest = &input[from..];
    let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
        let too_long = rest.len() > LONGEST_LINE;
        return if too_long { Err(Broken("too big inline request")) } else { Ok(None) };
    };
    let line = &rest[..end];
    Ok(Some((line.strip_suffix(b"\r").unwrap_or(line), from + end + 1)))
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_only_when_it_is_complete() {
        let whole = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n";
        for cut in 0..20 {
            assert_eq!(request(&whole[..cut]), Ok(None), "after {cut} bytes");
        }
        let (arguments, used) = request(whole).unwrap().unwrap();
        assert_eq!(arguments, vec![b"GET".to_vec(), b"k".to_vec()]);
        assert_eq!(request(&whole[used..]).unwrap().unwrap().0, vec![b"PING".to_vec()]);
    }

    #[test]
    fn nonsense_is_refused_and_never_allocates_what_it_claims() {
        assert!(request(b"*99999999999\r\n").is_err());
        assert!(request(b"*1\r\n$999999999999\r\n").is_err());
        assert!(request(b"*1\r\n:1\r\n").is_err());
        assert!(request(&vec![b'x'; LONGEST_LINE + 1]).is_err());
    }

    #[test]
    fn both_versions_write_the_same_answer_in_their_own_way() {
        let reply = Reply::Map(vec![(Reply::bulk("a"), Reply::Null)]);
        let (mut two, mut three) = (Vec::new(), Vec::new());
        reply.write(2, &mut two);
        reply.write(3, &mut three);
        assert_eq!(two, b"*2\r\n$1\r\na\r\n$-1\r\n");
        assert_eq!(three, b"%1\r\n$1\r\na\r\n_\r\n");
    }
}
