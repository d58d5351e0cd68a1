//! Lines that cannot be read, and what is said about them.

use super::*;

#[test]
fn what_does_not_fit_is_said_with_its_place() {
    let cases = [
        ("hit_rate(c.h, c.m, 5m) < 200ms", 25, "a ratio cannot be compared with a length of time"),
        ("hit_rate(c.h, c.m, 5m) < 70", 25, "write 70%"),
        ("used(m.memory, m.limit) > 80", 26, "write 80%"),
        ("used(m.memory) > 80%", 13, "what may be used"),
        ("p95(a.total_ms, 5m) > 70%", 22, "a length of time cannot be compared with a share"),
        ("increase(a.b, 1h) > 5s", 20, "a number of events cannot be compared"),
        ("a.used_memory > 5m", 16, "an amount of memory"),
        ("a.x_seconds > true", 14, "yes or no"),
        ("p96(a.b, 5m) > 5", 0, "no function p96"),
        ("p95(a.b) > 5", 7, "expected `,` and a window"),
        ("p95(a.b, 5) > 5", 9, "a window is a length of time"),
        ("p95(a.b, 9h) > 5", 9, "from 1s to 6h"),
        ("a.b > 5 and a.b < 3 or a.b > 2", 22, "cannot be mixed"),
        ("a.b in 5", 6, "a list is not possible"),
        ("a.b >= expected", 15, "`<`, `>` or `outside`"),
        ("change(absent(a.b, 5m), 5m) > 5%", 7, "can change"),
        ("a.b > 5 5", 8, "unexpected text"),
        ("", 0, "expected the name"),
    ];
    for (when, offset, words) in cases {
        let error = When::parse(when).unwrap_err();
        assert!(error.message.contains(words), "{when}: {}", error.message);
        assert_eq!(error.offset, offset, "{when}: {}", error.message);
    }
    assert!(When::parse("a.x_seconds > 30m").is_ok_and(|when| {
        matches!(&when.clauses[0].test, Test::Against(_, Value::Number(n)) if *n == 1_800.0)
    }));
}

proptest! {
    #[test]
    fn no_line_panics(text in "(p95|hit_rate|change|share|absent|a\\.b|[(),<>= ]|5m|70%|and|or){0,9}|.{0,60}") {
        let _ = When::parse(&text);
    }
}
