//! A stand-in of an operated system, for tests that are not asynchronous.

use reqwest::Method;
use serde_json::Value;
use tokio::runtime::Runtime;
use watchfloor::demo::{Demo, Options, Scenario, System};

/// A stand-in, ended with the test.
pub struct Standin {
    runtime: Runtime,
    demo: Option<Demo>,
}

impl Standin {
    /// Starts one in which nothing goes wrong by itself.
    pub fn start(system: System) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let options = Options { system, scenario: Scenario::Calm, ..Options::default() };
        let demo = runtime.block_on(Demo::start(options)).unwrap_or_else(|error| panic!("{error}"));
        Self { runtime, demo: Some(demo) }
    }

    /// It.
    pub fn demo(&self) -> &Demo {
        self.demo.as_ref().unwrap()
    }

    /// Carries statements out in one of its databases.
    pub fn sql(&self, url: &str, statements: &str) {
        self.runtime.block_on(async {
            let config: tokio_postgres::Config = url.parse().unwrap();
            let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(statements).await.unwrap();
        });
    }

    /// Asks one of its addresses, with a bearer token.
    pub fn ask(&self, method: Method, url: &str, token: &str) -> Value {
        self.runtime.block_on(async {
            let request = reqwest::Client::new().request(method, url).bearer_auth(token);
            request.send().await.unwrap().json().await.unwrap_or_default()
        })
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        if let Some(demo) = self.demo.take() {
            self.runtime.block_on(demo.stop());
        }
    }
}
