//! The built-in profiles.

use std::collections::BTreeMap;

use watchfloor::{
    config::{
        PROFILES, Request, load,
        profile::{ActionKind, Extract, SourceKind, StepKind, Text},
        template,
    },
    domain::guard::Guard,
};

use super::support::Place;

/// Why an action that is off on purpose cannot be started.
const OFF: &str = "switched off: enabled = false";

/// Every variable of the profiles, with a value that fits.
fn variables() -> BTreeMap<String, String> {
    [
        ("EXODRIVE_URL", "http://127.0.0.1:4000"),
        ("BICI_URL", "http://127.0.0.1:4000"),
        ("REDIS_URL", "redis://default:password-of-redis@127.0.0.1:4001/2"),
        ("DATABASE_URL", "postgres://ops:password-of-pg@127.0.0.1:4002/exo?pgbouncer=true"),
        ("DEMO_LOG", "/nowhere/requests.log"),
        ("DEMO_POSTGRES_URL", "postgres://demo@127.0.0.1:4002/demo"),
        ("EXODRIVE_ADMIN_TOKEN", "token-of-admin"),
        ("EXODRIVE_ADMIN_COOKIE", "session=cookie-of-admin"),
        ("EXODRIVE_CUSTOMER_COOKIE", "session=cookie-of-customer"),
        ("EXODRIVE_CAR_ID", "00000000-0000-4000-8000-000000000001"),
        ("VERCEL_API", "http://127.0.0.1:4000/platform"),
        ("VERCEL_TOKEN", "token-of-vercel"),
        ("VERCEL_PROJECT_ID", "prj_1"),
        ("VERCEL_TEAM_ID", "team_1"),
        ("EDGE_CONFIG_ID", "ecfg_1"),
        ("ROLLBACK_TO", "dep-good"),
        ("EXODRIVE_CRON_SECRET", "secret-of-cron"),
        ("EXODRIVE_STAGING_URL", "http://127.0.0.1:4000"),
        ("EXODRIVE_BACKUPS", "/tmp"),
        ("EXODRIVE_MIGRATIONS", "/tmp"),
        ("EXODRIVE_PG_SERVICE_FILE", "/tmp/pg_service.conf"),
        ("EXODRIVE_REPO", "/"),
        ("UPSTASH_STATUS_URL", "http://127.0.0.1:4000/status"),
        ("RENDER_API", "http://127.0.0.1:4000/render"),
        ("RENDER_API_KEY", "token-of-render"),
        ("RENDER_SERVICE_ID", "srv-1"),
        ("RENDER_OWNER_ID", "tea-1"),
        ("REDIS_HOST", "127.0.0.1"),
        ("BICI_DIR", "/"),
        ("BICI_LOG", "/nowhere/application.log"),
        ("BICI_MAILER", "mail"),
        ("BICI_MAIL_TO", "ops@bici.example"),
        ("REDCUBE_URL", "http://127.0.0.1:4000"),
        ("REDCUBE_USER_URL", "http://127.0.0.1:4003"),
        ("REDCUBE_DATABASE_URL", "postgres://ops:password-of-pg@127.0.0.1:4002/postgres"),
        ("REDCUBE_USERS_DATABASE_URL", "postgres://ops:password-of-pg@127.0.0.1:4002/users"),
        ("REDCUBE_REDIS_URL", "redis://127.0.0.1:4001"),
        ("REDCUBE_PROJECT", "cube"),
        ("REDCUBE_DIR", "/"),
        ("REDCUBE_BACKUPS", "/tmp"),
        ("REDCUBE_BRANCH", "main"),
        ("REDCUBE_ROLLBACKS", "/tmp"),
        ("REDCUBE_ON_CALL", "+49 30 3"),
        ("REDCUBE_DATABASE_ADMIN", "+49 30 4"),
        ("REDCUBE_PRODUCT_OWNER", "+49 30 5"),
        ("OPENROUTER_API_KEY", "key-of-openrouter"),
        ("SLACK_WEBHOOK_URL", "http://127.0.0.1:4000/slack-hook"),
        ("PAGERDUTY_ROUTING_KEY", "key-of-pagerduty"),
        ("BICI_INFRASTRUCTURE", "+49 30 1"),
        ("BICI_INCIDENT_TEAM", "+49 30 2"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn request(profile: &str, extra_vars: BTreeMap<String, String>) -> Request {
    let today = Some(jiff::civil::date(2026, 12, 20));
    Request {
        profile: Some(profile.to_owned()),
        extra_vars,
        today,
        isolated: true,
        ..Request::default()
    }
}

#[track_caller]
fn loaded(profile: &str, extra_vars: BTreeMap<String, String>) -> watchfloor::config::Loaded {
    load(&request(profile, extra_vars)).map_err(|errors| errors.render(false)).unwrap()
}

#[test]
fn each_is_whole_with_all_its_variables() {
    for name in PROFILES {
        let profile = loaded(name, variables()).profile;
        // What is off on purpose is off; nothing else lacks anything.
        let mut unavailable = profile.catalog.unavailable.clone();
        unavailable.retain(|_, why| why != OFF);
        assert_eq!(unavailable, BTreeMap::new(), "{name}");
        let off: Vec<_> =
            profile.catalog.sources.values().filter(|s| s.disabled.is_some()).collect();
        assert!(off.is_empty(), "{name}: {off:?}");
        assert_eq!(profile.sources.len(), profile.catalog.sources.len());
        let on = profile.catalog.actions.len() - profile.catalog.unavailable.len();
        assert_eq!(profile.actions.len(), on);
        for action in &profile.catalog.actions {
            assert!(!action.proof.is_empty(), "{name}: {} has no proof", action.id);
            assert!(
                !action.effects.is_empty(),
                "{name}: {} says nothing of its effects",
                action.id
            );
        }
    }
}

#[test]
fn what_lacks_its_variables_is_kept_and_says_which() {
    let only = BTreeMap::from([("EXODRIVE_URL".to_owned(), "https://api.example".to_owned())]);
    let profile = loaded("exodrive", only).profile;
    let why = |source: &str| profile.catalog.sources[source].disabled.clone();
    assert_eq!(why("redis").as_deref(), Some("not configured: set REDIS_URL"));
    assert_eq!(why("violations").as_deref(), Some("not configured: set EXODRIVE_ADMIN_TOKEN"));
    assert_eq!(why("cars"), None);
    assert!(!profile.sources.contains_key("redis"));
    assert_eq!(
        profile.catalog.why_unavailable(&"cache_clear".into()),
        Some("needs the source redis, which is not configured: set REDIS_URL")
    );
    assert_eq!(
        profile.catalog.why_unavailable(&"rollback".into()),
        Some("not configured: set VERCEL_PROJECT_ID, VERCEL_TEAM_ID, VERCEL_TOKEN")
    );
    assert!(profile.actions.is_empty());
    // Checks on what is not configured stay, so that the screen can say so.
    assert!(profile.catalog.checks.iter().any(|check| check.id.as_str() == "redis"));
}

#[test]
fn without_its_address_nothing_works_and_the_cure_is_named() {
    let errors = load(&request("exodrive", BTreeMap::new())).unwrap_err().render(false);
    assert!(errors.contains("the variable EXODRIVE_URL is not set"), "{errors}");
    assert!(errors.contains("export EXODRIVE_URL, or set it in [vars]"), "{errors}");
    let named = "EXODRIVE_URL is not set: source.cars, source.redis_demo need it";
    assert!(errors.contains(named) && errors.contains("1 error"), "{errors}");
    assert!(!errors.contains("REDIS_URL"), "{errors}");
}

#[test]
fn rest_takes_the_place_of_redis_where_only_rest_is_configured() {
    let mut vars = variables();
    vars.remove("REDIS_URL");
    vars.insert("UPSTASH_REDIS_REST_URL".into(), "https://x.upstash.io".into());
    vars.insert("UPSTASH_REDIS_REST_TOKEN".into(), "token-of-upstash".into());
    let profile = loaded("exodrive", vars.clone()).profile;
    assert!(matches!(profile.sources["redis"].kind, SourceKind::Upstash(_)));
    assert!(!profile.catalog.sources.contains_key("upstash"));
    let why = profile.catalog.why_unavailable(&"cache_clear".into()).unwrap();
    assert!(why.contains("over the Redis protocol"), "{why}");
    assert!(profile.actions.contains_key("cache_warm"));
    // With both, the better one is taken.
    vars.insert("REDIS_URL".into(), "rediss://x.upstash.io:6379".into());
    let profile = loaded("exodrive", vars).profile;
    assert!(matches!(profile.sources["redis"].kind, SourceKind::Redis(_)));
    assert!(!profile.catalog.sources.contains_key("upstash"));
}

#[test]
fn the_demo_is_faster_and_says_that_it_is_a_demo() {
    let catalog = loaded("demo", variables()).profile.catalog;
    assert_eq!(catalog.target(), "exodrive/demo");
    assert!(!catalog.is_production());
    let seconds = |source: &str| catalog.sources[source].interval.as_secs();
    assert_eq!((seconds("cars"), seconds("redis"), seconds("postgres")), (2, 2, 5));
    assert_eq!(catalog.sources["postgres"].target, "postgres://demo@127.0.0.1:4002/demo");
    let voice = catalog.checks.iter().find(|check| check.id.as_str() == "voice_redis").unwrap();
    assert_eq!(voice.primary, Some("redis".into()));
    assert!(catalog.caches.iter().any(|cache| cache.id.as_str() == "voice"));
}

#[test]
fn the_demo_never_looks_into_the_real_environment() {
    let mut request = request("demo", variables());
    request.extra_vars.remove("VERCEL_TOKEN");
    request.environment.insert("VERCEL_TOKEN".into(), "token-of-production".into());
    request.environment.insert("WATCHFLOOR__SERVICE__ENVIRONMENT".into(), "production".into());
    let profile = load(&request).unwrap().profile;
    assert_eq!(profile.catalog.environment, "demo");
    assert_eq!(
        profile.catalog.sources["vercel_project"].disabled.as_deref(),
        Some("not configured: set VERCEL_TOKEN")
    );
}

#[test]
fn exodrive_is_what_its_runbook_says() {
    let profile = loaded("exodrive", variables()).profile;
    let ActionKind::Redis(clear) = &profile.actions["cache_clear"].kind else { panic!() };
    assert_eq!(clear.delete, ["availability:*", "fleet:*", "car:*"]);
    assert_eq!(clear.protect, ["rate:*"]);
    assert_eq!(clear.redis.database, 2);
    let ActionKind::Http(disable) = &profile.actions["redis_disable"].kind else { panic!() };
    assert_eq!(disable.method, "PATCH");
    assert_eq!(
        disable.body,
        Some(
            serde_json::json!({"items": [{"operation": "upsert", "key": "disable_redis", "value": true}]})
        )
    );
    // A roll-back is over when the platform has done it, and names the deployment.
    let ActionKind::Sequence(rollback) = &profile.actions["rollback"].kind else { panic!() };
    let steps: Vec<_> = rollback.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(steps, ["begin", "moved"]);
    let guard = |action: &str| {
        profile.catalog.actions.iter().find(|spec| spec.id.as_str() == action).unwrap().guard
    };
    for (action, level) in [
        ("capture_run", Guard::G4),
        ("paypal_live", Guard::G4),
        ("indexes_drop", Guard::G4),
        ("migrate", Guard::G3),
        ("env_set", Guard::G3),
        ("crons_off", Guard::G2),
        ("crons_on", Guard::G3),
        ("ip_block", Guard::G2),
        ("attack_mode_on", Guard::G3),
    ] {
        assert_eq!(guard(action), level, "{action}");
    }
    // What is dangerous and mends nothing is there to be seen, and cannot be started.
    for action in ["deploy", "violations_clear", "overlap_allow", "capture_columns_drop"] {
        assert_eq!(profile.catalog.why_unavailable(&action.into()), Some(OFF), "{action}");
    }
    let SourceKind::Http(demo) = &profile.sources["redis_demo"].kind else { panic!() };
    let available = demo.readings.iter().find(|reading| &*reading.name == "available").unwrap();
    assert!(matches!(&available.from, Extract::Json(paths) if paths.len() == 2));
    let SourceKind::Http(availability) = &profile.sources["availability"].kind else { panic!() };
    assert!(availability.url.query().unwrap().ends_with("startDate=2027-01-19&endDate=2027-01-23"));
    let SourceKind::Http(violations) = &profile.sources["violations"].kind else { panic!() };
    assert_eq!(violations.headers[0].1.shown(), "Bearer ⟨EXODRIVE_ADMIN_TOKEN⟩");
    assert!(matches!(&violations.headers[0].1, Text::Secret { .. }));
    let levels: Vec<_> = profile
        .catalog
        .contacts
        .iter()
        .map(|contact| (contact.level, contact.contact.as_str()))
        .collect();
    assert_eq!(
        levels,
        [(1, "dev-oncall@exodrive.com"), (2, "infra-oncall@exodrive.com"), (3, "cto@exodrive.com")]
    );
}

#[test]
fn bici_is_what_its_platform_really_does() {
    let profile = loaded("bici", variables()).profile;
    let catalog = &profile.catalog;
    let http = |action: &str| match &profile.actions[action].kind {
        ActionKind::Http(http) => http.as_ref().clone(),
        other => panic!("{action} is {other:?}"),
    };
    let steps = |action: &str| match &profile.actions[action].kind {
        ActionKind::Sequence(sequence) => sequence.steps.clone(),
        other => panic!("{action} is {other:?}"),
    };
    let off = steps("redis_off");
    assert_eq!(off.len(), 3, "stored, deployed, waited for");
    let StepKind::Act(ActionKind::Http(store)) = &off[0].kind else { panic!("{:?}", off[0]) };
    assert_eq!(
        (store.method.as_str(), &store.body),
        ("PUT", &Some(serde_json::json!({"value": "false"})))
    );
    assert_eq!(
        store.url.as_str(),
        "http://127.0.0.1:4000/render/v1/services/srv-1/env-vars/REDIS_ENABLED",
        "never the list, which would replace every variable"
    );
    let StepKind::Act(ActionKind::Http(deploy)) = &off[1].kind else { panic!("{:?}", off[1]) };
    assert_eq!(deploy.url.as_str(), "http://127.0.0.1:4000/render/v1/services/srv-1/deploys");
    assert_eq!(deploy.body, Some(serde_json::json!({"deployMode": "deploy_only"})));
    assert!(matches!(off[2].kind, StepKind::Wait(_)), "{:?}", off[2]);
    assert!(http("restart").url.path().ends_with("/restart"), "which reads no changed variables");
    let proofs = |action: &str| -> Vec<String> {
        let spec = catalog.actions.iter().find(|spec| spec.id.as_str() == action).unwrap();
        spec.proof.iter().map(|proof| proof.when.to_string()).collect()
    };
    assert!(proofs("redis_off").contains(&"redis_health.enabled == false".to_owned()));
    let ActionKind::Redis(clear) = &profile.actions["cache_clear"].kind else { panic!() };
    assert_eq!(clear.protect, ["bici:sess:human:*", "bici:sms:auto:*"]);
    assert!(
        !clear
            .delete
            .iter()
            .any(|pattern| pattern.starts_with("bici:s") && pattern != "bici:sum:*")
    );
    // Two levels of the runbook are no people, two nobody has filled in.
    let mut vars = variables();
    vars.retain(|name, _| !name.starts_with("BICI_I"));
    let contacts = loaded("bici", vars).profile.catalog.contacts;
    let configured: Vec<_> = contacts.iter().map(|c| (c.level, c.is_configured())).collect();
    assert_eq!(configured, [(1, true), (2, false), (3, true), (4, false)]);
    assert!(contacts[0].name.starts_with("No person"));
}

#[test]
fn bici_needs_only_its_address() {
    let only = BTreeMap::from([("BICI_URL".to_owned(), "https://agent.example".to_owned())]);
    let catalog = loaded("bici", only).profile.catalog;
    let off = |source: &str| catalog.sources[source].disabled.clone();
    for source in ["health", "redis_health", "performance", "alerts", "webhook", "roundtrip"] {
        assert_eq!(off(source), None, "{source}");
    }
    assert_eq!(
        off("flag").as_deref(),
        Some("not configured: set RENDER_API_KEY, RENDER_SERVICE_ID")
    );
    assert_eq!(off("redis").as_deref(), Some("not configured: set REDIS_URL"));
    assert!(catalog.actions.iter().all(|spec| catalog.why_unavailable(&spec.id).is_some()));
}

#[test]
fn redcube_is_what_its_platform_really_does() {
    let profile = loaded("redcube", variables()).profile;
    // What changes the environment or the image makes the container anew, and is not over before
    // that was looked at.
    for (action, steps) in [
        ("feature_off", &["same_image", "set", "handed_on", "up", "seen"][..]),
        ("feature_on", &["same_image", "set", "handed_on", "up", "seen"]),
        (
            "rollback",
            &["target", "latest", "name", "remember", "up", "runs_it", "answers", "lists"],
        ),
    ] {
        let ActionKind::Sequence(sequence) = &profile.actions[action].kind else { panic!() };
        let names: Vec<&str> = sequence.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, steps, "{action}");
        let up = sequence.steps.iter().find(|step| step.name == "up").unwrap();
        let StepKind::Act(ActionKind::Command(up)) = &up.kind else { panic!("{up:?}") };
        let line = up.argv.join(" ");
        assert!(line.ends_with("up -d --no-deps --no-build --force-recreate content-service"));
        assert!(line.starts_with("docker compose -p cube -f //docker-compose.yml "), "{line}");
    }
    for (script, answers) in
        [("full_rollback_script", "yes\nno\n"), ("full_rollback_script_all", "yes\nyes\n99\n")]
    {
        let ActionKind::Command(script) = &profile.actions[script].kind else { panic!() };
        assert_eq!(script.stdin.as_ref().map(|text| text.shown()), Some(answers.to_owned()));
    }
    let catalog = &profile.catalog;
    let spec =
        |action: &str| catalog.actions.iter().find(|spec| spec.id.as_str() == action).unwrap();
    for (guard, actions) in [
        (Guard::G4, &["migration_rollback", "migration_script", "restore"][..]),
        (Guard::G4, &["full_rollback_script_all"]),
        (Guard::G3, &["rollback", "rollback_to", "roll_forward", "full_rollback", "migrate"]),
        (Guard::G3, &["release", "deploy_content", "deploy_user", "feature_on", "rollback_script"]),
        (Guard::G3, &["restart_postgres"]),
        (Guard::G2, &["keep_image", "build", "pull", "pull_back", "feature_off", "beta_on"]),
        (Guard::G2, &["restart_content", "smoke_register", "smoke_analyse", "beta_off"]),
        (Guard::G1, &["backup", "backup_users"]),
    ] {
        for action in actions {
            assert_eq!(spec(action).guard, guard, "{action}");
        }
    }
    assert_eq!(catalog.why_unavailable(&"smoke_analyse".into()), Some(OFF));
    // No proof is the word of a script: each looks at the image, the flag or the database.
    for action in ["rollback_script", "full_rollback_script", "migration_script", "rollback"] {
        let proofs = spec(action).proof.iter();
        let outside = proofs.filter(|proof| proof.when.source.as_deref() != Some("result"));
        assert!(outside.count() > 0, "{action}");
    }
    // People are counted, never fetched.
    let SourceKind::Postgres(users) = &profile.sources["users"].kind else { panic!() };
    assert!(
        users
            .queries
            .iter()
            .all(|query| !query.sql.contains('*') || query.sql.contains("count(*)"))
    );
    assert!(users.queries.iter().all(|query| !query.sql.contains("email")));
    // The directory that stands for the project here has no .env.
    let others = profile.warnings.iter().filter(|text| !text.contains(".env is not a file now"));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn redcube_needs_only_its_address() {
    let only = BTreeMap::from([("REDCUBE_URL".to_owned(), "http://127.0.0.1:8080".to_owned())]);
    let catalog = loaded("redcube", only).profile.catalog;
    let on: Vec<_> = catalog
        .sources
        .iter()
        .filter(|(_, source)| source.disabled.is_none())
        .map(|(id, _)| id.as_str())
        .collect();
    assert_eq!(on, ["content_health", "experiences", "gateway"]);
    assert!(catalog.actions.iter().all(|spec| catalog.why_unavailable(&spec.id).is_some()));
    assert!(catalog.contacts.iter().all(|contact| !contact.is_configured()));
}

/// What `init` writes for a profile names every variable of it, and is right once the one
/// that must be set is set.
#[test]
fn what_init_writes_for_a_profile_is_whole() {
    let profiles = [
        ("exodrive", "EXODRIVE_URL", include_str!("../../assets/profiles/exodrive.toml")),
        ("bici", "BICI_URL", include_str!("../../assets/profiles/bici.toml")),
        ("redcube", "REDCUBE_URL", include_str!("../../assets/profiles/redcube.toml")),
    ];
    for (name, needed, profile) in profiles {
        let start = template(Some(name)).unwrap();
        let filled = start.replace(&format!("#{needed}"), needed);
        let target = Place::new(&filled).sound().profile.catalog.target();
        assert_eq!(target, format!("{name}/production"));
        let interpolated =
            profile.split("${").skip(1).filter_map(|rest| rest.split(['}', ':', '+']).next());
        let referenced =
            profile.split("env = \"").skip(1).filter_map(|rest| rest.split('"').next());
        // What an action asks for, and what its steps bring, is no variable.
        let put_in = |name: &&str| name.starts_with("ask.") || name.starts_with("step.");
        let interpolated = interpolated.filter(|name| !put_in(name));
        let internal = ["today", "VERCEL_API", "RENDER_API", "OPENROUTER_API"];
        // What an action asks for, and what its steps bring, is no variable.
        let outside = |name: &&str| !internal.contains(name) && !name.contains('.');
        for variable in interpolated.chain(referenced).filter(outside) {
            assert!(start.contains(variable), "init of {name} does not mention {variable}");
        }
    }
}

#[test]
fn what_init_writes_is_right_once_it_is_filled_in() {
    let generic = Place::new(&template(None).unwrap());
    let warnings = generic.warnings();
    assert!(warnings.contains("the contact of level 1 is not filled in"), "{warnings}");
    assert!(
        template(Some("exodrvie")).unwrap_err().render(false).contains("did you mean `exodrive`?")
    );
    assert!(template(Some("demo")).is_err());
}
