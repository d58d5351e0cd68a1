//! Every rule with a command that it finds, and with the right form, that it leaves alone.

use super::*;

fn found(line: &str, change: impl FnOnce(&mut Line<'_>)) -> Vec<&'static str> {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let mut of = Line { words: &words, ..Line::default() };
    change(&mut of);
    look(&of).into_iter().map(|wrong| wrong.rule).collect()
}

/// The command, what it is run for, and the rules that it breaks.
type Case = (&'static str, &'static str, &'static [&'static str]);

const ALONE: [Case; 66] = [
    (
        "vercel env add DISABLE_REDIS true production --yes",
        "",
        &["vercel-env-value", "vercel-env-redeploy"],
    ),
    (
        "vercel env add NAME production",
        "",
        &["vercel-env-unfed", "vercel-env-asks", "vercel-env-redeploy"],
    ),
    (
        "vercel env rm CRON_SECRET production --yes",
        "",
        &["vercel-env-redeploy", "vercel-secret-removed"],
    ),
    ("vercel rollback", "", &["vercel-rollback"]),
    ("vercel rollback --scope team --yes", "", &["vercel-rollback"]),
    ("npx vercel rollback", "", &["vercel-rollback"]),
    ("vercel rollback dpl_123 --timeout 3m", "", &[]),
    ("vercel redeploy", "", &["vercel-redeploy"]),
    ("vercel redeploy dpl_123 --target production", "", &[]),
    ("vercel promote --yes", "", &["vercel-promote"]),
    ("vercel deploy --prod", "Roll back the deployment", &["vercel-deploy-back"]),
    ("vercel --prod", "rollback", &["vercel-deploy-back"]),
    ("vercel deploy --prod", "Deploy", &[]),
    ("vercel ls --prod", "", &[]),
    ("vercel ls --token abc", "", &["vercel-token"]),
    ("bunx scripts/warm-cache.ts --popular-only", "", &["bunx-path"]),
    ("bunx @scope/tool", "", &[]),
    ("bun run scripts/warm-cache.ts", "", &[]),
    ("bunx supabase db push", "", &["supabase-push"]),
    ("render restart srv-1 --confirm", "", &["render-restart"]),
    ("render deploys create srv-1", "", &["render-asks"]),
    ("git revert abc123", "", &["git-editor"]),
    ("git revert HEAD --no-edit", "", &["git-revert-head"]),
    ("git commit -a", "", &["git-editor"]),
    ("git commit -am done", "", &[]),
    ("docker-compose restart web", "Disable the feature flag", &["compose-restart-change"]),
    ("docker compose -f a.yml restart web", "Restart the web server", &["compose-restart"]),
    ("docker compose up -d --force-recreate web", "Switch the flag off", &[]),
    ("docker compose up -d web", "Rollback the image", &["compose-up-back"]),
    ("docker exec -it db psql -v ON_ERROR_STOP=1 -c x", "", &["docker-exec-terminal"]),
    ("docker exec db psql --version", "", &[]),
    ("docker exec -e PASSWORD=hunter2 db true", "", &["docker-exec-secret"]),
    ("docker compose exec db true", "", &["compose-exec-terminal"]),
    ("docker compose exec -T db true", "", &[]),
    ("docker stats", "", &["docker-stats"]),
    ("docker stats --no-stream --format json", "", &[]),
    ("docker logs --follow web", "", &["logs-follow"]),
    ("docker logs -f web", "", &["logs-follow"]),
    ("docker logs --tail 10 web", "", &[]),
    ("docker compose down -v", "", &["compose-down-volumes"]),
    ("kubectl edit deployment web", "", &["kubectl-edit"]),
    ("kubectl rollout undo deployment/web", "", &["kubectl-rollout-back"]),
    ("redis-cli -u https://eu1.upstash.io ping", "", &["redis-cli-rest"]),
    ("redis-cli -n 1 FLUSHDB", "", &["redis-flush"]),
    ("redis-cli keys cache:*", "", &["redis-keys"]),
    ("redis-cli -a hunter2 ping", "", &["redis-cli-password"]),
    ("redis-cli --scan --pattern cache:*", "", &[]),
    ("psql -f a.sql", "", &["psql-errors", "psql-transaction"]),
    ("psql -X -v ON_ERROR_STOP=1 -1 -f a.sql", "", &[]),
    ("psql -v ON_ERROR_STOP=1 -W -c x", "", &["psql-asks"]),
    ("pg_restore -d shop a.dump", "", &["pg-restore-errors"]),
    ("pg_dump postgres://a:hunter2@db/shop -f a", "", &["url-password"]),
    ("env A=b psql -f a.sql", "", &["psql-errors", "psql-transaction"]),
    ("timeout 5 psql -c x", "", &["psql-errors"]),
    ("redis-cli -u $UPSTASH_REDIS_REST_URL ping", "", &["redis-cli-rest", "variable-as-it-stands"]),
    ("pg_dump $DATABASE_URL > backup.sql", "", &["variable-as-it-stands", "shell-words"]),
    ("curl https://a.test/", "", &["curl-ends-with-0", "curl-limit"]),
    ("curl -sfm 10 https://a.test/", "", &[]),
    ("grep -c \"status\":500 log", "", &["grep-json"]),
    ("grep -cE \"status\":\\s*500 log", "", &[]),
    ("ssh web uptime", "", &["ssh-asks"]),
    ("ssh -o BatchMode=yes web uptime", "", &[]),
    ("sudo systemctl restart web", "", &["sudo-asks"]),
    ("sudo -n systemctl restart web", "", &[]),
    ("tail -f log", "", &["never-ends"]),
    ("crontab -e", "", &["crontab-editor"]),
];

#[test]
fn a_wrong_form_is_found_and_the_right_one_left_alone() {
    for (line, purpose, expected) in ALONE {
        assert_eq!(found(line, |of| of.purpose = purpose), expected, "{line}");
    }
}

#[test]
fn what_is_wrong_may_depend_on_input_and_output() {
    type Change = fn(&mut Line<'_>);
    let fed: Change = |of| of.fed = true;
    let table: [(&str, Change, &[&str]); 8] = [
        ("vercel env add NAME production --yes", fed, &["vercel-env-redeploy"]),
        ("docker exec db psql -v ON_ERROR_STOP=1 -1", fed, &["docker-exec-input"]),
        ("docker exec -i db psql -v ON_ERROR_STOP=1 -1", fed, &[]),
        ("psql -v ON_ERROR_STOP=1", fed, &["psql-transaction"]),
        ("vercel ls --prod", |of| of.piped = true, &["vercel-table"]),
        ("vercel ls --prod --json", |of| of.piped = true, &[]),
        ("pg_dump -d shop", |of| of.redirected = true, &["pg-dump-redirected"]),
        ("tail -f log", |of| of.follows = true, &[]),
    ];
    for (line, change, expected) in table {
        assert_eq!(found(line, change), expected, "{line}");
    }
    let cut = found("curl -fm 5 http://a.test/?page=1", |of| of.background = true);
    assert_eq!(cut, ["curl-address-cut"]);
    let exported = found("export FEATURE=false", |of| {
        (of.shell, of.purpose) = (true, "Switch the feature off");
    });
    assert_eq!(exported, ["export"]);
}

fn of(words: &[&str]) -> Vec<&'static str> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    look(&Line { words: &words, ..Line::default() }).into_iter().map(|wrong| wrong.rule).collect()
}

#[test]
fn what_only_leads_to_a_command_does_not_hide_it() {
    const BACK: &[&str] = &["vercel-rollback"];
    let table: [(&str, &[&str]); 25] = [
        ("npx -y vercel@latest rollback", BACK),
        ("npx --yes vercel rollback", BACK),
        ("npx vercel@39 rollback", BACK),
        ("npx -p vercel@39 vercel rollback", BACK),
        ("pnpm dlx vercel rollback", BACK),
        ("pnpm exec vercel rollback", BACK),
        ("pnpm --dir web dlx vercel@latest rollback", BACK),
        ("yarn dlx vercel rollback", BACK),
        ("bun x vercel rollback", BACK),
        ("bunx --bun vercel rollback", BACK),
        ("npm exec -- vercel rollback", BACK),
        ("/usr/bin/env CI=1 vercel rollback", BACK),
        ("env -u CI vercel rollback", BACK),
        ("sudo -n -u deploy vercel rollback", BACK),
        ("nice -n 10 timeout -k 5 60 /opt/bin/vercel rollback", BACK),
        ("xargs -I{} vercel rollback", BACK),
        // What it reads is named behind it.
        ("xargs -n 1 vercel rollback", &[]),
        ("xargs redis-cli FLUSHALL", &["redis-flush"]),
        ("/usr/bin/env redis-cli -u HTTPS://eu1.upstash.io ping", &["redis-cli-rest"]),
        ("npx @scope/tool@2 rollback", &[]),
        ("pnpm run vercel rollback", &[]),
        ("npx vercel@39 rollback dpl_123", &[]),
        ("command -v vercel", &[]),
        ("bunx -y scripts/warm-cache.ts", &["bunx-path"]),
        ("npx -y", &[]),
    ];
    for (line, expected) in table {
        assert_eq!(found(line, |_| {}), expected, "{line}");
    }
}

#[test]
fn what_is_handed_to_another_shell_is_looked_at_too() {
    const SAFE: [&str; 4] = ["ssh", "-o", "BatchMode=yes", "web"];
    let remote = |words: &[&str]| of(&[&SAFE[..], words].concat());
    assert_eq!(remote(&["cd /srv && docker compose restart web"]), ["compose-restart"]);
    assert_eq!(remote(&["cd", "/srv", "&&", "vercel", "rollback"]), ["vercel-rollback"]);
    assert_eq!(remote(&["bash -lc 'vercel rollback'"]), ["vercel-rollback"]);
    assert_eq!(
        remote(&["echo true | vercel env add NAME production --yes"]),
        ["vercel-env-redeploy"]
    );
    assert!(remote(&["echo $HOME && vercel rollback dpl_1"]).is_empty());
    assert_eq!(of(&["ssh", "-p", "22", "web", "vercel rollback"]), ["ssh-asks", "vercel-rollback"]);
    assert_eq!(of(&["sudo", "-n", "bash", "-lc", "vercel rollback"]), ["vercel-rollback"]);
    assert_eq!(of(&["sh", "-ec", "vercel rollback"]), ["vercel-rollback"]);
    assert_eq!(of(&["bash", "-eo", "pipefail", "-c", "vercel rollback"]), ["vercel-rollback"]);
    assert_eq!(of(&["bash", "-c", "vercel rollback < /dev/null"]), ["vercel-rollback"]);
    let unfed = of(&["bash", "-c", "vercel env add N production --yes < /dev/null"]);
    assert!(unfed.contains(&"vercel-env-unfed"), "{unfed:?}");
    assert!(of(&["bash", "deploy.sh", "-c", "vercel rollback"]).is_empty());
    assert!(of(&["ssh", "-o", "BatchMode=yes", "web"]).is_empty());
}

#[test]
fn every_rule_is_shown_to_find_something() {
    let alone = ALONE.iter().flat_map(|(_, _, found)| found.iter().copied());
    let elsewhere =
        ["docker-exec-input", "vercel-table", "pg-dump-redirected", "curl-address-cut", "export"];
    let shown: Vec<&str> = alone.chain(elsewhere).collect();
    let tables = [hosting::RULES, containers::RULES, data::RULES, general::RULES];
    for rule in tables.into_iter().flatten() {
        assert!(shown.contains(&rule.wrong.rule), "{} has no example", rule.wrong.rule);
        assert!(rule.wrong.what.len() > 20 && rule.wrong.cure.len() > 7, "{}", rule.wrong.rule);
    }
}

#[test]
fn nothing_is_said_of_nothing() {
    assert!(look(&Line::default()).is_empty());
    for line in ["sudo", "env A=b", "timeout 5", "npx", "docker exec", "vercel"] {
        let _ = found(line, |_| {});
    }
}
