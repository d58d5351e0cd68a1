//! ExoDrive: the platform's jobs, the switch of Redis, captures, and who is kept out.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use watchfloor::demo::System;

use super::harness::{Harness, until};

impl Harness {
    async fn vercel(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.variable("VERCEL_API"));
        self.ask(method, &url, Some(self.variable("VERCEL_TOKEN")), body).await
    }

    fn project(&self, version: &str, rest: &str) -> String {
        format!("/{version}/projects/{}{rest}", self.variable("VERCEL_PROJECT_ID"))
    }

    async fn job(&self) -> Value {
        let path = self.project("v9", "");
        self.vercel(Method::GET, &path, None).await.1["lastAliasRequest"]["jobStatus"].clone()
    }

    async fn redis_available(&self) -> bool {
        let answer = self.get("EXODRIVE_URL", "/api/demo/redis").await;
        assert_eq!(answer.status(), 200, "it answers 200 whatever becomes of Redis");
        let body: Value = answer.json().await.unwrap();
        body["results"]["redis"]["available"] == true
    }

    async fn store(&self, key: &str, value: &str) -> Value {
        let wish = json!({"key": key, "value": value, "type": "plain", "target": ["production"]});
        let path = self.project("v10", "/env?upsert=true");
        let (status, body) = self.vercel(Method::POST, &path, Some(wish)).await;
        assert_eq!((status, &body["failed"]), (StatusCode::CREATED, &json!([])));
        body
    }

    /// Builds what is served again; the state that the build ends in.
    async fn redeploy(&self) -> Value {
        let of = self.vercel(Method::GET, &self.project("v9", ""), None).await.1;
        let of = of["targets"]["production"]["id"].clone();
        let wish = json!({"deploymentId": of, "name": "exodrive", "target": "production"});
        let (status, build) =
            self.vercel(Method::POST, "/v13/deployments?forceNew=1", Some(wish)).await;
        assert_eq!((status, &build["readyState"]), (StatusCode::OK, &json!("QUEUED")));
        let path = format!("/v13/deployments/{}", build["id"].as_str().unwrap());
        let state = async || self.vercel(Method::GET, &path, None).await.1["readyState"].clone();
        until("it is being built", async || state().await == "BUILDING").await;
        until("the build ends", async || state().await != "BUILDING").await;
        state().await
    }
}

#[tokio::test]
async fn only_the_address_of_redis_and_a_build_switch_it_off() {
    let it = Harness::start(System::ExoDrive).await;
    assert!(it.redis_available().await);
    // Neither the item of the Edge Config nor the variables that the runbook names are read.
    let item = json!({"items": [{"operation": "upsert", "key": "disable_redis", "value": true}]});
    let path = format!("/v1/edge-config/{}/items", it.variable("EDGE_CONFIG_ID"));
    let (status, _) = it.vercel(Method::PATCH, &path, Some(item)).await;
    assert_eq!(status, StatusCode::OK);
    it.store("DISABLE_REDIS", "true").await;
    assert_eq!(it.redeploy().await, "READY");
    assert!(it.redis_available().await);
    it.demo.toggle("reads-edge-config");
    assert!(!it.redis_available().await, "a build that reads the item is another matter");
    it.demo.toggle("reads-edge-config");

    it.store("UPSTASH_REDIS_REST_URL", "off").await;
    assert!(it.redis_available().await, "what is stored is not what runs");
    it.demo.toggle("platform-fails");
    assert_eq!(it.redeploy().await, "ERROR");
    assert!(it.redis_available().await);
    it.demo.toggle("platform-fails");
    assert_eq!(it.redeploy().await, "READY");
    assert!(!it.redis_available().await);
    // Without Redis nothing is limited.
    let answer = it.get("EXODRIVE_URL", "/api/cars").await;
    assert!(answer.headers().get("x-ratelimit-limit").is_none());
    it.demo.stop().await;
}

#[tokio::test]
async fn a_roll_back_that_the_platform_fails_changes_nothing() {
    let it = Harness::start(System::ExoDrive).await;
    let good = it.vercel(Method::GET, &it.project("v9", ""), None).await.1;
    let good = good["targets"]["production"]["id"].as_str().unwrap().to_owned();
    it.demo.toggle("deploy-regression");
    it.demo.toggle("platform-fails");
    let back = it.project("v1", &format!("/rollback/{good}"));
    assert_eq!(it.vercel(Method::POST, &back, None).await.0, StatusCode::CREATED);
    until("it has failed", async || it.job().await == "failed").await;
    assert_eq!(it.demo.active(), ["deploy-regression", "platform-fails"]);
    let failed = it.vercel(Method::GET, &it.project("v9", "/rollback/aliases"), None).await.1;
    assert_eq!(failed["aliases"][0]["alias"], "api.exodrive.com");
    it.demo.toggle("platform-fails");
    assert_eq!(it.vercel(Method::POST, &back, None).await.0, StatusCode::CREATED);
    until("it has worked", async || it.job().await == "succeeded").await;
    assert_eq!(it.demo.active(), [""; 0], "the good build is served");
    it.demo.stop().await;
}

#[tokio::test]
async fn captures_say_that_they_run_and_the_bookings_say_whether_they_do() {
    let it = Harness::start(System::ExoDrive).await;
    let client = it.sql("DATABASE_URL").await;
    let overdue = async || -> i64 {
        let sql = "SELECT count(*) FROM bookings WHERE overall_status = 'confirmed' AND id > 1 \
                   AND payment_captured_at IS NULL AND payment_capture_scheduled_at < now()";
        client.query_one(sql, &[]).await.unwrap().get(0)
    };
    it.demo.toggle("captures-stuck");
    let due = "UPDATE bookings SET payment_capture_scheduled_at = now() - interval '1 hour' \
               WHERE id BETWEEN 2 AND 6 AND overall_status = 'confirmed'";
    client.batch_execute(due).await.unwrap();
    let path = "/api/admin/process-payment-captures";
    let said: Value = it.get("EXODRIVE_URL", path).await.json().await.unwrap();
    assert_eq!(said["message"], "Payment capture processor is running");
    let run = it.project("v1", "/crons/run");
    assert_eq!(it.vercel(Method::POST, &run, Some(json!({"path": path}))).await.0, 200);
    assert_eq!(overdue().await, 5, "the platform's cron asks, and captures nothing");

    let url = format!("{}{path}", it.variable("EXODRIVE_URL"));
    assert_eq!(it.ask(Method::POST, &url, None, None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(overdue().await, 5);
    let (status, done) = it.ask(Method::POST, &url, Some(it.variable("CRON_SECRET")), None).await;
    assert_eq!((status, &done["processed_count"]), (StatusCode::OK, &json!(5)));
    assert_eq!(overdue().await, 0);
    assert_eq!(it.demo.active(), [""; 0], "captures run by themselves again");
    let events: i64 =
        client.query_one("SELECT count(*) FROM booking_events", &[]).await.unwrap().get(0);
    assert!(events >= 5);
    it.demo.stop().await;
}

#[tokio::test]
async fn an_abuser_is_kept_out_by_a_rule_of_the_firewall() {
    let it = Harness::start(System::ExoDrive).await;
    let wall =
        format!("/v1/security/firewall/config?projectId={}", it.variable("VERCEL_PROJECT_ID"));
    it.demo.toggle("rate-limit-abuse");
    let seen = async || {
        let url =
            format!("{}/api/admin/rate-limit-monitoring?minutes=1", it.variable("EXODRIVE_URL"));
        it.ask(Method::GET, &url, Some(it.variable("EXODRIVE_ADMIN_TOKEN")), None).await.1
    };
    until("it is refused by the limiter", async || {
        seen().await["summary"]["byEndpoint"]["/api/cars"].as_u64().is_some_and(|count| count > 3)
    })
    .await;
    let block = json!({"action": "ip.insert", "id": null, "value": {
        "hostname": "*", "ip": "203.0.113.77", "action": "deny", "notes": "abuse"}});
    let (status, rules) = it.vercel(Method::PATCH, &wall, Some(block)).await;
    assert_eq!((status, &rules["ips"][0]["ip"]), (StatusCode::OK, &json!("203.0.113.77")));
    // Requests that were on their way are still counted.
    // Two instances answer in turn, each with a memory of its own.
    let newest = async || {
        let reports = [seen().await, seen().await];
        let all = reports.iter().flat_map(|report| report["violations"].as_array().unwrap());
        all.map(|one| one["timestamp"].to_string()).max()
    };
    until("the limiter has nothing to do any more", async || {
        let before = newest().await;
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        newest().await == before
    })
    .await;
    assert_eq!(it.get("EXODRIVE_URL", "/api/cars").await.status(), 200, "everybody else gets in");
    it.demo.stop().await;
}
