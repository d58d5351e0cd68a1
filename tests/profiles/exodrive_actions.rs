//! The actions of the profile `exodrive`, carried out on its stand-in with real servers behind:
//! each is CONFIRMED where it did what it says, and those that only seem to work are REFUTED.

use std::{collections::BTreeMap, process::Command};

use reqwest::Method;
use serde_json::Value;
use watchfloor::demo::System;

use super::{
    common::servers::wait_until,
    console::{Place, alerts, check, unanswered},
    standin::Standin,
};

/// Faster than in production, and nothing else changed.
const FAST: &str = r#"
profile = "exodrive"
[defaults]
interval = "2s"
timeout = "1900ms"
# What the console itself asks of Redis must not hide that nobody else does.
[source.redis]
interval = "5s"
"#;

/// The sources that say for themselves how often they are asked.
const OFTEN: [&str; 19] = [
    "availability",
    "backups",
    "backup_disk",
    "cache_warming",
    "cars",
    "main_branch",
    "migrations",
    "payments",
    "redis_demo",
    "schema",
    "staging",
    "switches",
    "upstash_status",
    "vercel_candidates",
    "vercel_deployments",
    "vercel_env",
    "vercel_project",
    "violations",
    "wall",
];

/// Those that are run again soon, or that may not get their proof: they wait less for it.
const SOON: [&str; 19] = [
    "backup",
    "crons_off",
    "crons_on",
    "env_set",
    "git_revert",
    "indexes_drop",
    "migrate",
    "paypal_live",
    "promote",
    "redis_bypass",
    "redis_bypass_build",
    "redis_bypass_end",
    "redis_disable",
    "redis_disable_build",
    "redis_enable",
    "redis_enable_build",
    "rollback",
    "smoke_booking",
    "triggers_on",
];

/// Who is asked to type the target types this.
const TARGET: &str = "exodrive/production";

struct Desk {
    drive: Standin,
    variables: BTreeMap<String, String>,
    place: Place,
}

impl Desk {
    fn new() -> Self {
        Self::with(&[])
    }

    /// `extra` is set over the variables of the stand-in.
    fn with(extra: &[(&str, &str)]) -> Self {
        let mut text = FAST.to_owned();
        for source in OFTEN {
            // The public limit of 60 requests a minute is for everybody here together.
            let every =
                if matches!(source, "cars" | "availability" | "redis_demo") { 4 } else { 2 };
            text += &format!("[source.{source}]\ninterval = \"{every}s\"\ntimeout = \"1900ms\"\n");
        }
        for action in SOON {
            text += &format!("[action.{action}]\ncooldown = \"0s\"\nproof_within = \"16s\"\n");
        }
        Self::on(&text, extra)
    }

    /// As in production.
    fn unhurried() -> Self {
        Self::on("profile = \"exodrive\"\n", &[])
    }

    fn on(text: &str, extra: &[(&str, &str)]) -> Self {
        let drive = Standin::start(System::ExoDrive);
        let mut variables = drive.demo().variables();
        variables.extend(extra.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let environment: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let place = Place::new(text, &environment);
        Self { drive, variables, place }
    }

    fn toggle(&self, fault: &str) {
        self.drive.demo().toggle(fault);
    }

    fn vercel(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.variables["VERCEL_API"]);
        self.drive.ask(Method::GET, &url, &self.variables["VERCEL_TOKEN"])
    }

    fn project(&self) -> Value {
        self.vercel(&format!("/v9/projects/{}", self.variables["VERCEL_PROJECT_ID"]))
    }

    /// What is served.
    fn deployment(&self) -> String {
        self.project()["targets"]["production"]["id"].as_str().unwrap().to_owned()
    }

    fn sql(&self, statements: &str) {
        self.drive.sql(&self.variables["DATABASE_URL"], statements);
    }

    /// Carries out an action, and says how that ended where it is not as it should be.
    #[track_caller]
    fn ends(&self, action: &str, arguments: &[&str], expected: &str) -> Value {
        let (ended, document) = self.place.act(action, arguments);
        assert_eq!(ended, expected, "{action}: {document:#}");
        document
    }

    /// The same for one that asks for a target.
    #[track_caller]
    fn ends_typed(&self, action: &str, arguments: &[&str], expected: &str) -> Value {
        let mut all = vec!["--confirm", TARGET];
        all.extend(arguments);
        self.ends(action, &all, expected)
    }

    /// The same for one that two people are needed for.
    #[track_caller]
    fn ends_together(&self, action: &str, expected: &str) -> Value {
        let (ended, document) = self.place.act_together(action, TARGET);
        assert_eq!(ended, expected, "{action}: {document:#}");
        document
    }
}

#[test]
fn a_whole_system_is_well() {
    let desk = Desk::unhurried();
    let (code, document) = desk.place.check();
    assert_eq!(unanswered(&document), ["\"main_branch\": \"unconfigured\" null"]);
    assert_eq!((code, &document["verdict"]), (0, &"ok".into()), "{}", document["reasons"]);
    for id in ["crons", "variables", "paypal", "payments", "pricing", "migrated", "switches"] {
        assert_eq!(check(&document, id)["verdict"], "ok", "{id}");
    }
}

#[test]
fn what_is_served_goes_back_and_forward_and_says_so() {
    let desk = Desk::new();
    let good = desk.deployment();
    desk.toggle("deploy-regression");
    let bad = desk.deployment();
    let to = format!("to={good}");
    desk.toggle("platform-fails");
    let failed = desk.ends_typed("rollback", &["--ask", &to], "failed");
    assert!(failed["summary"].as_str().unwrap().contains("moved"), "{failed:#}");
    assert_eq!(desk.deployment(), bad);
    desk.toggle("platform-fails");
    desk.ends_typed("rollback", &["--ask", &to], "confirmed");
    let document = desk.place.watch(6).state();
    assert!(alerts(&document, &["firing"]).contains(&"rolled_back"), "{}", document["alerts"]);
    let serving = check(&document, "serving")["reason"].as_str().unwrap().to_owned();
    assert!(serving.contains("follows_new"), "{serving}");

    // What is built meanwhile is not served: it is said, and not called done.
    let old = desk.deployment();
    desk.ends("redis_bypass_build", &[], "refuted");
    assert_eq!(desk.deployment(), old);
    desk.ends_typed("promote", &["--ask", &to], "confirmed");
    assert_eq!(desk.project()["autoAssignCustomDomains"], true);
}

#[test]
fn redis_is_off_once_what_is_served_says_so() {
    // As the runbook has it: nothing in what is served reads either name.
    let desk =
        Desk::with(&[("EXODRIVE_REDIS_SWITCH", "DISABLE_REDIS"), ("EXODRIVE_REDIS_OFF", "true")]);
    desk.ends("redis_disable", &[], "refuted");
    desk.ends("redis_bypass", &[], "refuted");
    desk.ends("redis_disable_build", &[], "refuted");
}

#[test]
fn redis_goes_off_and_on_by_the_switch_that_is_read() {
    let desk = Desk::new();
    desk.ends("redis_disable_build", &[], "confirmed");
    desk.ends("redis_enable_build", &[], "confirmed");
}

#[test]
fn redis_goes_off_and_on_by_an_item_that_is_read() {
    for (off, on) in [("redis_disable", "redis_enable"), ("redis_bypass", "redis_bypass_end")] {
        let desk = Desk::new();
        desk.toggle("reads-edge-config");
        desk.ends(off, &[], "confirmed");
        desk.ends(on, &[], "confirmed");
    }
}

#[test]
fn a_variable_is_stored_built_and_never_shown() {
    let desk = Desk::with(&[("NEW_SECRET", "canary-of-the-new-secret")]);
    let before = desk.deployment();
    let arguments = ["--ask", "key=CRON_SECRET", "--ask", "value=@env:NEW_SECRET"];
    let document = desk.ends_typed("env_set", &arguments, "confirmed");
    assert!(!document.to_string().contains("canary"), "{document:#}");
    assert_ne!(desk.deployment(), before);
    desk.ends_together("paypal_live", "confirmed");
}

#[test]
fn payments_that_are_stuck_are_an_alert_and_a_run_captures_them() {
    let desk = Desk::new();
    let (refused, _) = desk.place.act("capture_run", &["--confirm", TARGET]);
    assert!(refused.contains("due"), "{refused}");
    desk.toggle("captures-stuck");
    let document = desk.place.watch(6).state();
    let firing = alerts(&document, &["firing"]);
    assert!(firing.contains(&"capture_cron") && firing.contains(&"capture_overdue"), "{firing:?}");
    assert_eq!(check(&document, "payments")["verdict"], "critical");
    desk.ends_together("capture_run", "confirmed");
    let document = desk.place.watch(8).state();
    assert_eq!(alerts(&document, &["firing"]), Vec::<&str>::new(), "{}", document["alerts"]);

    desk.ends("crons_off", &[], "confirmed");
    let (_, document) = desk.place.check();
    assert_eq!(check(&document, "crons")["verdict"], "warning");
    desk.ends_typed("crons_on", &[], "confirmed");
}

#[test]
fn a_backup_and_a_migration_are_whole_or_not_there() {
    let desk = Desk::new();
    let apply = |file: &str, expected: &str| {
        desk.ends_typed("migrate", &["--ask", &format!("file={file}")], expected)
    };
    // Not without a backup of the last hour.
    let (refused, _) = desk
        .place
        .act("migrate", &["--confirm", TARGET, "--ask", "file=20250623_add_webhook_retries.sql"]);
    assert!(refused.contains("last_hour"), "{refused}");
    desk.ends("backup", &[], "confirmed");
    let entries = std::fs::read_dir(&desk.variables["EXODRIVE_BACKUPS"]).unwrap();
    let names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.iter().all(|name| name.ends_with(".dump")), "{names:?}");

    apply("20250623_add_webhook_retries.sql", "confirmed");
    // Nothing is left to do, and that is no success.
    apply("20250623_add_webhook_retries.sql", "refuted");
    let failed = apply("20250901000000_half_done.sql", "failed");
    assert!(failed["summary"].as_str().unwrap().contains("apply"), "{failed:#}");
    // Nothing of it was applied: this would fail otherwise.
    desk.sql("CREATE TABLE half_done (id int)");
    let denied = apply("20250902000000_drop_pricing.sql", "failed");
    assert!(denied["summary"].as_str().unwrap().contains("harmless"), "{denied:#}");
    desk.sql("SELECT calculate_booking_price(1, 2)");

    desk.ends_typed("triggers_off", &[], "confirmed");
    desk.ends_typed("triggers_on", &[], "confirmed");
    desk.ends_together("indexes_drop", "confirmed");
    let (_, document) = desk.place.check();
    assert_eq!(check(&document, "migrated")["verdict"], "warning");
    apply("20250623_add_critical_performance_indexes.sql", "confirmed");
}

#[test]
fn an_address_is_blocked_until_it_is_let_in_again() {
    let desk = Desk::with(&[("EXODRIVE_NEVER_BLOCK", "192.0.2.7, 198.51.100.0/24")]);
    let until = |hours| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
        at.to_string().chars().take(16).collect::<String>() + "Z"
    };
    let soon = until(2);
    let ask_until = |ip: &str, until: &str| {
        let (ip, until) = (format!("ip={ip}"), format!("until={until}"));
        desk.place.act("ip_block", &["--ask", &ip, "--ask", &until]).0
    };
    let ask = |ip: &str| ask_until(ip, &soon);
    for ours in [
        "10.1.2.3",
        "192.168.0.9",
        "172.20.0.1",
        "127.0.0.1",
        "fe80::1",
        "0:0:0:0:0:0:0:1",
        "::::::::",
        "203.0.0.0/8",
        // The variable names 198.51.100.0/24.
        "198.51.100.9",
        "198.51.100.0/25",
    ] {
        assert!(ask(ours).contains("ip: "), "{ours}");
    }
    for over in ["2020-01-01T00:00Z", "2026-02-31T10:00Z", "2099-01-01T00:00Z", &until(31 * 24)] {
        assert!(ask_until("203.0.113.77", over).contains("until: "), "{over}");
    }
    let (endless, _) = desk.place.act("ip_block", &["--ask", "ip=203.0.113.77"]);
    assert!(endless.contains("until"), "{endless}");
    assert_eq!(ask("203.0.113.77"), "confirmed");
    let project = &desk.variables["VERCEL_PROJECT_ID"];
    let path = format!("/v1/security/firewall/config/active?projectId={project}");
    let rule = desk.vercel(&path)["ips"][0].clone();
    assert!(rule["notes"].as_str().unwrap().contains(&soon), "{rule}");
    let id = format!("id={}", rule["id"].as_str().unwrap());
    desk.ends("ip_unblock", &["--ask", &id], "confirmed");

    desk.ends_typed("attack_mode_on", &[], "confirmed");
    desk.ends("attack_mode_off", &[], "confirmed");
}

#[test]
fn the_cache_is_cleared_and_warmed_and_a_booking_is_tried_in_staging() {
    let desk = Desk::new();
    desk.ends("cache_clear", &[], "confirmed");
    desk.ends("cache_warm", &[], "confirmed");
    desk.ends("cache_warm_popular", &[], "confirmed");
    desk.ends_typed("smoke_booking", &[], "confirmed");
    // Somebody has the car now.
    let (refused, _) = desk.place.act("smoke_booking", &["--confirm", TARGET]);
    assert!(refused.contains("taken_days"), "{refused}");
}

fn git(directory: &std::path::Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
    let output =
        Command::new("git").args(identity).args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_commit_is_reverted_where_it_was_pushed() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    git(root, &["init", "-q", "--bare", "-b", "main", "origin.git"]);
    git(root, &["clone", "-q", "origin.git", "checkout"]);
    let checkout = root.join("checkout");
    for (key, value) in [("user.name", "Test"), ("user.email", "test@example.com")] {
        git(&checkout, &["config", key, value]);
    }
    git(&checkout, &["checkout", "-q", "-B", "main"]);
    for text in ["good", "bad"] {
        std::fs::write(checkout.join("page"), text).unwrap();
        git(&checkout, &["add", "page"]);
        git(&checkout, &["commit", "-q", "-m", text]);
    }
    git(&checkout, &["push", "-q", "origin", "main"]);
    let bad = git(&checkout, &["rev-parse", "HEAD"]);
    let desk = Desk::with(&[("EXODRIVE_REPO", checkout.to_str().unwrap())]);
    // What is changed and not committed is not swept away.
    std::fs::write(checkout.join("page"), "mine").unwrap();
    let sha = format!("sha={}", &bad[..12]);
    let failed = desk.ends_typed("git_revert", &["--ask", &sha], "failed");
    assert!(failed["summary"].as_str().unwrap().contains("clean"), "{failed:#}");
    git(&checkout, &["checkout", "-q", "page"]);
    desk.ends_typed("git_revert", &["--ask", &sha], "confirmed");
    assert_eq!(git(&root.join("origin.git"), &["show", "main:page"]), "good");
}

#[test]
fn the_doctor_finds_what_is_planted_and_nothing_else() {
    let desk = Desk::unhurried();
    wait_until("it has looked", || desk.deployment().starts_with("dpl_"));
    let mut found = desk.place.doctor();
    // That nothing was ever drilled here is no defect of the stand-in.
    found.retain(|finding| !finding.contains("never drilled"));
    found.sort_unstable();
    let planted = [
        // What is off, and what is not there.
        "action/capture_columns_drop skipped: switched off",
        "action/deploy skipped: switched off",
        // What is asked for is not made up.
        "action/env_set unknown: what it would send is only known once value is given",
        "action/git_revert skipped: not configured: set EXODRIVE_REPO",
        // The database speaks in the clear, to its owner.
        "action/indexes_drop warning: the connection is not encrypted",
        "action/ip_block unknown: what it would send is only known once ip, until are given",
        "action/ip_unblock unknown: what it would send is only known once id is given",
        "action/migrate unknown: what it would send is only known once file is given",
        "action/overlap_allow skipped: switched off",
        "action/promote unknown: step 1: the server answers; whether the address is right is only",
        "action/promote unknown: what it would send is only known once to is given",
        "action/rollback unknown: step 1: the server answers; whether the address is right is only",
        "action/rollback unknown: what it would send is only known once to is given",
        // Nothing was rolled back or promoted yet.
        "action/rollback warning: its proof: vercel_project.alias_status is not in the answer",
        "action/rollback warning: its proof: vercel_project.alias_type is not in the answer",
        "action/triggers_off warning: the connection is not encrypted",
        "action/triggers_on warning: the connection is not encrypted",
        "action/violations_clear skipped: switched off",
        "rule/redis_rest_lost skipped: upstash.up is not read",
        "source/main_branch skipped: not configured: set EXODRIVE_REPO",
        "source/payments warning: the role exodrive is a superuser",
        "source/postgres warning: the role exodrive is a superuser",
        "source/schema warning: the role exodrive is a superuser",
        "source/vercel_project warning: alias_status is not in the answer",
        "source/vercel_project warning: alias_to is not in the answer",
        "source/vercel_project warning: alias_type is not in the answer",
        "terminal/terminal skipped",
    ];
    assert_eq!(found.len(), planted.len(), "{found:#?}");
    for (found, planted) in found.iter().zip(planted) {
        assert!(found.starts_with(planted), "{found} is not {planted}");
    }
}
