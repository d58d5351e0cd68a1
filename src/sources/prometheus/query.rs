//! The answers of a Prometheus server to queries (its HTTP API, version 1).

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;

use super::{bad_answer, number, range, recent};
use crate::{
    config::profile::PointTake,
    domain::{
        failure::{Failure, FailureKind},
        value::Value,
    },
    net::words::clip,
};

#[derive(Deserialize)]
struct Reply {
    status: String,
    #[serde(default)]
    data: Option<Data>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default, rename = "errorType")]
    error_type: Option<String>,
    /// Such as that a part of the data could not be had.
    #[serde(default)]
    warnings: Vec<String>,
}

/// What an answer says.
#[derive(Debug, PartialEq)]
pub(super) struct Answered {
    /// The one value, or why there is none.
    pub(super) value: Result<Value, String>,
    /// What the server warns of.
    pub(super) warning: Option<String>,
    /// Which points of a range count for nothing.
    pub(super) left_out: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Json,
}

/// Reads an answer to an instant query or, where something is taken of its points, to one over a
/// range. One with a warning may be of a part of the data alone: its value is none.
///
/// # Errors
/// The answer is not one of Prometheus, or says that it could not answer.
pub(super) fn reply(
    body: &[u8],
    take: Option<PointTake>,
    now: Timestamp,
) -> Result<Answered, Failure> {
    let mut reply: Reply = serde_json::from_slice(body).map_err(|error| {
        let begins = clip(String::from_utf8_lossy(&body[..body.len().min(400)]).trim(), 80);
        bad_answer(format!("the answer is not one of Prometheus ({error}); it begins: {begins}"))
    })?;
    let warnings = std::mem::take(&mut reply.warnings);
    let is_answer = reply.status == "success";
    let data = data(reply)?;
    let (value, left_out) = match (data, take) {
        (Err(why), _) => (Err(why), None),
        (Ok(data), None) => (instant(&data, now), None),
        (Ok(data), Some(take)) => match range::take(&data.result_type, &data.result, take, now) {
            Ok(taken) => (Ok(Value::Number(taken.value)), taken.remark()),
            Err(why) => (Err(why), None),
        },
    };
    let Some(first) = warnings.first() else {
        return Ok(Answered { value, warning: None, left_out });
    };
    let more = match warnings.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let warning = format!("the server warns: {}{more}", clip(first, 200));
    // What is missing may be all that matches.
    let value =
        if is_answer { Err(format!("the answer may not be whole: {warning}")) } else { value };
    Ok(Answered { value, warning: Some(warning), left_out })
}

/// What is answered, or why only this query is not.
fn data(reply: Reply) -> Result<Result<Data, String>, Failure> {
    if reply.status != "success" {
        let why = clip(reply.error.as_deref().unwrap_or("it does not say why"), 200);
        return match reply.error_type.as_deref() {
            // Only this query is wrong; the others may be answered.
            Some("bad_data" | "execution") => Ok(Err(format!("the query is refused: {why}"))),
            Some("timeout" | "canceled") => Err(Failure::new(FailureKind::Timeout, why)),
            _ => Err(Failure::new(FailureKind::Server, why)),
        };
    }
    reply.data.map(Ok).ok_or_else(|| bad_answer("the answer has no data"))
}

fn instant(data: &Data, now: Timestamp) -> Result<Value, String> {
    match (data.result_type.as_str(), &data.result) {
        ("scalar", pair) => sample(pair, now),
        ("vector", Json::Array(series)) => match series.as_slice() {
            [] => Err("no series: nothing matches the query".to_owned()),
            [one] => sample(&one["value"], now),
            many => Err(format!("{} series, not one: add them up, or select more", many.len())),
        },
        (other, _) => Err(format!("the query gives a {}, not one value", clip(other, 20))),
    }
}

/// The value of a pair of time and text.
fn sample(pair: &Json, now: Timestamp) -> Result<Value, String> {
    let text = pair.get(1).and_then(Json::as_str).ok_or("the answer has no value")?;
    if let Some(time) = pair.get(0).and_then(Json::as_f64) {
        recent(time, now).map_err(|why| format!("the value {why}"))?;
    }
    number(text).map(Value::Number).map_err(|why| format!("the value {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_a_reading_and_everything_else_says_what_it_is() {
        let vector = |result: &str| {
            format!(
                "{{\"status\":\"success\",\"data\":{{\"resultType\":\"vector\",\"result\":{result}}}}}"
            )
        };
        let now = Timestamp::from_second(200).expect("a time");
        let one = |value: &str| vector(&format!("[{{\"metric\":{{}},\"value\":[1,\"{value}\"]}}]"));
        let table = [
            (one("1.5"), Ok(Value::Number(1.5))),
            (one("1e+3"), Ok(Value::Number(1000.0))),
            (one("NaN"), Err("the value is NaN, which is no number to judge by")),
            (one("+Inf"), Err("the value is +Inf, which is no number to judge by")),
            (vector("[]"), Err("no series: nothing matches the query")),
            (
                vector("[{\"value\":[1,\"1\"]},{\"value\":[1,\"2\"]}]"),
                Err("2 series, not one: add them up, or select more"),
            ),
            (vector("[{}]"), Err("the answer has no value")),
            (
                "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error\"}"
                    .to_owned(),
                Err("the query is refused: parse error"),
            ),
            (
                "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}"
                    .to_owned(),
                Err("the query gives a matrix, not one value"),
            ),
        ];
        for (body, expected) in table {
            let got = reply(body.as_bytes(), None, now).expect("an answer");
            assert_eq!(got.value, expected.map_err(str::to_owned), "{body}");
            assert_eq!(got.warning, None);
            let warned = body.replacen('{', "{\"warnings\":[\"store 7 is away\",\"x\"],", 1);
            let got = reply(warned.as_bytes(), None, now).expect("an answer");
            assert!(got.value.is_err(), "a part of the data is no value: {warned}");
            let warning = got.warning.expect("a warning");
            assert_eq!(warning, "the server warns: store 7 is away (and 1 more)");
        }
        let later = Timestamp::from_second(302).expect("a time");
        let old = reply(one("1").as_bytes(), None, later).expect("an answer").value;
        let why = old.expect_err("it is stale");
        assert!(why.starts_with("the value is of 1970-01-01 00:00:01 UTC"), "{why}");
        assert!(reply(b"<html>", None, now).is_err());
        assert!(reply(b"{\"status\":\"success\"}", None, now).is_err());
        let down = reply(
            b"{\"status\":\"error\",\"errorType\":\"unavailable\",\"error\":\"x\"}",
            None,
            now,
        );
        assert_eq!(down.expect_err("down").kind, FailureKind::Server);
    }

    #[test]
    fn an_answer_over_a_range_is_judged_like_one_of_now() {
        let now = Timestamp::from_second(200).expect("a time");
        let body = "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[170,\"1\"],[185,\"NaN\"],[200,\"3\"]]}]}}";
        let ask = |body: &str| reply(body.as_bytes(), Some(PointTake::Max), now);
        let got = ask(body).expect("an answer");
        assert_eq!(got.value, Ok(Value::Number(3.0)));
        assert_eq!(got.left_out.as_deref(), Some("1 of 3 points are no numbers and left out"));
        let warned = body.replacen('{', "{\"warnings\":[\"store 7 is away\"],", 1);
        let why = ask(&warned).expect("an answer").value.expect_err("a part is no value");
        assert!(why.contains("may not be whole: the server warns: store 7 is away"), "{why}");
        let refused = "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"too many\"}";
        let value = ask(refused).expect("an answer").value;
        assert_eq!(value, Err("the query is refused: too many".to_owned()));
        assert!(ask("{\"status\":\"success\"}").is_err());
    }
}
