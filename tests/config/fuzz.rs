//! No text whatever makes the loader panic.

use proptest::prelude::*;
use watchfloor::config::show;

use super::support::Place;

/// Without the program that would be run, and the files that would be read.
fn example() -> String {
    include_str!("../../config.example.toml").replace(
        "{ file = \"~/.config/watchfloor/postgres-password\" }",
        "{ env = \"SHOP_TOKEN\" }",
    )
}

/// Pieces that mean something to the loader, so that a change is more than noise.
const PIECES: [&str; 24] = [
    "\"",
    "\\",
    "${",
    "${}",
    "${x:-",
    "}",
    "[",
    "]",
    "[[",
    "{",
    "=",
    "\n",
    "\0",
    "é",
    "\u{202e}",
    "🦀",
    "-1",
    "99999999999999999999",
    "nan",
    "1979-05-27",
    "$.[?@",
    "* *",
    "%",
    "a.b.c = 1\n",
];

fn is_fine(text: &str, set: &str) {
    let place = Place::new(text).env("SHOP_TOKEN", "token-of-the-shop").set(set);
    match place.load() {
        Ok(loaded) => assert!(!loaded.profile.catalog.service.is_empty()),
        Err(errors) => {
            assert!(errors.errors() > 0);
            assert!(!errors.render(false).is_empty());
            assert!(!errors.render(true).contains("token-of-the-shop"));
            assert!(errors.to_json().is_array());
        }
    }
    if let Ok(text) = show(&place.request, false) {
        assert!(!text.contains("token-of-the-shop"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in ".{0,200}", set in "[a-z.\"=\\[\\]{}]{0,30}") {
        is_fine(&text, &set);
    }

    #[test]
    fn the_example_with_pieces_put_in_and_cut_out(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..PIECES.len(), 0..12usize), 1..6),
        set in prop::sample::select(vec!["display.fps=3", "source.api.url=${x", "source=1", "action.x.kind=redis", "check.api.critical=[1]"]),
    ) {
        let mut chars: Vec<char> = example().chars().collect();
        for (at, piece, cut) in edits {
            let at = at.index(chars.len());
            let end = (at + cut).min(chars.len());
            chars.splice(at..end, PIECES[piece].chars());
        }
        is_fine(&chars.into_iter().collect::<String>(), set);
    }

    #[test]
    fn the_example_with_one_value_changed(line in any::<prop::sample::Index>(), value in prop::sample::select(PIECES.to_vec())) {
        let example = example();
        let lines: Vec<&str> = example.lines().collect();
        let chosen = line.index(lines.len());
        let text: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(at, line)| match line.split_once(" = ") {
                Some((key, _)) if at == chosen => format!("{key} = {value}"),
                _ => (*line).to_owned(),
            })
            .collect();
        is_fine(&text.join("\n"), "display.fps=3");
    }
}
