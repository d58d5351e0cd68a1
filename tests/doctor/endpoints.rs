//! Endpoints of actions, by servers that answer what a test wants: nothing is ever sent that
//! could act.

use crate::{
    Place,
    common::{
        certs::Authority,
        raw::{RawServer, answer},
        servers::NginxServer,
    },
};

fn action(url: &str, more: &str) -> String {
    format!(
        "[action.clear]\nkind = \"http\"\nguard = \"G2\"\nurl = \"{url}\"\nbody = {{ all = true }}\n\
         headers = {{ Authorization = {{ env = \"CANARY_TOKEN\", prefix = \"Bearer \" }} }}\n{more}\n"
    )
}

fn methods(server: &RawServer) -> Vec<String> {
    let heads = server.requests().into_iter();
    heads.map(|head| head.split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn an_endpoint_is_asked_what_it_takes_and_never_told_to_act() {
    let table: [(&str, &[&str], &str, &str); 7] = [
        ("401 Unauthorized", &[], "ok", "is there and wants credentials (401"),
        ("403 Forbidden", &[], "ok", "is there and wants credentials (403"),
        ("404 Not Found", &[], "critical", "endpoint is not there: 404"),
        ("405 Method Not Allowed", &[], "ok", "answers OPTIONS with 405"),
        ("405 Method Not Allowed", &["Allow: GET, HEAD"], "critical", "it allows GET, HEAD"),
        ("204 No Content", &["Allow: OPTIONS, POST"], "ok", "takes POST"),
        ("302 Found", &["Location: https://login.test/"], "warning", "another host, login.test"),
    ];
    for (status, headers, verdict, words) in table {
        let server = RawServer::http(answer(status, headers, ""));
        let place = Place::new(&action(&server.url("/clear"), ""));
        let (report, _) = place.examine_only(&["action/clear"]);
        report.says("action", "clear", verdict, &[words]);
        // Besides, the preview opens a connection and says nothing.
        let mut sent = methods(&server);
        sent.retain(|method| !method.is_empty());
        assert_eq!(sent, ["OPTIONS"], "{status}: {:?}", server.requests());
        let heads = server.requests();
        let head = heads.iter().find(|head| !head.is_empty()).unwrap();
        // A handler that does not look at the method is stopped by its login.
        assert!(!head.to_lowercase().contains("authorization"), "{head}");
        assert!(!head.contains("hunter2"), "{head}");
        assert!(!head.to_lowercase().contains("content-type"), "{head}");
    }
}

#[test]
fn a_get_is_sent_only_where_it_is_said_to_read() {
    let server = RawServer::start(|exchange| {
        let head = exchange.request();
        let status = if head.starts_with("GET") { "401 Unauthorized" } else { "204 No Content" };
        exchange.send(answer(status, &[], "").as_bytes());
    });
    let place = Place::new(&action(&server.url("/clear"), ""));
    let (report, _) = place.examine_only(&["action/clear"]);
    report.says("action", "clear", "ok", &["answers OPTIONS with 204"]);
    assert!(!methods(&server).contains(&"GET".to_owned()));
    let place = Place::new(&action(&server.url("/clear"), "safe_get = true"));
    let (report, _) = place.examine_only(&["action/clear"]);
    report.says("action", "clear", "critical", &["credentials are refused: 401"]);
    assert!(!methods(&server).contains(&"POST".to_owned()));
    let heads = server.requests();
    let get = heads.iter().find(|head| head.starts_with("GET")).unwrap();
    assert!(get.contains("authorization: Bearer hunter2-hunter2"), "{get}");
}

#[test]
fn a_handler_that_acts_on_any_method_is_not_let_in() {
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = std::sync::Arc::clone(&count);
    let server = RawServer::start(move |exchange| {
        let head = exchange.request();
        let let_in = head.contains("hunter2-hunter2");
        if let_in {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
        let status = if let_in { "200 OK" } else { "401 Unauthorized" };
        exchange.send(answer(status, &[], "").as_bytes());
    });
    let place = Place::new(&action(&server.url("/clear"), ""));
    let (report, _) = place.examine_only(&["action/clear"]);
    report.says("action", "clear", "ok", &["is there and wants credentials"]);
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 0, "it was carried out");
}

#[test]
fn a_source_at_the_address_of_an_action_is_left_alone() {
    let server = RawServer::http(answer("200 OK", &[], "{}"));
    let source = format!("[source.state]\nkind = \"http\"\nurl = \"{}\"\n", server.url("/clear"));
    let of_get = |place: &Place| {
        let (report, _) = place.examine_only(&["source"]);
        (report, methods(&server).iter().filter(|method| *method == "GET").count())
    };
    let place = Place::new(&format!("{source}{}", action(&server.url("/clear"), "")));
    let (report, gets) = of_get(&place);
    report.says(
        "source",
        "state",
        "warning",
        &["action clear sends to the same address", "safe_get = true"],
    );
    assert_eq!(gets, 0);
    let place =
        Place::new(&format!("{source}{}", action(&server.url("/clear"), "safe_get = true")));
    let (report, gets) = of_get(&place);
    report.says("source", "state", "ok", &["answers in"]);
    assert_eq!(gets, 1);
}

#[test]
fn the_answers_to_a_source_are_told_apart() {
    for (status, words) in [
        ("401 Unauthorized", "401"),
        ("403 Forbidden", "403"),
        ("404 Not Found", "404"),
        ("405 Method Not Allowed", "405"),
    ] {
        let server = RawServer::http(answer(status, &[], ""));
        let place = Place::new(&format!(
            "[source.api]\nkind = \"http\"\nurl = \"{}\"\n[check.api]\nsource = \"api\"\nwarning = [\"status > 300\"]\n",
            server.url("/")
        ));
        let (report, code) = place.examine();
        assert_eq!(code, 2, "{status}");
        report.says("source", "api", "critical", &[words, "-> "]);
        let lines = report.of("source", "api");
        assert!(!lines[0].ends_with("-> "), "it comes with a cure: {lines:?}");
        report.says("check", "api", "critical", &["cannot be read", "see source/api"]);
    }
}

#[test]
fn the_clock_of_a_server_that_is_wrong_is_found() {
    let server = RawServer::http(answer("200 OK", &["Date: Thu, 27 Nov 2025 10:00:00 GMT"], "{}"));
    let place =
        Place::new(&format!("[source.api]\nkind = \"http\"\nurl = \"{}\"\n", server.url("/")));
    let (report, _) = place.examine_only(&["source"]);
    report.says("source", "api", "critical", &["its clock is", "behind this machine's"]);
}

#[test]
fn the_days_of_a_certificate_are_counted_once_for_each_server() {
    let authority = Authority::new();
    for (days, verdict, words) in
        [(60, "ok", "in 60 days"), (14, "warning", "in 14 days"), (3, "critical", "in 3 days")]
    {
        let leaf = authority.lasting(&["localhost", "127.0.0.1"], days);
        let server = NginxServer::start(&format!(
            "server {{ listen 127.0.0.1:{{port}} ssl; ssl_certificate {}; ssl_certificate_key {}; location / {{ return 204; }} }}",
            leaf.certificate.display(),
            leaf.key.display()
        ));
        let url = format!("https://127.0.0.1:{}/", server.port);
        let root = authority.root.display();
        let sections = format!(
            "[source.a]\nkind = \"http\"\nurl = \"{url}\"\nca_file = \"{root}\"\n\
             [source.b]\nkind = \"http\"\nurl = \"{url}b\"\nca_file = \"{root}\"\n"
        );
        let (report, _) = Place::new(&sections).examine_only(&["source"]);
        report.says("source", "a", verdict, &["the certificate of 127.0.0.1:", words]);
        assert!(!report.of("source", "b").iter().any(|line| line.contains("certificate")));
    }
}

#[test]
fn the_certificate_of_a_server_that_is_otherwise_left_alone_is_looked_at() {
    let authority = Authority::new();
    let leaf = authority.lasting(&["localhost", "127.0.0.1"], 3);
    let server = NginxServer::start(&format!(
        "server {{ listen 127.0.0.1:{{port}} ssl; ssl_certificate {}; ssl_certificate_key {}; location / {{ return 204; }} }}",
        leaf.certificate.display(),
        leaf.key.display()
    ));
    let url = format!("https://127.0.0.1:{}/clear", server.port);
    let trusted = format!("ca_file = \"{}\"\n", authority.root.display());
    let source = format!("[source.state]\nkind = \"http\"\nurl = \"{url}\"\n{trusted}");
    let place = Place::new(&format!("{source}{}", action(&url, &trusted)));
    let (report, _) = place.examine();
    report.says("source", "state", "warning", &["action clear sends to the same address"]);
    report.says("source", "state", "critical", &["the certificate of 127.0.0.1:", "in 3 days"]);
    // A step's server has a certificate as well.
    let steps = format!(
        "[source.files]\nkind = \"command\"\nargv = [\"true\"]\n\
         [action.roll]\nkind = \"sequence\"\nguard = \"G1\"\nproof = [\"files.exit_code == 0\"]\n\
         [[action.roll.step]]\nkind = \"http\"\nname = \"one\"\nurl = \"{url}\"\n{trusted}\
         [[action.roll.step]]\nkind = \"command\"\nname = \"two\"\nargv = [\"true\"]\n"
    );
    let (report, _) = Place::new(&steps).examine_only(&["action"]);
    report.says("action", "roll", "critical", &["the certificate of 127.0.0.1:", "in 3 days"]);
}
