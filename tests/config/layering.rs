//! Profile, file, environment, flags: each over the one before.

use std::path::Path;

use watchfloor::config::{
    Loaded,
    profile::{ColorMode, SourceKind, SslMode},
    show,
};

use super::support::{Place, as_snapshot, table};

/// The files that a configuration was read from.
fn files(loaded: &Loaded) -> Vec<&Path> {
    loaded.files.iter().map(|file| file.path.as_path()).collect()
}

#[test]
fn each_layer_wins_over_the_one_below() {
    let file = Place::within("[display]\nfps = 5\ncolor = \"16\"\n");
    assert_eq!(file.sound().profile.display.fps, 5);
    let env = file.env("WATCHFLOOR__DISPLAY__FPS", "6").env("WATCHFLOOR__DISPLAY__UTC", "true");
    assert_eq!(env.sound().profile.display.fps, 6);
    let set = env.set("display.fps=7");
    let display = set.sound().profile.display;
    assert_eq!((display.fps, display.utc, display.color), (7, true, ColorMode::Ansi16));
}

#[test]
fn a_file_goes_over_the_profile_that_it_names() {
    let place = Place::new(
        "profile = \"exodrive\"\n[service]\nenvironment = \"staging\"\n[source.cars]\ninterval = \"9s\"\ntimeout = \"1s\"\n",
    )
    .env("EXODRIVE_URL", "https://staging.example");
    let loaded = place.sound();
    assert_eq!(loaded.profile.catalog.target(), "exodrive/staging");
    assert_eq!(loaded.profile.sources["cars"].interval.as_secs(), 9);
    assert_eq!(files(&loaded), [place.path("watchfloor.toml")]);
}

#[test]
fn a_value_is_taken_as_the_key_wants_it() {
    // Toml where it fits, a text where a text is wanted, the bare text where it is no TOML.
    let place = Place::within("[contact.a]\nlevel = 1\nname = \"n\"\ncontact = \"c\"\n")
        .set("contact.a.contact=112")
        .set("contact.a.name=night shift")
        .set("contact.a.level=2")
        .set("source.api.accept=[\"2xx\", 503]")
        .set("source.api.url=https://other.example/?a=b#c")
        .set("display.color=16")
        .env("WATCHFLOOR__SOURCE__API__INTERVAL", "7s");
    let profile = place.sound().profile;
    let contact = &profile.catalog.contacts[0];
    assert_eq!(
        (contact.level, contact.name.as_str(), contact.contact.as_str()),
        (2, "night shift", "112")
    );
    let SourceKind::Http(http) = &profile.sources["api"].kind else { panic!() };
    assert_eq!((http.accept.len(), http.url.as_str()), (2, "https://other.example/?a=b#c"));
    assert_eq!(profile.sources["api"].interval.as_secs(), 7);
    assert_eq!(profile.display.color, ColorMode::Ansi16);
}

#[test]
fn an_error_points_into_the_layer_that_it_came_from() {
    let place = Place::within("[display]\nfps = 5\n")
        .env("WATCHFLOOR__DISPLAY__FPS", "900")
        .set("source.api.intervall=1s")
        .set("defaults.down_after=many");
    as_snapshot!("layers", place.errors());
}

#[test]
fn what_cannot_be_set_says_how_it_would_be() {
    as_snapshot!("set_without_value", Place::within("").set("display.utc").errors());
    as_snapshot!("set_bad_key", Place::within("").set("display..utc=true").errors());
    as_snapshot!(
        "environment_bad_type",
        Place::within("").env("WATCHFLOOR__DISPLAY", "1").errors()
    );
}

#[test]
fn a_value_with_a_line_end_cannot_bring_in_other_keys() {
    let place = Place::within("").set("source.api.title=a\"\n[action.x]\nkind=\"command\"");
    let profile = place.sound().profile;
    assert!(profile.catalog.actions.is_empty());
    assert!(profile.catalog.sources["api"].title.contains("[action.x]"));
}

#[test]
fn braces_are_replaced_as_a_whole_and_tables_are_merged() {
    let place = Place::new(
        "profile = \"exodrive\"\n[source.redis]\nurl = { file = \"redis-url\" }\n[source.cars.readings]\nmore = \"$.more\"\n",
    )
    .env("EXODRIVE_URL", "https://api.example")
    .file("redis-url", "redis://:password-in-file@h:1/3\n");
    let profile = place.sound().profile;
    let SourceKind::Redis(redis) = &profile.sources["redis"].kind else { panic!() };
    assert_eq!(
        (redis.database, redis.password.as_ref().unwrap().expose()),
        (3, "password-in-file")
    );
    let SourceKind::Http(cars) = &profile.sources["cars"].kind else { panic!() };
    let names: Vec<&str> = cars.readings.iter().map(|reading| reading.name.as_ref()).collect();
    assert!(names.contains(&"more") && names.contains(&"cache"), "{names:?}");
}

#[test]
fn a_source_of_another_kind_starts_anew() {
    let place = Place::new(
        "profile = \"exodrive\"\n[source.redis]\nkind = \"upstash\"\nurl = \"https://x.upstash.io\"\ntoken = { env = \"T\" }\n[limits]\npressure = []\n",
    )
    .env("EXODRIVE_URL", "https://api.example")
    .env("T", "token-of-upstash")
    // The alternative can only replace one that may be left out.
    .set("source.redis.optional=true");
    assert!(matches!(place.sound().profile.sources["redis"].kind, SourceKind::Upstash(_)));
}

#[test]
fn variables_come_from_the_program_then_the_file_then_the_environment() {
    let text = "[vars]\nhost = \"from-file\"\nport = 81\n[source.x]\nkind = \"http\"\nurl = \"https://${host}:${port}/${path:-d}/$${host}/${empty:-e}\"\n";
    let url = |place: &Place| {
        let profile = place.sound().profile;
        let SourceKind::Http(http) = &profile.sources["x"].kind else { panic!() };
        http.url.to_string()
    };
    let mut place = Place::within(text).env("host", "from-environment").env("empty", "");
    assert_eq!(url(&place), "https://from-file:81/d/$%7Bhost%7D/e");
    place = place.env("path", "p");
    place.request.extra_vars.insert("host".into(), "from-program".into());
    assert_eq!(url(&place), "https://from-program:81/p/$%7Bhost%7D/e");
}

#[test]
fn files_are_looked_for_where_they_usually_are() {
    let mut place = Place::new("");
    std::fs::remove_file(place.path("watchfloor.toml")).unwrap();
    let sound = super::support::SOUND;
    for dir in ["home/.config/watchfloor", "xdg/watchfloor"] {
        std::fs::create_dir_all(place.path(dir)).unwrap();
    }
    std::fs::write(place.path("home/.config/watchfloor/config.toml"), sound).unwrap();
    assert_eq!(files(&place.sound()), [place.path("home/.config/watchfloor/config.toml")]);
    assert_eq!(place.sound().profile.state_dir, place.path("home/.local/state/watchfloor"));
    std::fs::write(place.path("xdg/watchfloor/config.toml"), sound).unwrap();
    let xdg = place.path("xdg").display().to_string();
    place = place.env("XDG_CONFIG_HOME", &xdg).env("XDG_STATE_HOME", &xdg);
    assert_eq!(files(&place.sound()), [place.path("xdg/watchfloor/config.toml")]);
    assert_eq!(place.sound().profile.state_dir, place.path("xdg/watchfloor"));
    std::fs::write(place.path("named.toml"), format!("{sound}[state]\ndir = \"mine\"\n")).unwrap();
    place = place.env("WATCHFLOOR_CONFIG", "named.toml");
    assert_eq!(files(&place.sound()), [place.path("named.toml")]);
    assert_eq!(place.sound().profile.state_dir, place.path("mine"));
}

#[test]
fn postgres_is_verified_unless_it_is_this_machine() {
    let mode = |url: &str, more: &str| {
        let place =
            Place::within(&format!("[source.x]\nkind = \"postgres\"\nurl = \"{url}\"\n{more}"));
        let profile = place.sound().profile;
        let SourceKind::Postgres(pg) = &profile.sources["x"].kind else { panic!() };
        (pg.sslmode, pg.host.clone(), pg.database.clone())
    };
    let expect = |mode, host: &str, database: &str| (mode, host.to_owned(), database.to_owned());
    assert_eq!(
        mode("postgres://u@db.example/d", ""),
        expect(SslMode::VerifyFull, "db.example", "d")
    );
    assert_eq!(mode("postgres://u@127.0.0.1", ""), expect(SslMode::Prefer, "127.0.0.1", "u"));
    assert_eq!(mode("postgres://u@[::1]/d", ""), expect(SslMode::Prefer, "::1", "d"));
    assert_eq!(
        mode("postgres://u@/d?host=/run/postgresql", ""),
        expect(SslMode::Prefer, "/run/postgresql", "d")
    );
    assert_eq!(mode("postgres://u@h/d?sslmode=require", ""), expect(SslMode::Require, "h", "d"));
    assert_eq!(
        mode("postgres://u@h/d?sslmode=require", "sslmode = \"disable\"\n"),
        expect(SslMode::Disable, "h", "d")
    );
}

#[test]
fn what_is_shown_says_where_each_value_comes_from() {
    let place = Place::within(
        "[vars]\nregion = \"eu\"\n[latency.a]\nsource = \"api\"\ntitle = \"In ${region}\"\n",
    )
    .env("WATCHFLOOR__DISPLAY__UTC", "true")
    .set("defaults.interval=6s");
    let text = place.tidy(&show(&place.request, false).unwrap());
    as_snapshot!("show", text);
    // What is shown is itself a configuration, with the same meaning.
    let again = Place::new(&text).sound().profile;
    let first = place.sound().profile;
    assert_eq!(again.catalog, first.catalog);
    assert_eq!(again.display, first.display);
    let json: serde_json::Value =
        serde_json::from_str(&show(&place.request, true).unwrap()).unwrap();
    let utc =
        json["values"].as_array().unwrap().iter().find(|v| v["key"] == "display.utc").unwrap();
    assert_eq!(utc["value"], true);
    assert_eq!(utc["origin"], "environment WATCHFLOOR__DISPLAY__UTC");
    let wrong = Place::within("x = 1\n");
    assert_eq!(table(&show(&wrong.request, false).unwrap_err()).len(), 1);
}

#[test]
fn an_expected_disagreement_needs_somebody_to_disagree_with() {
    let alone = Place::within("[check.x]\nsource = \"api\"\nexpect_disagreement = true\n").errors();
    assert!(alone.contains("there is no primary to disagree with"), "{alone}");
    let both = "[check.x]\nsource = \"api\"\nprimary = \"y\"\nexpect_disagreement = true\n\
                [check.y]\nsource = \"api\"\n";
    let catalog = Place::within(both).sound().profile.catalog;
    let expects = |name: &str| {
        catalog.checks.iter().find(|check| check.id.as_str() == name).unwrap().expect_disagreement
    };
    assert!(expects("x") && !expects("y"));
}
