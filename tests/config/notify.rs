//! Where alerts are told.

use std::time::Duration;

use watchfloor::{
    config::{
        profile::{NotifyConfig, NotifyKind, WebhookFormat},
        secret::redact,
        show,
    },
    domain::{notification::Severity, outbox::Policy},
};

use super::support::Place;

#[track_caller]
fn config(place: &Place) -> NotifyConfig {
    place.sound().profile.notify
}

#[test]
fn where_nothing_is_said_nothing_is_told() {
    let notify = config(&Place::within(""));
    assert_eq!(notify, NotifyConfig::default());
    assert_eq!(notify.policy.group_wait, Duration::from_secs(30));
    assert_eq!(notify.policy.repeat, Duration::from_secs(4 * 3600));
    assert!(notify.bell().is_none(), "the bell is off unless it is asked for");
}

#[test]
fn targets_keep_their_order_and_their_defaults() {
    let place = Place::within(
        "[notify]\ngroup_wait = \"0s\"\nrepeat = \"1h\"\n\
         [notify.target.zulu]\nkind = \"webhook\"\nurl = \"https://h/x\"\n\
         [notify.target.alpha]\nkind = \"command\"\nargv = [\"true\"]\nresolved = false\n\
         severities = [\"critical\", \"warning\", \"critical\"]\n\
         [notify.target.bell]\nkind = \"bell\"\n",
    );
    let notify = config(&place);
    let policy = Policy { group_wait: Duration::ZERO, repeat: Duration::from_secs(3600) };
    assert_eq!(notify.policy, policy);
    let infos: Vec<_> =
        notify.infos.iter().map(|info| (&*info.name, &*info.kind, &*info.to)).collect();
    assert_eq!(
        infos,
        [
            ("zulu", "webhook", "https://h/x"),
            ("alpha", "command", "true"),
            ("bell", "bell", "this terminal"),
        ]
    );
    let [zulu, alpha, bell] = notify.targets.as_slice() else { panic!("three targets") };
    assert_eq!(zulu.severities, [Severity::Critical]);
    assert!(zulu.resolved && !alpha.resolved);
    assert_eq!(alpha.severities, [Severity::Warning, Severity::Critical]);
    assert_eq!((zulu.timeout.as_secs(), zulu.retry_for.as_secs()), (10, 3600));
    assert_eq!(alpha.timeout.as_secs(), 30);
    assert_eq!(notify.bell().map(|(target, _)| &target.name), Some(&bell.name));
}

#[test]
fn an_address_from_elsewhere_is_a_secret_with_all_its_parts() {
    let place = Place::within(
        "[notify.target.chat]\nkind = \"webhook\"\nformat = \"slack\"\nurl = { env = \"CHAT\" }\n\
         [notify.target.pager]\nkind = \"webhook\"\nformat = \"pagerduty\"\n\
         routing_key = { env = \"PAGER\" }\n",
    )
    .env("CHAT", "https://hooks.example/services/T00000000/canary-of-the-chat")
    .env("PAGER", "canary-of-the-pager");
    let loaded = place.sound();
    let notify = &loaded.profile.notify;
    let NotifyKind::Webhook(chat) = &notify.targets[0].kind else { panic!("a webhook") };
    assert_eq!(chat.address.url.host_str(), Some("hooks.example"));
    assert_eq!(notify.infos[0].to, "⟨CHAT⟩");
    let NotifyKind::Webhook(pager) = &notify.targets[1].kind else { panic!("a webhook") };
    let WebhookFormat::PagerDuty { routing_key } = &pager.format else { panic!("PagerDuty") };
    assert_eq!(routing_key.expose(), "canary-of-the-pager");
    assert_eq!(pager.address.url.as_str(), "https://events.pagerduty.com/v2/enqueue");
    let shown = show(&place.request, false).unwrap();
    for text in [format!("{:?}", loaded.profile), shown] {
        assert!(!text.contains("canary-of-the"), "{text}");
    }
    let repeated = redact("no hook at /services/T00000000/canary-of-the-chat");
    assert!(!repeated.contains("canary"), "{repeated}");
}

#[test]
fn a_target_without_its_variables_may_be_left_out() {
    let target = "[notify.target.chat]\nkind = \"webhook\"\nformat = \"slack\"\n\
                  url = { env = \"CHAT\" }\n";
    let place = Place::within(&format!("{target}optional = true\n"));
    let notify = config(&place);
    assert!(notify.targets.is_empty());
    assert_eq!(notify.infos[0].disabled.as_deref(), Some("not configured: set CHAT"));
    let place = place.env("CHAT", "https://hooks.example/services/of-the-chat");
    assert_eq!(config(&place).targets.len(), 1);

    let place = Place::within(&format!("{target}enabled = false\n"));
    let notify = config(&place);
    assert!(notify.targets.is_empty());
    assert_eq!(notify.infos[0].disabled.as_deref(), Some("switched off: enabled = false"));

    let errors = Place::within(target).errors();
    assert!(errors.contains("the variable CHAT is not set"), "{errors}");
    assert!(errors.contains("optional = true"), "{errors}");
}

#[test]
fn a_later_layer_changes_one_key_of_a_target() {
    let place = Place::within("[notify.target.hook]\nkind = \"webhook\"\nurl = \"https://h/\"\n")
        .set("notify.target.hook.timeout=3s")
        .env("WATCHFLOOR__NOTIFY__REPEAT", "2h");
    let notify = config(&place);
    assert_eq!(notify.targets[0].timeout, Duration::from_secs(3));
    assert_eq!(notify.policy.repeat, Duration::from_secs(7200));
}

#[test]
fn a_secret_over_a_connection_that_can_be_read_is_warned_of() {
    let header = "url = \"http://far.example/\"\nheaders = { Authorization = { env = \"HOOK\" } }";
    let key =
        "format = \"pagerduty\"\nurl = \"http://far.example/\"\nrouting_key = { env = \"HOOK\" }";
    for (text, warned) in [
        (header, true),
        (key, true),
        ("url = { env = \"URL\" }", true),
        ("url = \"http://far.example/\"", false),
    ] {
        let text = format!("[notify.target.hook]\nkind = \"webhook\"\n{text}\n");
        let place = Place::within(&text)
            .env("HOOK", "of-the-hook")
            .env("URL", "http://far.example/services");
        let warnings = place.warnings();
        let said = warnings.contains("a secret goes over this connection in clear text");
        assert_eq!(said, warned, "{text}{warnings}");
    }
}

#[test]
fn a_program_that_is_not_there_is_said_when_it_is_read() {
    let place = |argv: &str| {
        Place::within(&format!("[notify.target.page]\nkind = \"command\"\nargv = [{argv:?}]\n"))
            .env("PATH", "/usr/bin:/bin")
    };
    let warned = |argv: &str| {
        let warnings = place(argv).warnings();
        warnings.contains("nobody would be told")
    };
    assert!(warned("no-such-program-anywhere"));
    assert!(warned("/usr/local/bin/no-such-program-anywhere"));
    assert!(!warned("sh"));
    assert!(!warned("/bin/sh"));
}

#[test]
fn a_wrong_severity_is_said_once() {
    let place = Place::within(
        "[notify.target.page]\nkind = \"command\"\nargv = [\"sh\"]\nseverities = [\"fatal\"]\n",
    );
    let wrong = place.errors();
    assert!(wrong.contains("fatal") && !wrong.contains("is empty"), "{wrong}");
}

#[test]
fn a_program_that_is_not_configured_is_not_looked_for() {
    let text = "[notify.target.mail]\nkind = \"command\"\nargv = [\"${NO_MAILER}\", \"-s\"]\noptional = true\n";
    let place = super::support::Place::within(text);
    assert!(!place.warnings().contains("NO_MAILER"), "{}", place.warnings());
    let targets = place.sound().profile.notify.infos;
    assert_eq!(targets[0].disabled.as_deref(), Some("not configured: set NO_MAILER"));
}
