//! The commands in a text for a shell, as far as their form matters: words without quotes,
//! what feeds them and where their output goes. Nothing is expanded, and what cannot be
//! understood is taken for words.

use std::{iter::Peekable, str::Chars};

/// How deep `$(…)` is looked into.
const DEEPEST: usize = 4;

/// Words of a shell that stand before a command.
const KEYWORDS: [&str; 12] =
    ["if", "then", "else", "elif", "do", "while", "until", "!", "{", "}", "(", "time"];

/// One simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Command {
    /// The line that it begins on, from 1.
    pub(super) line: usize,
    /// Its words, without variables that are set before it.
    pub(super) words: Vec<String>,
    /// Its standard input is a pipe, a file or a text in the script.
    pub(super) fed: bool,
    /// Its standard input is empty on purpose: `< /dev/null`.
    pub(super) starved: bool,
    /// Its output goes into a pipe or a variable.
    pub(super) piped: bool,
    /// Its output goes into a file.
    pub(super) redirected: bool,
    /// It ends with a lone `&`.
    pub(super) background: bool,
    /// It decides whether a loop goes on.
    pub(super) in_loop: bool,
}

impl Command {
    /// Whether there is something for it to read, where the shell itself is `fed`.
    pub(super) fn is_fed(&self, fed: bool) -> bool {
        !self.starved && (self.fed || (fed && !self.piped))
    }
}

/// The commands of a text, in its order; those within `$(…)` before the one that holds them.
pub(super) fn commands(text: &str) -> Vec<Command> {
    let mut found = Vec::new();
    read(text, 1, 0, &mut found);
    found
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
    depth: usize,
    current: Command,
    /// The word that is being read; none between words.
    word: Option<String>,
    /// What ends the texts that stand in the script behind this line.
    heredocs: Vec<String>,
    /// The next word is a file, or the end of a text, not an argument.
    expects: Expects,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expects {
    Word,
    File,
    Input,
    Heredoc,
}

fn read(text: &str, line: usize, depth: usize, found: &mut Vec<Command>) {
    let mut reader = Reader {
        chars: text.chars().peekable(),
        line,
        depth,
        current: Command { line, piped: depth > 0, ..Command::default() },
        word: None,
        heredocs: Vec::new(),
        expects: Expects::Word,
    };
    while let Some(c) = reader.chars.next() {
        reader.take(c, found);
    }
    reader.end_command(found);
}

impl Reader<'_> {
    fn take(&mut self, c: char, found: &mut Vec<Command>) {
        match c {
            '\n' => {
                self.end_command(found);
                self.line += 1;
                self.skip_heredocs();
                self.current.line = self.line;
            }
            '\\' => match self.chars.next() {
                Some('\n') => self.line += 1,
                Some(next) => self.push(next),
                None => {}
            },
            ' ' | '\t' | '\r' => self.end_word(),
            '#' if self.word.is_none() => while self.chars.next_if(|c| *c != '\n').is_some() {},
            '\'' => self.quoted('\'', found),
            '"' => self.quoted('"', found),
            '`' => self.inner('`', found),
            '$' if self.chars.peek() == Some(&'(') => {
                self.chars.next();
                self.inner(')', found);
            }
            '>' => self.output(),
            '<' => self.input(),
            ';' => self.end_command(found),
            '|' => self.pipe(found),
            '&' => self.ampersand(found),
            '(' if self.word.is_none() => {}
            ')' => self.end_command(found),
            other => self.push(other),
        }
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    /// A text in quotes. Within double ones, `$(…)` is still a command.
    fn quoted(&mut self, quote: char, found: &mut Vec<Command>) {
        self.word.get_or_insert_default();
        while let Some(c) = self.chars.next() {
            match c {
                c if c == quote => return,
                '\\' if quote == '"' => {
                    if let Some(next) = self.chars.next() {
                        self.push(next);
                    }
                }
                '$' if quote == '"' && self.chars.peek() == Some(&'(') => {
                    self.chars.next();
                    self.inner(')', found);
                }
                c => {
                    self.line += usize::from(c == '\n');
                    self.push(c);
                }
            }
        }
    }

    /// What stands in `$(…)` or between backquotes.
    fn inner(&mut self, end: char, found: &mut Vec<Command>) {
        let mut text = String::new();
        let (mut open, mut quote) = (0_usize, None);
        let line = self.line;
        for c in self.chars.by_ref() {
            self.line += usize::from(c == '\n');
            match (c, quote) {
                (c, None) if c == end && open == 0 => break,
                ('(', None) if end == ')' => open += 1,
                (')', None) if end == ')' => open -= 1,
                ('\'' | '"', None) => quote = Some(c),
                (c, Some(other)) if c == other => quote = None,
                _ => {}
            }
            text.push(c);
        }
        if self.depth < DEEPEST {
            read(&text, line, self.depth + 1, found);
        }
        // It stands for something: the word that it is part of is not empty.
        self.word.get_or_insert_default().push_str("$()");
    }

    /// `>`, `>>`, `2>`, `&>`, `>&2`.
    fn output(&mut self) {
        let of_errors = self.word.as_deref() == Some("2");
        if self.word.as_deref().is_some_and(|word| word.chars().all(|c| c.is_ascii_digit())) {
            self.word = None;
        }
        self.end_word();
        self.chars.next_if_eq(&'>');
        if self.chars.next_if_eq(&'&').is_none() {
            self.current.redirected |= !of_errors;
        }
        self.expects = Expects::File;
    }

    /// `<`, `<<END`, `<<-END`, `<<<text`.
    fn input(&mut self) {
        self.end_word();
        self.current.fed = true;
        self.current.starved = false;
        self.expects = Expects::Input;
        if self.chars.next_if_eq(&'<').is_some() {
            self.expects = Expects::File;
            if self.chars.next_if_eq(&'<').is_none() {
                self.chars.next_if_eq(&'-');
                self.expects = Expects::Heredoc;
            }
        } else if self.chars.peek() == Some(&'(') {
            self.expects = Expects::Word;
        }
    }

    fn pipe(&mut self, found: &mut Vec<Command>) {
        let either = self.chars.next_if_eq(&'|').is_some();
        self.chars.next_if_eq(&'&');
        self.end_word();
        self.current.piped |= !either;
        self.end_command(found);
        self.current.fed |= !either;
    }

    fn ampersand(&mut self, found: &mut Vec<Command>) {
        if self.chars.peek() == Some(&'>') {
            return;
        }
        self.end_word();
        self.current.background = self.chars.next_if_eq(&'&').is_none();
        self.end_command(found);
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        match std::mem::replace(&mut self.expects, Expects::Word) {
            Expects::Word => {
                if self.current.words.is_empty() {
                    let assigned = word.split_once('=');
                    if KEYWORDS.contains(&word.as_str()) {
                        self.current.in_loop |= word == "while" || word == "until";
                        return;
                    }
                    if assigned.is_some_and(|(name, _)| super::forms::is_variable(name)) {
                        return;
                    }
                }
                self.current.words.push(word);
            }
            Expects::File => {}
            Expects::Input if word == "/dev/null" => {
                self.current.fed = false;
                self.current.starved = true;
            }
            Expects::Input => {}
            Expects::Heredoc => self.heredocs.push(word),
        }
    }

    fn end_command(&mut self, found: &mut Vec<Command>) {
        self.end_word();
        let next = Command { line: self.line, piped: self.depth > 0, ..Command::default() };
        let done = std::mem::replace(&mut self.current, next);
        if !done.words.is_empty() {
            found.push(done);
        }
    }

    /// Texts in the script are no commands.
    fn skip_heredocs(&mut self) {
        for end in std::mem::take(&mut self.heredocs) {
            loop {
                let mut line = String::new();
                let mut ended = true;
                for c in self.chars.by_ref() {
                    if c == '\n' {
                        ended = false;
                        break;
                    }
                    line.push(c);
                }
                self.line += usize::from(!ended);
                if line.trim() == end || ended {
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        commands(text).iter().map(|command| command.words.join("|")).collect()
    }

    #[test]
    fn commands_are_told_apart() {
        let table: [(&str, &[&str]); 14] = [
            ("a b; c", &["a|b", "c"]),
            ("a && b || c", &["a", "b", "c"]),
            ("a 'b c' \"d $e\" f\\ g", &["a|b c|d $e|f g"]),
            ("# nothing\na # rest", &["a"]),
            ("A=1 B=2 run x", &["run|x"]),
            ("if ! a; then b; else c; fi", &["a", "b", "c", "fi"]),
            ("X=$(a b | c)", &["a|b", "c"]),
            ("echo \"$(a \"b\")\" d", &["a|b", "echo|$()|d"]),
            ("echo `a b`", &["a|b", "echo|$()"]),
            ("a > f 2>&1 < g", &["a"]),
            ("a <<EOF\nb c\nEOF\nd", &["a", "d"]),
            ("a \\\n  b", &["a|b"]),
            ("(a; b)", &["a", "b"]),
            ("'", &[""]),
        ];
        for (text, expected) in table {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn what_feeds_a_command_and_where_its_output_goes() {
        let all = commands("a | b > f\nc << E\nx\nE\nd & e <<< t\nwhile read l; do :; done < f");
        let told: Vec<String> = all
            .iter()
            .map(|of| {
                let flags = [
                    (of.fed, "fed"),
                    (of.piped, "piped"),
                    (of.redirected, "file"),
                    (of.background, "background"),
                    (of.in_loop, "loop"),
                ];
                let flags: Vec<&str> =
                    flags.into_iter().filter(|(set, _)| *set).map(|(_, word)| word).collect();
                format!("{} {} {}", of.line, of.words.join(" "), flags.join(","))
            })
            .collect();
        assert_eq!(
            told,
            [
                "1 a piped",
                "1 b fed,file",
                "2 c fed",
                "5 d background",
                "5 e fed",
                "6 read l loop",
                "6 : ",
                "6 done fed",
            ]
        );
    }

    #[test]
    fn no_text_is_too_strange() {
        for text in ["$(", "`", "\"$(", "<<", "<<E", "a\\", ")))", "$((1+2))", "&>x", "|||", "\0"] {
            let _ = commands(text);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in ".{0,200}") {
            let _ = commands(&text);
        }
    }
}
