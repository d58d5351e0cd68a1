//! Platforms that build and deploy: Vercel, Render, Supabase, and the runners of scripts.

use super::{Grade, Rule, rule};

use Grade::{Critical, Warning};

/// What is run in order to go back to what was there before.
const BACK: [&str; 4] = ["rollback", "roll back", "revert", "previous"];

/// The names of environments where the name of one belongs.
const ENVIRONMENTS: [&str; 3] = ["production", "preview", "development"];

pub(super) const RULES: &[Rule] = &[
    rule(
        "vercel-env-value",
        Critical,
        |call| {
            let plain = call.plain();
            call.is("vercel", &["env", "add"])
                && plain.len() >= 5
                && !ENVIRONMENTS.contains(&plain[3])
        },
        "vercel env add takes NAME ENVIRONMENT: the value stands where the environment belongs, and nothing is written",
        "write [\"vercel\", \"env\", \"add\", NAME, \"production\", \"--force\", \"--yes\"] and give the value as stdin",
    ),
    rule(
        "vercel-env-unfed",
        Critical,
        |call| {
            let adds = call.is("vercel", &["env", "add"]) || call.is("vercel", &["env", "update"]);
            let plain = call.plain();
            let misplaced = plain.len() >= 5 && !ENVIRONMENTS.contains(&plain[3]);
            adds && !misplaced && !call.line.fed && !call.has("--value")
        },
        "vercel env add asks for the value, and with nothing to read it ends with 0 and writes nothing",
        "give the value as stdin",
    ),
    rule(
        "vercel-env-asks",
        Warning,
        |call| {
            let asks = [["env", "add"], ["env", "rm"], ["env", "update"]];
            asks.iter().any(|words| call.is("vercel", words))
                && !call.has("--yes")
                && !call.short('y')
        },
        "vercel env asks before it changes anything, and nobody can answer",
        "add \"--yes\"; where the name is there already, also \"--force\"",
    ),
    rule(
        "vercel-env-redeploy",
        Warning,
        |call| {
            let changes = [["env", "add"], ["env", "rm"], ["env", "update"]];
            changes.iter().any(|words| call.is("vercel", words))
        },
        "a changed variable of Vercel takes effect only with the next deployment",
        "redeploy afterwards, and let the proof read what the service itself says",
    ),
    rule(
        "vercel-secret-removed",
        Warning,
        |call| {
            call.is("vercel", &["env", "rm"])
                && ["SECRET", "TOKEN", "KEY"].iter().any(|word| call.mentions(word))
        },
        "an endpoint that checks a secret only where one is set is open to everybody without it",
        "set another value instead of removing it",
    ),
    rule(
        "vercel-rollback",
        Critical,
        |call| call.is("vercel", &["rollback"]) && matches!(call.plain()[1..], [] | ["status"]),
        "vercel rollback without a deployment only prints the status of an earlier one, and ends with 0",
        "name the deployment to go back to: its id or its address",
    ),
    rule(
        "vercel-redeploy",
        Critical,
        |call| call.is("vercel", &["redeploy"]) && call.plain().len() == 1,
        "vercel redeploy without a deployment ends with an error and does nothing",
        "name the deployment: its id or its address",
    ),
    rule(
        "vercel-promote",
        Critical,
        |call| call.is("vercel", &["promote"]) && call.plain().len() == 1,
        "vercel promote without a deployment does nothing",
        "name the deployment: its id or its address",
    ),
    rule(
        "vercel-deploy-back",
        Critical,
        |call| {
            let deploys = call.is("vercel", &["deploy"])
                || (call.program == "vercel" && call.plain().is_empty() && call.has("--prod"));
            deploys && call.is_for(&BACK)
        },
        "vercel deploy uploads the files of this directory: that is no way back to what was deployed before",
        "write [\"vercel\", \"rollback\", DEPLOYMENT], or promote the earlier deployment",
    ),
    rule(
        "vercel-table",
        Critical,
        |call| {
            let prints = [&["ls"][..], &["list"], &["cron", "ls"], &["crons", "ls"]];
            prints.iter().any(|words| call.is("vercel", words))
                && !call.has("--json")
                && (call.line.piped || call.line.redirected)
        },
        "in a pipe vercel prints its table on standard error: what reads the pipe gets nothing of it",
        "add \"--json\"",
    ),
    rule(
        "vercel-token",
        Warning,
        |call| call.program == "vercel" && (call.has("--token") || call.has("-t")),
        "a token among the arguments can be read by everybody on this machine",
        "write environment = { VERCEL_TOKEN = { env = \"VERCEL_TOKEN\" } }; vercel takes it since 50.42",
    ),
    rule(
        "bunx-path",
        Critical,
        |call| {
            ["bunx", "npx"].contains(&call.program)
                && call
                    .plain()
                    .first()
                    .is_some_and(|word| word.contains('/') && !word.starts_with(['@', '.', '/']))
        },
        "a path with a slash is taken for a GitHub repository, which is downloaded and run",
        "write [\"bun\", \"run\", \"scripts/…\"]",
    ),
    rule(
        "render-restart",
        Warning,
        |call| call.is("render", &["restart"]) || call.is("render", &["services", "restart"]),
        "a restart keeps the configuration of the latest deploy: a changed variable is not taken over",
        "deploy instead, with deploy mode \"deploy_only\"",
    ),
    rule(
        "render-asks",
        Warning,
        |call| {
            call.program == "render"
                && !call.has("--confirm")
                && (call.mentions("restart") || call.mentions("create"))
        },
        "render asks before it changes anything, and nobody can answer",
        "add \"--confirm\"",
    ),
    rule(
        "supabase-push",
        Warning,
        |call| call.is("supabase", &["db", "push"]) && !call.has("--dry-run"),
        "supabase db push applies every migration that is pending, not only the one that is meant",
        "look at the list of \"--dry-run\" first",
    ),
    rule(
        "git-editor",
        Critical,
        |call| {
            let edits =
                call.is("git", &["revert"]) && !call.has("--no-edit") && !call.has("--abort");
            let asks = call.is("git", &["commit"])
                && !(call.short('m') || call.short('F') || call.short('C'))
                && !["--message", "--file", "--no-edit"].iter().any(|option| call.has(option));
            edits || asks
        },
        "git opens an editor for the message, and nobody can type into it",
        "add \"--no-edit\", or \"-m\" with the message",
    ),
    rule(
        "git-revert-head",
        Warning,
        |call| call.is("git", &["revert", "HEAD"]),
        "HEAD is whatever was committed last, which need not be what was deployed",
        "name the commit; and nothing is live before it is pushed and deployed",
    ),
];
