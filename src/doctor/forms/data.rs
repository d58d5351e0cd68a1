//! Redis and Postgres from the command line.

use super::{Grade, Rule, rule};

use Grade::{Critical, Warning};

pub(super) const RULES: &[Rule] = &[
    rule(
        "redis-cli-rest",
        Critical,
        |call| {
            call.program == "redis-cli"
                && call.rest.iter().any(|word| {
                    let word = word.to_ascii_lowercase();
                    ["http://", "https://", "rest_url"].iter().any(|text| word.contains(text))
                })
        },
        "redis-cli does not speak HTTP: the address of the REST interface is refused, which looks like an outage",
        "use the rediss:// address, and REDISCLI_AUTH in `environment`",
    ),
    rule(
        "redis-flush",
        Critical,
        |call| {
            call.program == "redis-cli"
                && call.rest.iter().any(|word| {
                    let word = word.to_ascii_lowercase();
                    word == "flushall" || word == "flushdb"
                })
        },
        "a flush also deletes locks, sessions and rate limits that live in the same server",
        "write an action of kind \"redis\" with the prefixes to delete",
    ),
    rule(
        "redis-keys",
        Warning,
        |call| {
            call.program == "redis-cli"
                && call.rest.iter().any(|word| word.eq_ignore_ascii_case("keys"))
        },
        "KEYS stops the server while it looks at every key",
        "write \"--scan\", \"--pattern\", PATTERN",
    ),
    rule(
        "redis-cli-password",
        Critical,
        |call| {
            call.program == "redis-cli"
                && call.rest.iter().any(|word| word == "-a" || word == "--pass")
        },
        "a password among the arguments can be read by everybody on this machine",
        "write environment = { REDISCLI_AUTH = { env = \"…\" } }",
    ),
    rule(
        "psql-errors",
        Critical,
        |call| {
            call.program == "psql"
                && !call.mentions("ON_ERROR_STOP")
                && !call.has("--version")
                && !call.has("-l")
                && !call.has("--help")
        },
        "psql goes on after an error, leaves things half applied, and ends with 0",
        "add \"-X\", \"-v\", \"ON_ERROR_STOP=1\", \"-1\"",
    ),
    rule(
        "psql-transaction",
        Warning,
        |call| {
            let writes = call.line.fed || call.short('f') || call.has("--file");
            call.program == "psql"
                && writes
                && !call.short('1')
                && !call.has("--single-transaction")
        },
        "statements of a file are applied one by one: the first error leaves those before it in place",
        "add \"-1\", unless the file has CONCURRENTLY",
    ),
    rule(
        "psql-asks",
        Warning,
        |call| {
            ["psql", "pg_dump"].contains(&call.program)
                && (call.short('W') || call.has("--password"))
        },
        "-W asks for the password, and nobody can answer",
        "write \"--no-password\", and PGPASSWORD in `environment`",
    ),
    rule(
        "pg-dump-redirected",
        Critical,
        |call| {
            ["pg_dump", "pg_dumpall", "mysqldump"].contains(&call.program) && call.line.redirected
        },
        "the file is there before the dump begins: one that failed leaves a part of it behind, which looks like a backup",
        "write \"-Fc\", \"-f\", \"FILE.part\", look into it with pg_restore --list, and rename it then",
    ),
    rule(
        "pg-restore-errors",
        Warning,
        |call| {
            call.program == "pg_restore"
                && !call.has("--exit-on-error")
                && !call.short('e')
                && !call.has("--list")
                && !call.short('l')
        },
        "pg_restore goes on after an error",
        "add \"--exit-on-error\", \"--single-transaction\"",
    ),
    rule(
        "url-password",
        Critical,
        |call| {
            call.rest.iter().any(|word| {
                url::Url::parse(word)
                    .is_ok_and(|url| url.password().is_some_and(|of| !of.is_empty()))
            })
        },
        "an address with a password among the arguments can be read by everybody on this machine",
        "hand it over in `environment`: PGPASSWORD, REDISCLI_AUTH, or a variable of the program's own",
    ),
];
