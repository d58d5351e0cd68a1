//! A stand-in that runs, and how to ask it.

use std::{
    collections::BTreeMap,
    future::Future,
    time::{Duration, Instant},
};

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use watchfloor::demo::{Demo, Options, Scenario, System};

/// How long anything may take to come about.
const PATIENCE: Duration = Duration::from_secs(20);

/// A stand-in, ended with the test.
pub struct Harness {
    pub demo: Demo,
    variables: BTreeMap<String, String>,
    http: Client,
}

/// Waits until the condition holds, looking often; panics where it does not in time.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Harness {
    /// Starts one in which nothing goes wrong by itself.
    pub async fn start(system: System) -> Self {
        let options = Options { system, scenario: Scenario::Calm, ..Options::default() };
        let demo = Demo::start(options).await.unwrap_or_else(|error| panic!("{error}"));
        let http = Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        Self { variables: demo.variables(), demo, http }
    }

    pub fn variable(&self, name: &str) -> &str {
        self.variables.get(name).unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// A path of the system that this variable is the address of.
    pub async fn get(&self, base: &str, path: &str) -> Response {
        self.http.get(format!("{}{path}", self.variable(base))).send().await.unwrap()
    }

    /// A request, with a bearer token where one is given.
    pub async fn ask(
        &self,
        method: Method,
        url: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self.http.request(method, url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    /// A connection to a database that this variable is the address of.
    pub async fn sql(&self, base: &str) -> tokio_postgres::Client {
        let config: tokio_postgres::Config = self.variable(base).parse().unwrap();
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}
