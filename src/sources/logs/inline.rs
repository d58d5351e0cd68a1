//! Objects within a line, as JSON or as JavaScript prints them for people:
//! `{ id: 7, email: 'a@b.example', tags: [ 'x' ] }`.

use serde_json::{Map, Value as Json};

/// The deepest nesting that is read.
const DEEPEST: usize = 16;

/// What stands in place of an object that cannot be read, and may hold anything.
const OMITTED: &str = "{…}";

/// A value as JSON or as JavaScript prints it; otherwise the text.
pub(super) fn value(text: &str) -> Json {
    whole(text).unwrap_or_else(|| text.into())
}

/// The text with each object in it that holds anything to be taken out written anew without
/// that, and without those that cannot be read. `strip` says whether it took anything out.
pub(super) fn without(text: &str, strip: &dyn Fn(&mut Json) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        let object = &rest[start..];
        let mut reader = Reader { rest: object };
        let read = reader.value(0);
        if let Some(mut json) = read.filter(Json::is_object) {
            let size = object.len() - reader.rest.len();
            if strip(&mut json) {
                out.push_str(&json.to_string());
            } else {
                out.push_str(&object[..size]);
            }
            rest = reader.rest;
            continue;
        }
        // `/users/{id}` is no object; what may be one is left out up to its end.
        let end = end_of(object);
        let inner = &object[..end];
        if inner.contains([':', '=']) {
            out.push_str(OMITTED);
            rest = &object[end..];
        } else {
            out.push('{');
            rest = &object[1..];
        }
    }
    out.push_str(rest);
    out
}

/// Where an object ends that begins this text; all of it where it has no end.
fn end_of(text: &str) -> usize {
    let mut depth = 0_u32;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

fn whole(text: &str) -> Option<Json> {
    if let Ok(json) = serde_json::from_str(text) {
        return Some(json);
    }
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?;
    reader.rest.trim().is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: char) -> bool {
        self.skip();
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > DEEPEST {
            return None;
        }
        self.skip();
        match self.rest.chars().next()? {
            '{' => self.object(depth),
            '[' => self.list(depth),
            quote @ ('\'' | '"' | '`') => self.quoted(quote).map(Json::String),
            _ => {
                let word = self.word()?;
                self.skip();
                // The class of an object stands before it.
                if self.rest.starts_with('{') {
                    return self.object(depth);
                }
                Some(serde_json::from_str(word).unwrap_or_else(|_| word.into()))
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        let mut fields = Map::new();
        self.eat('{').then_some(())?;
        while !self.eat('}') {
            self.skip();
            let name = match self.rest.chars().next()? {
                quote @ ('\'' | '"') => self.quoted(quote)?,
                _ => {
                    let right = |c: char| c.is_alphanumeric() || "_$@.-".contains(c);
                    let end = self.rest.find(|c| !right(c))?;
                    let (name, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    Some(name.to_owned()).filter(|name| !name.is_empty())?
                }
            };
            self.eat(':').then_some(())?;
            fields.insert(name, self.value(depth + 1)?);
            if !self.eat(',') && !self.rest.starts_with('}') {
                return None;
            }
        }
        Some(Json::Object(fields))
    }

    fn list(&mut self, depth: usize) -> Option<Json> {
        let mut items = Vec::new();
        self.eat('[').then_some(())?;
        while !self.eat(']') {
            items.push(self.value(depth + 1)?);
            if !self.eat(',') && !self.rest.starts_with(']') {
                return None;
            }
        }
        Some(Json::Array(items))
    }

    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut out = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.next()?.1 {
                    'n' => out.push('\n'),
                    't' => out.push('\t'),
                    c => out.push(c),
                },
                c if c == quote => {
                    self.rest = &self.rest[at + c.len_utf8()..];
                    return Some(out);
                }
                c => out.push(c),
            }
        }
        None
    }

    /// What stands bare: a number, `undefined`, a date, a class.
    fn word(&mut self) -> Option<&'a str> {
        let end = self.rest.find([',', '}', ']', '{']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let word = word.trim();
        // More than a few words are no value, but prose.
        let harmless = |c: char| c.is_ascii_alphanumeric() || "+-_.:$() <>".contains(c);
        if word.is_empty() || word.len() > 60 || !word.chars().all(harmless) {
            return None;
        }
        self.rest = rest;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_read_as_javascript_prints_them() {
        let table = [
            ("'it\\'s'", json!("it's")),
            ("12.5", json!(12.5)),
            ("true", json!(true)),
            ("{\"a\":[1,{\"b\":null}]}", json!({"a": [1, {"b": null}]})),
            (
                "{ id: 7, email: 'a@b', 'x-y': [ 'p', 2 ], at: 2025-11-27T10:00:00.000Z, no: undefined, who: User { n: 1 }, }",
                json!({
                    "id": 7, "email": "a@b", "x-y": ["p", 2], "at": "2025-11-27T10:00:00.000Z",
                    "no": "undefined", "who": {"n": 1}
                }),
            ),
            ("{}", json!({})),
            ("[]", json!([])),
            ("just words, and more", json!("just words, and more")),
            ("{ id: 7, email: ", json!("{ id: 7, email: ")),
        ];
        for (text, expected) in table {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_to_be_taken_out_is_taken_out_of_objects_in_a_text() {
        fn strip(value: &mut Json) -> bool {
            value.as_object_mut().is_some_and(|fields| fields.remove("email").is_some())
        }
        let table = [
            ("logged in { id: 7, email: 'a@b' } well", "logged in {\"id\":7} well"),
            ("logged in { id: 7 } well", "logged in { id: 7 } well"),
            ("GET /users/{id} took {} 3ms", "GET /users/{id} took {} 3ms"),
            ("cut { id: 7, email: 'a@b", "cut {…}"),
            ("odd { id: 7, email: a@b@c! { x: 1 } } end", "odd {…} end"),
            ("{\"email\":\"a@b\"}{ email: 'x' }", "{}{}"),
            ("none", "none"),
        ];
        for (text, expected) in table {
            assert_eq!(without(text, &strip), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_does_harm(text in "[{}\\[\\]'\":,a0 \\\\ü]{0,60}") {
            without(&text, &|_| true);
            value(&text);
        }
    }
}
