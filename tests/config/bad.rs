//! Configurations that are wrong, and what is said about them: all of it at once, each with
//! its place and its cure. The texts stand in `tests/config/snapshots`.

use super::support::{Place, SOUND, as_snapshot, table};

/// Each of these is put after a sound service and source.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "kinds",
        &[
            "[source.x]\nkind = \"htpp\"\n",
            "[source.x]\nurl = \"https://host/\"\n",
            "[source.x]\nkind = \"http\"\nurl = \"redis://host\"\n",
            "[source.x]\nkind = \"redis\"\nurl = \"https://x.upstash.io\"\n",
            "[source.x]\nkind = \"redis\"\nurl = \"postgres://u@host/db\"\n",
            "[source.x]\nkind = \"upstash\"\nurl = \"rediss://host\"\ntoken = { env = \"NOPE\" }\n",
            "[source.x]\nkind = \"upstash\"\nurl = \"http://host/\"\ntoken = { env = \"NOPE\" }\n",
            "[source.x]\nkind = \"postgres\"\nurl = \"https://x.supabase.co\"\n",
        ],
    ),
    (
        "shapes",
        &[
            "[source.x]\nkind = \"http\"\nurl = \"https://h/\"\nintervall = \"5s\"\ntimeout = 3\nredirects = 11\nenabled = \"yes\"\naccept = \"2xx\"\n",
            "[source.X]\nkind = \"http\"\nurl = \"https://h/\"\n",
            "[display]\ncolor = \"blue\"\nfps = 0\nascii = 1\n[defaults]\njitter = inf\n",
            "[servce]\nname = 1\n[contact.a]\nlevel = 0\nname = \"n\"\n",
            "[action.a]\nkind = \"http\"\nguard = \"G0\"\nurl = \"https://h/\"\nmethod = \"GET\"\n",
        ],
    ),
    (
        "http",
        &[
            "[source.x]\nkind = \"http\"\nurl = \"h/health\"\nmax_body = \"1TB\"\naccept = [\"2x\", 404]\n",
            "[source.x]\nkind = \"http\"\nurl = \"https://user:pass@h/\"\nheaders = { Authorization = \"Bearer abcdef\", \"a b\" = \"c\" }\nreadings = { status = \"$.s\", a = \"$.[\", b = { header = \"X\", count = \"$.a\" }, C = \"x\", d = 5, e = [] }\n",
            "[source.x]\nkind = \"http\"\nurl = \"https://h/\"\nca_file = \"none.pem\"\ninterval = \"1s\"\njitter = 0.9\nbackoff_max = \"a while\"\n",
        ],
    ),
    (
        "redis",
        &[
            "[source.x]\nkind = \"redis\"\nurl = \"redis://u:hunter22@host/abc\"\n",
            "[source.x]\nkind = \"redis\"\nurl = \"redis://host/1\"\npassword = \"hunter22\"\nreadings = { a = { info = \"a:b\" } }\nslowlog = 1000\n",
            "[source.x]\nkind = \"redis\"\nurl = \"redis://h\"\n[[source.x.pressure]]\npattern = \"rate:*:*\"\ntier = \"a\"\nlimit = 0\nwindow = \"1m\"\n[[source.x.pressure]]\npattern = \"rate:public:*\"\ntier = \"a\"\nlimit = 60\nwindow = \"0s\"\n",
            "[source.x]\nkind = \"redis\"\nurl = \"redis://h\"\n[check.x]\nsource = \"x\"\ncritical = [\"keyspace_hit > 5\"]\n",
        ],
    ),
    (
        "postgres",
        &[
            "[source.x]\nkind = \"postgres\"\nurl = \"postgres://u@host/db?sslmode=verify-ca&foo=1\"\nqueries = [\"DELETE FROM a\", \"SELECT 1; SELECT 2\"]\n",
            "[source.x]\nkind = \"postgres\"\nurl = \"postgres:///db?password=hunter22\"\n",
            "[source.x]\nkind = \"postgres\"\nurl = \"postgres://u:hunter22@host/db\"\nsslmode = \"verify-ful\"\n",
        ],
    ),
    (
        "command",
        &[
            "[source.x]\nkind = \"command\"\nargv = []\naccept = []\nmax_output = \"1\"\nreadings = { exit_code = { output = \"number\" } }\n",
            "[source.x]\nkind = \"command\"\nargv = [\"\"]\nenvironment = { API_TOKEN = \"hunter22\", \"A=B\" = \"c\" }\n",
            "[source.x]\nkind = \"command\"\nargv = [\"df\"]\n[source.x.readings]\na = { regex = \"a(\" }\nb = { regex = \"none\" }\nc = { regex = \"(a)(b)\" }\nd = { count = \"x\", output = \"text\" }\ne = { where = { Name = \"a\" }, regex = \"(a)\" }\nf = { output = \"nmber\" }\ng = {}\nh = { json = \"$.[\" }\n",
        ],
    ),
    (
        "logs",
        &[
            "[source.x]\nkind = \"logs\"\n",
            "[source.x]\nkind = \"logs\"\nfile = \"a.log\"\nargv = [\"tail\"]\nwindows = [\"5m\", \"300s\", \"2 days\", \"0s\"]\ntimezone = \"Berlin\"\n",
            "[source.x]\nkind = \"logs\"\nargv = []\nsilent_after = \"1s\"\nwindows = []\nfields = { levl = \"l\" }\n",
            "[source.x]\nkind = \"logs\"\nfile = \"a.log\"\nwindows = [\"5m\", \"1h\"]\n[check.x]\nsource = \"x\"\ncritical = [\"error_rate_1h > 5%\", \"error_rate_5m > 5%\"]\n",
        ],
    ),
    (
        "prometheus",
        &[
            "[source.x]\nkind = \"prometheus\"\nurl = \"https://h/\"\n",
            "[source.x]\nkind = \"prometheus\"\nurl = \"https://h/\"\nqueries = {}\n",
            "[source.x]\nkind = \"prometheus\"\nurl = \"https://h/api/v1/query\"\nqueries = { up = \"up\", b = \" \" }\n",
            "[source.x]\nkind = \"prometheus\"\nurl = \"https://h/metrics\"\n[source.x.metrics]\na = \"sum(up)\"\nb = \"x{a=~'b'}\"\nc = { sum = \"x\", histogram = \"y\" }\nd = { histogram = \"y_bucket\", quantile = 0.5 }\ne = { histogram = \"y\", quantile = 95 }\nf = { histogram = \"y\" }\n",
            "[source.x]\nkind = \"prometheus\"\nurl = \"https://h/metrics\"\nmetrics = { p95 = { histogram = \"y\", quantile = 0.95 } }\n[check.x]\nsource = \"x\"\ncritical = [\"p95_low > 1\", \"p95 > 1\"]\n",
            "[source.x]\nkind = \"prometheus\"\nurl = \"https://h/\"\n[source.x.queries]\na = { query = \" \", range = \"15m\", step = \"0s\", take = \"max\" }\nb = { query = \"up\", range = \"15s\", step = \"15s\", take = \"min\" }\nc = { query = \"up\", range = \"1h\", step = \"10m\", take = \"avg\" }\nd = { query = \"up\", range = \"11000s\", step = \"1s\", take = \"last\" }\ne = { query = \"up\", range = \"1s\", step = \"1500us\", take = \"count\" }\nf = { query = \"up\", range = \"15\", step = \"a while\", take = \"max\" }\nup = { query = \"up\", range = \"15m\", step = \"15s\", take = \"max\" }\n",
            "[source.x]\nkind = \"prometheus\"\nurl = \"https://h/\"\n[source.x.queries]\na = { query = \"up\", range = \"15m\", step = \"15s\", take = \"sum\" }\nb = { query = \"up\", range = \"15m\", step = \"15s\" }\nc = { query = \"up\", rnge = \"15m\", step = \"15s\", take = \"max\" }\nd = 5\n",
        ],
    ),
    (
        "probes",
        &[
            "[source.x]\nkind = \"tcp\"\naddress = \"db\"\n[source.y]\nkind = \"tcp\"\naddress = \"https://db:5432\"\n",
            "[source.x]\nkind = \"tls\"\naddress = \"a:b\"\n[source.y]\nkind = \"tls\"\naddress = \"h\"\nname = \"a b\"\n",
            "[source.x]\nkind = \"statuspage\"\nurl = \"redis://h\"\n",
        ],
    ),
    (
        "sse",
        &[
            "[source.x]\nkind = \"sse\"\nurl = \"wss://h/\"\nsilent_after = \"0s\"\nmax_event = \"1GB\"\nreadings = { a = { header = \"X\" }, events_total = \"$.a\", b = \"$.b\" }\ncounts = { b = \"alert\", c = \"\", up = \"x\" }\n",
        ],
    ),
    (
        "rules",
        &[
            "[source.x]\nkind = \"http\"\nurl = \"https://h/\"\naccept = [\"2xx\", 404]\ninterval = \"30s\"\n[rule.a]\nwhen = \"x.up > 3\"\n[rule.b]\nwhen = \"share(x.up == 0, 30m) > 5%\"\n[rule.c]\nwhen = \"avg(x.up, 5m) < 1\"\n[rule.d]\nwhen = \"x.status >= 500\"\n[rule.e]\nwhen = \"x.status == 404\"\n[rule.f]\nwhen = \"count(x.status == 503, 5m) > 2\"\n[rule.g]\nwhen = \"absent(x.total_ms, 45s)\"\n[rule.h]\nwhen = \"absent(x.total_ms, 60s)\"\n",
            "[rule.a]\nwhen = \"p95(api.total_ms, 5m) > 70%\"\n[rule.b]\nwhen = \"apii.up == false\"\n[rule.c]\nwhen = \"api.staet == 1\"\n[rule.d]\nwhen = \"up == false\"\n[rule.e]\nfor = \"5m\"\n",
            "[rule.a]\nwhen = \"p99(api.total_ms, 1m) > 5s\"\n[rule.b]\nwhen = \"max(api.total_ms, 2s) > 5s\"\n[rule.c]\nwhen = \"share(api.status >= 500, 1m) > 5%\"\n[rule.d]\nwhen = \"share(api.status >= 500, 9m) > 100%\"\n[rule.e]\nwhen = \"api.total_ms < 0\"\n[rule.f]\nwhen = \"count(api.up == false, 10m) > 500\"\n",
            "[rule.a]\nwhen = \"api.up == false\"\nfor = \"5 minuts\"\nkeep_firing_for = 60\nseverity = \"criticl\"\npriority = \"P4\"\non_missing = \"ignore\"\ninhibited_by = [\"a\", \"bb\"]\nsuggests = [\"wram\"]\n",
            "[rule.a]\nwhen = \"api.up == false\"\nfor = \"8s\"\n[rule.b]\nwhen = \"share(api.up == false, 5m) < expected\"\n[rule.c]\nwhen = \"share(api.up == false, 5m) < expected\"\nmarker = \"restart\"\nexpected = [{ after = \"1h\", from = 2 }, { after = \"30m\", from = \"80%\", to = \"20%\" }, { after = \"2h\" }]\n[rule.d]\nwhen = \"api.up == false\"\nmarker = \"deploy\"\n",
        ],
    ),
    (
        "conditions",
        &[
            "[check.a]\nsource = \"apii\"\ncritical = [\"up = false\"]\n",
            "[check.a]\nsource = \"api\"\ncritical = [\"up == false\", \"total_mss > 100ms\", \"stat == \\\"x\\\"\", \"total_ms > 5 parsecs\", \"total_ms < before\"]\nshows = [\"staet\"]\nprimary = \"a\"\n",
            "[check.a]\nsource = \"api\"\ncritical = ['nope.up == false', 'api.upp == false', 'up in \"a\"']\n",
        ],
    ),
    (
        "panes",
        &[
            "[cache.a]\nsource = \"api\"\ntarget = 85\nwarning_below = \"30%\"\ncritical_below = \"70%\"\nmemory_warning_above = \"much\"\n",
            "[latency.a]\nsource = \"api\"\nreading = \"nope\"\ntarget = \"100\"\nwarning_above = \"-1s\"\n",
            "[latency.a]\nsource = \"api\"\nwarning_above = \"2s\"\ncritical_above = \"1s\"\n",
            "[limits]\nviolations = [\"api\"]\npressure = [\"api\", \"apo\"]\nfailing_open = [\"available == false\"]\n",
            "[database.a]\nsource = \"api\"\nconnections_warning_above = \"90%\"\nconnections_critical_above = \"80%\"\n",
        ],
    ),
    (
        "sql",
        &[
            "[source.db]\nkind = \"postgres\"\nurl = \"postgres://u@host/db\"\n[action.a]\nkind = \"sql\"\nguard = \"G3\"\nsource = \"db\"\nsslmode = \"require\"\nstatements = [\"UPDATE t SET a = $2; DELETE FROM t\", \"CREATE INDEX CONCURRENTLY i ON t (a)\", \"COMMIT\"]\nproof = [\"result.row == 1\"]\n",
            "[action.a]\nkind = \"sql\"\nguard = \"G3\"\nsource = \"api\"\nstatements = []\nrows_at_most = -1\nproof = [\"result.rows == 1\"]\n",
            "[action.a]\nkind = \"sql\"\nguard = \"G3\"\nurl = \"https://h/\"\nstatements = [\"DROP FUNCTION keep_me()\", \"UPDATE t SET a = $3\"]\nparameters = [\"x\", \"y\"]\ncount = \"DELETE FROM t\"\ndeny = [\"keep_*\", \"No!\"]\nproof = [\"result.rows == 1\"]\n",
            "[action.a]\nkind = \"sql\"\nguard = \"G3\"\nstatements = [\"UPDATE t SET a = 'x\"]\nlock_timeout = \"soon\"\nproof = [\"result.rows == 1\"]\n",
        ],
    ),
    (
        "sequence",
        &[
            "[action.a]\nkind = \"sequence\"\nguard = \"G3\"\nproof = [\"result.set_statu == 201\"]\n[[action.a.step]]\nkind = \"http\"\nname = \"set\"\nurl = \"https://h/${step.deploy.id}\"\nverify = [\"stat == 201\", \"api.up == true\"]\n[[action.a.step]]\nkind = \"http\"\nname = \"set\"\nurl = \"https://${step.set.status}/\"\ntimout = \"1m\"\n[[action.a.step]]\nkind = \"command\"\nname = \"Deploy\"\nshell = true\nargv = [\"echo ${step.set.code}\"]\n",
            "[action.a]\nkind = \"sequence\"\nguard = \"G3\"\nstep = []\n",
            "[action.a]\nkind = \"sequence\"\nguard = \"G3\"\n[[action.a.step]]\nkind = \"wait\"\nname = \"w\"\nurl = \"https://h/\"\nargv = [\"true\"]\nuntil = []\n[[action.a.step]]\nkind = \"wait\"\nname = \"q\"\nquery = \"DELETE FROM t\"\nuntil = [\"state == before\"]\n[[action.a.step]]\nkind = \"env_file\"\nname = \"e\"\npath = \"none.env\"\nset = { \"A B\" = \"1\" }\n[[action.a.step]]\nkind = \"sequence\"\nname = \"s\"\n",
        ],
    ),
    (
        "actions",
        &[
            "[action.a]\nkind = \"http\"\nguard = \"G1\"\nurl = \"https://h/\"\nundo = \"a\"\nkey = \"ctrl\"\nproof = [\"result.x > 0\", \"up == true\"]\n",
            "[source.r]\nkind = \"redis\"\nurl = \"redis://h\"\n[action.a]\nkind = \"redis\"\nguard = \"G2\"\nsource = \"r\"\ndelete = [\"*\", \"a*\", \"ab?d*\", \"abc\", \"rate:x:*\"]\nprotect = [\"rate:*\"]\nproof = [\"result.delete > 0\"]\n",
            "[source.r]\nkind = \"redis\"\nurl = \"redis://h\"\n[cache.r]\nsource = \"r\"\n[[cache.r.prefix]]\nname = \"sessions\"\npattern = \"app:sess:*\"\nprotected = true\n[action.a]\nkind = \"redis\"\nguard = \"G2\"\nsource = \"r\"\ndelete = [\"app:sess:*\"]\nproof = [\"result.deleted > 0\"]\n",
            "[action.a]\nkind = \"redis\"\nguard = \"G2\"\nsource = \"api\"\ndelete = []\nproof = [\"result.deleted > 0\"]\n",
            "[action.a]\nkind = \"command\"\nguard = \"G1\"\nargv = []\nproof = [\"result.exit_code == 0\"]\nenvironment = { DEPLOY_TOKEN = \"hunter22\" }\n",
            "[action.a]\nkind = \"command\"\nguard = \"G1\"\nargv = [\"a\", \"b\"]\nshell = true\nkey = \"x\"\n[action.b]\nkind = \"command\"\nguard = \"G1\"\nargv = [\"bunx\", \"scripts/warm.ts\"]\nkey = \"x\"\nundo = \"c\"\n",
            "[action.a]\nkind = \"command\"\nguard = \"G1\"\nargv = [\"a\"]\nstdin = \"yes\\n\"\ninteractive = true\n",
        ],
    ),
    (
        "notify",
        &[
            "[notify]\ngroup_wait = 30\nrepeat = \"5s\"\nwait = \"1s\"\n[notify.target.A]\nkind = \"bell\"\n",
            "[notify.target.x]\nkind = \"mail\"\n[notify.target.y]\nurl = \"https://h/\"\n[notify.target.z]\nkind = \"webhook\"\nformat = \"slak\"\n",
            "[notify.target.x]\nkind = \"webhook\"\n[notify.target.y]\nkind = \"webhook\"\nformat = \"pagerduty\"\n[notify.target.z]\nkind = \"webhook\"\nurl = \"https://h/\"\nrouting_key = \"hunter22\"\n",
            "[notify.target.x]\nkind = \"webhook\"\nformat = \"slack\"\nurl = \"https://hooks.example/services/hunter22\"\n",
            "[notify.target.x]\nkind = \"webhook\"\nformat = \"pagerduty\"\nrouting_key = \"hunter22\"\nheaders = { Authorization = \"hunter22\" }\nseverities = [\"error\"]\n",
            "[notify.target.x]\nkind = \"webhook\"\nurl = \"redis://h\"\nseverities = []\ntimeout = \"10m\"\nretry_for = \"long\"\nresolved = \"yes\"\n",
            "[notify.target.x]\nkind = \"webhook\"\nurl = { env = \"NOPE\" }\n[notify.target.y]\nkind = \"command\"\nargv = []\nenvironment = { API_TOKEN = \"hunter22\", X = { env = \"NOPE_EITHER\" } }\n",
            "[notify.target.x]\nkind = \"bell\"\nat_most_every = \"0s\"\n[notify.target.y]\nkind = \"bell\"\n",
        ],
    ),
    (
        "variables",
        &[
            "[vars]\nAPI_TOKEN = \"hunter22\"\n[check.b]\nsource = \"api\"\ncritical = [\"state == \\\"${NOPE}\\\"\"]\ntitle = \"${a b} ${x\"\n",
            "[source.x]\nkind = \"http\"\nurl = \"${NOPE}/${ALSO_NOT}\"\nheaders = { Cookie = { env = \"NOT_EITHER\" } }\nreadings = { a = \"$.[\" }\n",
            "[source.x]\nkind = \"http\"\nurl = \"https://h/\"\ninstead_of = \"api\"\n",
            "[source.x]\nkind = \"http\"\nurl = \"https://h/\"\nheaders = { Cookie = { env = \"A\", file = \"b\" }, X-Token = { file = \"none\" } }\n",
        ],
    ),
    (
        "syntax",
        &[
            "x = \n",
            "[source.y]\nkind: \"http\"\n",
            "[source.y]\nkind = \"http\nurl = \"https://h\"\n",
            "[source.y\n",
            "[source.api]\nkind = \"http\"\n",
        ],
    ),
];

#[test]
fn each_error_is_shown_with_its_place_and_its_cure() {
    for (name, cases) in GROUPS {
        let shown: Vec<String> =
            cases.iter().map(|case| format!("{case}\n{}", Place::within(case).errors())).collect();
        let rule = format!("\n{}\n", "-".repeat(72));
        as_snapshot!(*name, shown.join(&rule));
    }
}

#[test]
fn every_diagnostic_names_a_cure_and_none_is_said_twice() {
    for case in GROUPS.iter().flat_map(|(_, cases)| *cases) {
        let errors = Place::within(case).load().unwrap_err();
        let mut seen = std::collections::BTreeSet::new();
        for one in errors.iter() {
            assert!(one.cure.as_ref().is_some_and(|cure| !cure.is_empty()), "{one:?}");
            assert!(one.place.is_some(), "{one:?}");
        }
        for line in table(&errors) {
            assert!(seen.insert(line.clone()), "said twice: {line}");
        }
    }
}

#[test]
fn faults_in_different_places_are_all_found_at_once() {
    // One of each kind of check: schema, variable, rule, reference, condition, secret.
    let place = Place::within(
        "colour = 1\n\
         [display]\nfps = \"ten\"\n\
         [source.redis]\nkind = \"redis\"\nurl = \"redis://${REDIS_HOST}\"\npassword = \"hunter22\"\n\
         [check.a]\nsource = \"apx\"\ncritical = [\"up = false\"]\n\
         [latency.a]\nsource = \"api\"\ntarget = \"5\"\n",
    );
    let errors = place.load().unwrap_err();
    assert_eq!(errors.errors(), 7, "{}", errors.render(false));
}

#[test]
fn without_any_configuration_the_ways_to_one_are_named() {
    let place = Place::new("");
    std::fs::remove_file(place.path("watchfloor.toml")).unwrap();
    let errors = place.errors();
    as_snapshot!("nothing", errors);
    let mut place = Place::new(SOUND);
    place.request.config = Some("nowhere.toml".into());
    as_snapshot!("no_file", place.errors());
    let mut place = Place::new(SOUND);
    place.request.profile = Some("exodriv".into());
    as_snapshot!("no_profile", place.errors());
    let place = Place::new("");
    as_snapshot!("empty_file", place.errors());
}

#[test]
fn a_doubtful_configuration_is_taken_with_warnings() {
    let place = Place::within(
        "[source.redis]\nkind = \"redis\"\nurl = \"rediss://h\"\ninsecure = true\n\
         [check.a]\nsource = \"redis\"\ncritical = [\"some_new_field > 5\"]\n\
         [source.pg]\nkind = \"postgres\"\nurl = \"postgres://u@h/d?pgbouncer=true&connection_limit=1\"\n\
         [source.b]\nkind = \"http\"\nurl = \"http://h/\"\ninterval = \"1s\"\ntimeout = \"2s\"\nheaders = { Cookie = { env = \"C\" } }\n\
         [source.u]\nkind = \"upstash\"\nurl = \"https://h/\"\ntoken = { env = \"C\" }\ninterval = \"10s\"\n\
         [contact.a]\nlevel = 1\nname = \"n\"\ncontact = \"[Name]\"\n\
         [action.a]\nkind = \"command\"\nguard = \"G1\"\nargv = [\"vercel\", \"rollback\"]\n",
    )
    .env("C", "cookie-value");
    as_snapshot!("warnings", place.warnings());
    assert_eq!(place.sound().profile.warnings.len(), 10);
}

#[test]
fn for_programs_the_same_is_json() {
    let place = Place::within("[display]\nfps = 0\n");
    let mut json = place.load().unwrap_err().to_json();
    json[0]["file"] = place.tidy(json[0]["file"].as_str().unwrap()).into();
    let expected = serde_json::json!([{
        "severity": "error",
        "file": "DIR/watchfloor.toml",
        "line": 11,
        "column": 7,
        "message": "`display.fps` cannot be 0",
        "cure": "from 1 to 60",
    }]);
    assert_eq!(json, expected);
}

#[test]
fn colour_is_only_there_where_it_is_asked_for() {
    let errors = Place::within("x = 1\n").load().unwrap_err();
    assert!(errors.render(true).contains('\u{1b}'));
    assert!(!errors.render(false).contains('\u{1b}'));
}

#[test]
fn a_variable_that_many_things_need_is_one_error_that_names_them() {
    let source =
        |name: &str| format!("[source.{name}]\nkind = \"http\"\nurl = \"${{SHOP_URL}}/{name}\"\n");
    let names: Vec<String> = (0..10).map(|number| format!("s{number}")).collect();
    let text: String = names.iter().map(|name| source(name)).collect();
    let errors = Place::within(&text).errors();
    assert!(errors.contains("1 error"), "{errors}");
    assert!(
        errors.contains(
            "the variable SHOP_URL is not set: source.s0, source.s1, source.s2, source.s3, \
             source.s4, source.s5, source.s6, source.s7, 2 more need it"
        ),
        "{errors}"
    );
    assert!(errors.contains("export SHOP_URL"), "{errors}");
}
