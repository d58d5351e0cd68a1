//! Texts with places to fill: `${ask.NAME}` is what somebody is asked for when an action is
//! started, `${step.STEP.READING}` is what an earlier step of a sequence has brought.
//!
//! A value is put in by what stands around it ([`Place`]), so that it can never become
//! anything but a value: no second path segment, no query, no pattern. `$${ask.` and
//! `$${step.` are the literal texts `${ask.` and `${step.`; any other `${` means nothing here.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text::safe;

/// What stands between `${` and `}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blank {
    /// `ask.NAME`
    Ask(String),
    /// `step.STEP.READING`
    Step {
        /// The step.
        step: String,
        /// Its reading.
        reading: String,
    },
}

impl fmt::Display for Blank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(name) => write!(f, "ask.{name}"),
            Self::Step { step, reading } => write!(f, "step.{step}.{reading}"),
        }
    }
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Blank(Blank),
}

/// A text with places to fill; also one without any. It is written, compared and kept as
/// the text that it was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Template {
    pieces: Vec<Piece>,
}

/// Where a value is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where a value is one by itself, as it stands: an argument, a variable, a header, the
    /// standard input, a text in JSON.
    Whole,
    /// The path of an address: one segment, or a part of one.
    Path,
    /// The query of an address.
    Query,
    /// A pattern of keys: it matches itself alone.
    Pattern,
}

/// What is put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filling {
    /// A value, written as its place needs it.
    Value(String),
    /// What stands for a value wherever it is only shown, such as `⟨password⟩`: put in as
    /// it is.
    Stand(String),
}

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong, and what would be right.
    pub message: String,
}

/// Why a text cannot be filled. Never quotes the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// Nobody has a value for it.
    #[error("there is no value for {0}")]
    Missing(Blank),
    /// It would move a cursor, end a line or hide what follows.
    #[error("the value for {0} holds control characters")]
    Control(Blank),
    /// Empty, `.` or `..` in the path of an address: it would mean another address.
    #[error("the value for {0} cannot be a part of an address")]
    Segment(Blank),
}

/// The two words that a place to fill can begin with.
const WORDS: [&str; 2] = ["ask.", "step."];

/// Whether what follows `${` is a place to fill, sound or not.
pub fn is_blank(inside: &str) -> bool {
    WORDS.iter().any(|word| inside.starts_with(word))
}

/// The text in which nothing is taken for a place to fill.
pub fn literal(text: &str) -> String {
    let mut out = text.to_owned();
    for word in WORDS {
        out = out.replace(&format!("${{{word}"), &format!("$${{{word}"));
    }
    out
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// A place to fill is not closed, or its name cannot be one.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, from) = rest.split_at(at);
            let inside = &from[2..];
            if !is_blank(inside) {
                plain.push_str(before);
                plain.push_str("${");
                rest = inside;
                continue;
            }
            if let Some(before) = before.strip_suffix('$') {
                plain.push_str(before);
                plain.push_str("${");
                rest = inside;
                continue;
            }
            plain.push_str(before);
            let end = inside
                .find('}')
                .ok_or_else(|| TemplateError { message: "`${` is not closed by `}`".to_owned() })?;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Blank(blank(&inside[..end])?));
            rest = &inside[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { pieces })
    }

    /// What is to be filled in, in the order of the text; what is used twice comes twice.
    pub fn blanks(&self) -> impl Iterator<Item = &Blank> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Blank(blank) => Some(blank),
            Piece::Text(_) => None,
        })
    }

    /// The text, where there is nothing to fill in.
    pub fn plain(&self) -> Option<String> {
        self.blanks().next().is_none().then(|| self.show(|_| String::new()))
    }

    /// The text with something in every place, put in as it is: for what is only shown.
    pub fn show(&self, mut stand: impl FnMut(&Blank) -> String) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Blank(blank) => stand(blank),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// The text with every value put in. `lookup` knows the values.
    ///
    /// # Errors
    /// A value is missing, or cannot stand there.
    pub fn fill(
        &self,
        place: Place,
        mut lookup: impl FnMut(&Blank) -> Option<Filling>,
    ) -> Result<String, FillError> {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Blank(blank) => match lookup(blank) {
                    None => return Err(FillError::Missing(blank.clone())),
                    Some(Filling::Stand(text)) => out.push_str(&text),
                    Some(Filling::Value(value)) => out.push_str(&written(&value, place, blank)?),
                },
            }
        }
        Ok(out)
    }

    /// What stands before a byte position is cut off, and comes first. For the parts of an
    /// address, which are filled by different rules. `divider` is looked for in the text
    /// around the places only, and belongs to the second part.
    pub fn split_at(&self, divider: char) -> (Self, Self) {
        let mut pieces = self.pieces.clone();
        let found = pieces.iter().enumerate().find_map(|(position, piece)| match piece {
            Piece::Text(text) => text.find(divider).map(|at| (position, at)),
            Piece::Blank(_) => None,
        });
        let Some((position, at)) = found else { return (self.clone(), Self::default()) };
        let mut after = pieces.split_off(position);
        if let Some(Piece::Text(text)) = after.first_mut() {
            let tail = text.split_off(at);
            let head = std::mem::replace(text, tail);
            if !head.is_empty() {
                pieces.push(Piece::Text(head));
            }
        }
        (Self { pieces }, Self { pieces: after })
    }
}

fn blank(inside: &str) -> Result<Blank, TemplateError> {
    let sound = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        !name.is_empty() && name.chars().all(plain)
    };
    let parts: Vec<&str> = inside.split('.').collect();
    match parts.as_slice() {
        ["ask", name] if sound(name) => Ok(Blank::Ask((*name).to_owned())),
        ["step", step, reading] if sound(step) && sound(reading) => {
            Ok(Blank::Step { step: (*step).to_owned(), reading: (*reading).to_owned() })
        }
        _ => Err(TemplateError {
            message: format!(
                "`${{{}}}` is neither ${{ask.NAME}} nor ${{step.STEP.READING}}",
                safe(inside)
            ),
        }),
    }
}

/// A value as its place needs it.
fn written(value: &str, place: Place, blank: &Blank) -> Result<String, FillError> {
    if safe(value) != value {
        return Err(FillError::Control(blank.clone()));
    }
    match place {
        Place::Whole => Ok(value.to_owned()),
        // Readers of addresses take an encoded dot for a dot, and so `%2e%2e` for `..`.
        Place::Path if matches!(value, "" | "." | "..") => Err(FillError::Segment(blank.clone())),
        Place::Path | Place::Query => Ok(percent_encoded(value)),
        Place::Pattern => Ok(value.chars().flat_map(pattern_escaped).collect()),
    }
}

/// Everything but letters, digits, `-`, `_`, `.` and `~` (RFC 3986, section 2.3) as bytes of
/// UTF-8 in hexadecimal.
fn percent_encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// What has a meaning in a pattern of Redis loses it behind a backslash.
fn pattern_escaped(c: char) -> impl Iterator<Item = char> {
    let special = matches!(c, '*' | '?' | '[' | ']' | '^' | '\\');
    special.then_some('\\').into_iter().chain(std::iter::once(c))
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => literal(text),
            Piece::Blank(blank) => format!("${{{blank}}}"),
        };
        template.pieces.iter().map(piece).collect()
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, TemplateError> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).expect("a text with places to fill")
    }

    fn filled(text: &str, place: Place, value: &str) -> Result<String, FillError> {
        template(text).fill(place, |_| Some(Filling::Value(value.to_owned())))
    }

    #[test]
    fn places_to_fill_are_found_and_nothing_else_is_taken_for_one() {
        let cases: [(&str, &[&str]); 9] = [
            ("plain", &[]),
            ("", &[]),
            ("${ask.number}", &["ask.number"]),
            ("a${ask.x}b${step.deploy.id}c${ask.x}", &["ask.x", "step.deploy.id", "ask.x"]),
            ("${HOME} $5 ${", &[]),
            ("$${ask.x}", &[]),
            ("$$${ask.x}", &[]),
            ("${asked.x} ${steps.y}", &[]),
            ("${ask.a-b_1}", &["ask.a-b_1"]),
        ];
        for (text, blanks) in cases {
            let found: Vec<String> = template(text).blanks().map(ToString::to_string).collect();
            assert_eq!(found, blanks, "{text}");
        }
        assert_eq!(template("$${ask.x} ${HOME}").plain().as_deref(), Some("${ask.x} ${HOME}"));
        assert_eq!(template("${ask.x}").plain(), None);
    }

    #[test]
    fn what_cannot_be_a_place_is_refused_with_the_cure() {
        for text in ["${ask.}", "${ask.a b}", "${ask.a.b}", "${step.one}", "${step..x}"] {
            let error = Template::parse(text).expect_err(text).to_string();
            assert!(error.contains("${ask.NAME}"), "{error}");
        }
        let error = Template::parse("x ${ask.number").expect_err("not closed").to_string();
        assert!(error.contains("not closed"), "{error}");
    }

    #[test]
    fn a_value_is_written_as_its_place_needs_it() {
        let cases = [
            (Place::Whole, "; rm -rf / \"'", "<; rm -rf / \"'>"),
            (Place::Path, "a/b?c#d%2f ü", "<a%2Fb%3Fc%23d%252f%20%C3%BC>"),
            (Place::Path, "dpl_1-2.3~4", "<dpl_1-2.3~4>"),
            (Place::Query, "a&b=c+d", "<a%26b%3Dc%2Bd>"),
            (Place::Pattern, "c*r[1]?^\\", "<c\\*r\\[1\\]\\?\\^\\\\>"),
            // What is put in is not read again.
            (Place::Whole, "${ask.other}", "<${ask.other}>"),
            (Place::Whole, "", "<>"),
        ];
        for (place, value, expected) in cases {
            assert_eq!(filled("<${ask.x}>", place, value).as_deref(), Ok(expected), "{value}");
        }
        let stand = |_: &Blank| Some(Filling::Stand("⟨x⟩".to_owned()));
        assert_eq!(template("/${ask.x}").fill(Place::Path, stand).as_deref(), Ok("/⟨x⟩"));
        assert_eq!(template("/${ask.x}").show(|blank| format!("[{blank}]")), "/[ask.x]");
    }

    #[test]
    fn what_cannot_stand_there_is_refused_and_not_quoted() {
        let x = || Blank::Ask("x".to_owned());
        for value in ["a\nb", "a\0", "\u{1b}[2J", "\u{202e}exe", "a\tb"] {
            for place in [Place::Whole, Place::Path, Place::Query, Place::Pattern] {
                assert_eq!(filled("${ask.x}", place, value), Err(FillError::Control(x())));
            }
        }
        for value in ["", ".", ".."] {
            let refused = filled("/v1/${ask.x}/y", Place::Path, value);
            assert_eq!(refused, Err(FillError::Segment(x())));
        }
        let missing = template("${ask.x}").fill(Place::Whole, |_| None);
        assert_eq!(missing, Err(FillError::Missing(x())));
    }

    #[test]
    fn an_address_is_divided_by_its_own_characters_only() {
        let whole = template("https://h/${ask.a}");
        assert_eq!(whole.split_at('?'), (whole.clone(), Template::default()));
        let (path, query) = template("/${ask.a}/b?c=${ask.d}").split_at('?');
        assert_eq!(
            (String::from(path), String::from(query)),
            ("/${ask.a}/b".to_owned(), "?c=${ask.d}".to_owned())
        );
    }

    proptest! {
        /// Any text can be written so that nothing in it is filled, and is then itself again.
        #[test]
        fn a_literal_text_stays_itself(text in "[$a-z{}.]{0,20}(\\$\\{ask\\.x\\})?[$a-z{}.]{0,9}") {
            let read = template(&literal(&text));
            prop_assert_eq!(read.plain(), Some(text));
        }

        /// A value adds neither a segment nor a query nor another host to an address.
        #[test]
        fn an_address_keeps_its_shape(value in "\\PC{1,20}") {
            let text = "https://h.example/v1/${ask.x}/end?q=${ask.x}";
            let (path, query) = template(text).split_at('?');
            let lookup = |_: &Blank| Some(Filling::Value(value.clone()));
            let (Ok(path), Ok(query)) =
                (path.fill(Place::Path, lookup), query.fill(Place::Query, lookup))
            else {
                return Ok(());
            };
            let url = url::Url::parse(&format!("{path}{query}")).expect("an address");
            prop_assert_eq!(url.host_str(), Some("h.example"));
            let segments: Vec<&str> = url.path_segments().expect("segments").collect();
            prop_assert_eq!((segments.len(), segments[0], segments[2]), (3, "v1", "end"));
            let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
            prop_assert_eq!(pairs, vec![("q".to_owned(), value)]);
        }

        /// What is read and written again is the same.
        #[test]
        fn a_text_survives_being_written(text in "(\\$|\\{|\\}|ask\\.|step\\.|a|\\.|\\$\\{ask\\.b\\}){0,12}") {
            if let Ok(read) = Template::parse(&text) {
                let again = template(&String::from(read.clone()));
                prop_assert_eq!(read, again);
            }
        }
    }
}
