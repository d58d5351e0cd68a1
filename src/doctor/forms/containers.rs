//! Docker, Docker Compose and Kubernetes.

use super::{Call, Grade, Rule, rule};

use Grade::{Critical, Warning};

/// What a restart cannot do: take over something that was changed.
const CHANGES: [&str; 9] =
    ["flag", "feature", "env", "variable", "config", "setting", "disable", "enable", "switch"];

impl<'a> Call<'a> {
    /// The words behind `docker compose` or `docker-compose`.
    fn compose(&self) -> Option<Vec<&'a str>> {
        let mut plain = self.plain();
        match self.program {
            "docker-compose" => Some(plain),
            "docker" if plain.first() == Some(&"compose") => {
                plain.remove(0);
                Some(plain)
            }
            _ => None,
        }
    }

    fn composes(&self, word: &str) -> bool {
        self.compose().is_some_and(|words| words.first() == Some(&word))
    }

    /// What stands between `docker exec` and the name of the container.
    fn exec_options(&self) -> Option<Vec<&'a str>> {
        let at = self.rest.iter().position(|word| word == "exec")?;
        let docker = ["docker", "podman"].contains(&self.program);
        let mut options = Vec::new();
        let mut words = self.rest[at + 1..].iter().map(String::as_str);
        while let Some(word) = words.next().filter(|word| word.starts_with('-')) {
            options.push(word);
            if ["-e", "--env", "-u", "--user", "-w", "--workdir", "--env-file"].contains(&word) {
                words.next();
            }
        }
        (docker && self.compose().is_none()).then_some(options)
    }
}

fn group_has(options: &[&str], letter: char, long: &str) -> bool {
    options.iter().any(|option| {
        *option == long
            || option
                .strip_prefix('-')
                .is_some_and(|group| !group.starts_with('-') && group.contains(letter))
    })
}

pub(super) const RULES: &[Rule] = &[
    rule(
        "compose-restart-change",
        Critical,
        |call| call.composes("restart") && call.is_for(&CHANGES),
        "a restart goes on with the container as it was made: a changed variable or file is not taken over",
        "write \"up\", \"-d\", \"--no-deps\", \"--force-recreate\", SERVICE",
    ),
    rule(
        "compose-restart",
        Warning,
        |call| call.composes("restart") && !call.is_for(&CHANGES),
        "a restart does not read changed configuration or environment",
        "write \"up\", \"-d\", \"--no-deps\", \"--force-recreate\", SERVICE where something was changed",
    ),
    rule(
        "compose-up-back",
        Warning,
        |call| {
            call.composes("up")
                && call.is_for(&["rollback", "roll back", "revert", "previous image"])
        },
        "up starts the image that the tag names now: that is the new one, unless the tag was moved back",
        "tag the image before each build, and name that tag here",
    ),
    rule(
        "docker-exec-input",
        Critical,
        |call| {
            call.line.fed
                && call
                    .exec_options()
                    .is_some_and(|options| !group_has(&options, 'i', "--interactive"))
        },
        "docker exec without -i hands nothing on of its standard input: the program in the container reads nothing, and may end with 0",
        "write \"exec\", \"-i\"",
    ),
    rule(
        "docker-exec-terminal",
        Critical,
        |call| {
            call.exec_options().is_some_and(|options| group_has(&options, 't', "--tty"))
                || (call.program == "kubectl" && call.is("kubectl", &["exec"]) && call.short('t'))
        },
        "-t wants a terminal, and there is none: it ends with an error",
        "leave \"-t\" out",
    ),
    rule(
        "compose-exec-terminal",
        Warning,
        |call| call.composes("exec") && !call.short('T') && !call.has("--no-TTY"),
        "docker compose exec asks for a terminal where it is not told otherwise, and there is none",
        "add \"-T\"",
    ),
    rule(
        "docker-exec-secret",
        Warning,
        |call| {
            call.exec_options().is_some()
                && call.rest.iter().any(|word| {
                    let name = word.split_once('=').map_or("", |(name, _)| name);
                    ["PASSWORD", "SECRET", "TOKEN"].iter().any(|of| name.contains(of))
                })
        },
        "the value of a secret among the arguments can be read by everybody on this machine",
        "write \"-e\", NAME alone, and set NAME in `environment`",
    ),
    rule(
        "docker-stats",
        Critical,
        |call| call.is("docker", &["stats"]) && !call.has("--no-stream") && !call.line.follows,
        "docker stats goes on for ever",
        "add \"--no-stream\"",
    ),
    rule(
        "logs-follow",
        Critical,
        |call| {
            let logs = call.program == "docker" && call.mentions("logs")
                || call.composes("logs")
                || call.is("kubectl", &["logs"]);
            let follows = call.has("--follow")
                || call.rest.iter().any(|word| word == "-f" && !call.composes("logs"));
            logs && follows && !call.line.follows
        },
        "it goes on printing for ever, until its time is over",
        "leave \"--follow\" out, or make it a source of kind \"logs\"",
    ),
    rule(
        "compose-down-volumes",
        Critical,
        |call| call.composes("down") && (call.short('v') || call.has("--volumes")),
        "down -v also deletes the volumes, and the data in them",
        "leave \"-v\" out",
    ),
    rule(
        "kubectl-edit",
        Critical,
        |call| call.is("kubectl", &["edit"]),
        "kubectl edit opens an editor, and nobody can type into it",
        "write \"patch\" or \"apply\", \"-f\", FILE",
    ),
    rule(
        "kubectl-rollout-back",
        Warning,
        |call| call.is("kubectl", &["rollout", "undo"]) && !call.has("--to-revision"),
        "rollout undo goes back to the revision before, whichever that is: a second run goes forward again",
        "add \"--to-revision=N\"",
    ),
];
