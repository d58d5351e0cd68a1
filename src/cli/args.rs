//! The command line.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args as Group, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::{demo::System, runtime::doctor::Only};

/// The version, with the commit it was built from.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("WATCHFLOOR_COMMIT"), ")");

/// An operations console for the engineer who is on call.
#[derive(Debug, Parser)]
#[command(
    name = "watchfloor",
    version = VERSION,
    about,
    after_help = "Without a command, the console is started. Start with: watchfloor demo"
)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    pub(super) live: Live,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

impl Args {
    /// The command and its options, wherever they stand. What stands before `live` and `demo`
    /// is meant for them; nothing that was written is ever left out without a word.
    ///
    /// # Errors
    /// An option of the console before another command, or one that contradicts another.
    pub(super) fn resolved(self) -> Result<(Common, Command), clap::Error> {
        let before = self.live;
        let command = match self.command {
            None => Command::Live(before),
            Some(Command::Live(live)) => Command::Live(before.and(live)?),
            Some(Command::Demo(demo)) => {
                demo_is_closed(&self.common)?;
                Command::Demo(Demo { live: before.and(demo.live)?, ..demo })
            }
            Some(other) => match before.first() {
                Some(option) => {
                    return Err(usage(format!(
                        "{option} before the command belongs to the console; write it after the command, where the command has it"
                    )));
                }
                None => other,
            },
        };
        Ok((self.common, command))
    }
}

/// The demo reaches nothing but itself, whatever is configured: of the configuration only
/// the display can be chosen, and how fast things go.
fn demo_is_closed(common: &Common) -> Result<(), clap::Error> {
    let profile = common.profile.as_deref();
    if let Some(name) = profile.filter(|name| System::of_profile(name).is_none()) {
        let known: Vec<&str> = System::ALL.iter().map(|system| system.profile()).collect();
        let known = known.join(", ");
        return Err(usage(format!("the demo has no stand-in for {name:?}; there are {known}")));
    }
    let refused = if common.config.is_some() {
        "--config".to_owned()
    } else if common.set.iter().any(|set| !leads_nowhere(set)) {
        format!("--set of anything but display.… and keys that end in {}", PACES.join(", "))
    } else {
        return Ok(());
    };
    Err(usage(format!(
        "the demo takes no {refused}: it watches its own service, and never reaches another one"
    )))
}

/// Keys that say how fast things go, or what counts as a fault. None of them holds an
/// address, a program or a secret.
const PACES: [&str; 7] =
    [".interval", ".timeout", ".for", ".when", ".proof_within", ".cooldown", ".down_after"];

/// Whether something that is set cannot make the demo reach anything.
fn leads_nowhere(set: &str) -> bool {
    let key = set.split('=').next().unwrap_or_default().trim();
    key.starts_with("display.") || PACES.iter().any(|pace| key.ends_with(pace))
}

fn usage(message: String) -> clap::Error {
    Args::command().error(clap::error::ErrorKind::ArgumentConflict, message)
}

/// The heading of the options of every command.
const COMMON: &str = "Common options";

/// Options of every command.
#[derive(Clone, Debug, Group)]
pub(super) struct Common {
    /// The configuration file [default: $WATCHFLOOR_CONFIG, ./watchfloor.toml,
    /// ~/.config/watchfloor/config.toml]
    #[arg(long, global = true, help_heading = COMMON, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// A built-in profile to start from
    #[arg(long, global = true, help_heading = COMMON, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Sets one key, over every other place
    #[arg(long, global = true, help_heading = COMMON, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Nothing can be started, whatever is armed
    #[arg(long, global = true, help_heading = COMMON)]
    pub(super) read_only: bool,
    /// Colours
    #[arg(long, global = true, help_heading = COMMON, value_enum, value_name = "WHEN")]
    pub(super) color: Option<Color>,
    /// ASCII characters only
    #[arg(long, global = true, help_heading = COMMON)]
    pub(super) ascii: bool,
    /// Times in UTC
    #[arg(long, global = true, help_heading = COMMON)]
    pub(super) utc: bool,
    /// More in the log; twice for everything
    #[arg(short, long, global = true, help_heading = COMMON, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    #[value(name = "16")]
    Sixteen,
    #[value(name = "256")]
    TwoHundred,
    #[value(name = "true")]
    True,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The console (the default command)
    Live(Live),
    /// The console on an embedded service: nothing to configure
    Demo(Demo),
    /// Looks once at everything, prints what it found, and exits by the verdict
    Check(Output),
    /// Says of every source, check, action and contact whether it would work now; exits 0
    /// ready, 1 with warnings, 2 where something would not work, 3 where it is not known
    Doctor(Doctor),
    /// Carries out one action without the screen; exits 0 confirmed, 1 failed or refuted, 2
    /// refused, 3 unknown
    Run(Run),
    /// Answers an interactive action that goes on: hands this terminal over to it
    Attach(Attach),
    /// Agrees, as the second person, to what somebody else wants to do
    Approve(Approve),
    /// Verifies or prints the journal of actions
    Journal {
        #[command(subcommand)]
        command: JournalCommand,
    },
    /// Carries out a run that is handed over on standard input
    #[command(hide = true)]
    Supervise {
        /// The run, for the list of processes
        run: String,
    },
    /// Becomes the program of an interactive action, on the terminal that it is given
    #[command(hide = true)]
    OnTerminal {
        /// The file that is run
        program: PathBuf,
        /// What it is told that it is called
        name: String,
        /// Its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Writes a commented starting configuration
    Init(Init),
    /// Checks, shows or describes the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Tests alert rules
    Rules {
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Prints completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Prints the manual page
    Man,
}

#[derive(Clone, Debug, Default, Group)]
pub(super) struct Doctor {
    /// Only this: SUBJECT or SUBJECT/ID, such as `action` or `action/clear_cache`
    #[arg(long, value_name = "SUBJECT[/ID]", value_parser = Only::parse)]
    pub(super) only: Option<Only>,
    /// One JSON document on standard output
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Debug, Group)]
pub(super) struct Run {
    /// The action, by its name
    pub(super) action: String,
    /// The target, SERVICE/ENVIRONMENT, where the action is disruptive
    #[arg(long, value_name = "PHRASE")]
    pub(super) confirm: Option<String>,
    /// Why; it goes into the journal
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// What the action asks for; may be repeated. A secret is never written here:
    /// NAME=@env:VARIABLE takes it from a variable, NAME=@- from the standard input. A value
    /// that begins with @ is written @@
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) ask: Vec<String>,
    /// Measures what it would do, and sends nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// One JSON document on standard output; what the action prints goes to standard error
    #[arg(long)]
    pub(super) json: bool,
    /// Leaves once it is running: the outcome is then unknown, and the exit code 3
    #[arg(long)]
    pub(super) detach: bool,
    /// Goes on without the second person that an irreversible action needs; takes a reason
    /// of 20 characters
    #[arg(long)]
    pub(super) break_glass: bool,
    /// Asks whoever holds a lock to stop, and takes it over; why goes into the journal
    #[arg(long, value_name = "REASON")]
    pub(super) take_over: Option<String>,
    /// For practice: only where the action says drill = true, and not in production; the
    /// journal marks it
    #[arg(long)]
    pub(super) drill: bool,
}

#[derive(Clone, Debug, Group)]
pub(super) struct Attach {
    /// The run, by its name
    pub(super) run: String,
    /// Whoever is at its terminal has to go
    #[arg(long)]
    pub(super) take_over: bool,
}

#[derive(Clone, Debug, Group)]
pub(super) struct Approve {
    /// The request: the name of its run, or of its action
    pub(super) request: String,
    /// The target, SERVICE/ENVIRONMENT; without it, the request is only shown
    #[arg(long, value_name = "PHRASE")]
    pub(super) confirm: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum JournalCommand {
    /// Follows the chain; exits 1 at the first line that is not what was written
    Verify(Output),
    /// Prints the newest lines
    Show(Show),
}

#[derive(Clone, Debug, Group)]
pub(super) struct Show {
    /// Only the lines of this run, or of this action
    pub(super) of: Option<String>,
    /// How many lines
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub(super) last: usize,
    /// One JSON document on standard output
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Says everything that is wrong with the configuration
    Check(Output),
    /// Prints the configuration in force, and where each value comes from
    Show(Output),
    /// Prints the JSON schema of the configuration
    Schema,
}

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// Runs the tests of a file; exits 1 where one fails
    Test(RulesTest),
}

#[derive(Clone, Debug, Group)]
pub(super) struct RulesTest {
    /// Files of rule tests
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Clone, Debug, Default, Group)]
pub(super) struct Live {
    /// Runs without a terminal, and prints the final state as JSON
    #[arg(long, requires = "lasting")]
    pub(super) headless: bool,
    /// Ends after this time: 30s, 5m, 1h
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub(super) lasting: Option<Duration>,
    /// The final state as JSON; implied by --headless
    #[arg(long)]
    pub(super) json: bool,
}

impl Live {
    /// What stands before the command, and what stands after it.
    fn and(self, after: Self) -> Result<Self, clap::Error> {
        if self.lasting.is_some() && after.lasting.is_some() && self.lasting != after.lasting {
            return Err(usage("--for is given twice".to_owned()));
        }
        Ok(Self {
            headless: self.headless || after.headless,
            lasting: after.lasting.or(self.lasting),
            json: self.json || after.json,
        })
    }

    /// One of its options that is given.
    fn first(&self) -> Option<&'static str> {
        if self.headless {
            Some("--headless")
        } else if self.json {
            Some("--json")
        } else {
            self.lasting.map(|_| "--for")
        }
    }
}

#[derive(Clone, Debug, Group)]
pub(super) struct Demo {
    #[command(flatten)]
    pub(super) live: Live,
    /// What happens in it: story, calm, or the name of a fault
    #[arg(long, value_name = "NAME", default_value = "story")]
    pub(super) scenario: String,
    /// Decides the traffic: the same number, the same customers
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Does not use an installed redis-server or postgres
    #[arg(long)]
    pub(super) embedded_only: bool,
}

#[derive(Clone, Copy, Debug, Default, Group)]
pub(super) struct Output {
    /// One JSON document on standard output
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Debug, Group)]
pub(super) struct Init {
    /// Where to write it; `-` is standard output
    #[arg(value_name = "FILE", default_value = "watchfloor.toml")]
    pub(super) file: PathBuf,
    /// On a terminal too, ask nothing
    #[arg(long)]
    pub(super) no_questions: bool,
}

/// `30s`, `5m`, `1h`, `500ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..split].parse().map_err(|_| "write a time as 30s, 5m or 1h")?;
    let millis = match &text[split..] {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        other => return Err(format!("unknown unit {other:?}; use ms, s, m or h")),
    };
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .ok_or_else(|| "that is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    fn parsed(line: &str) -> Result<(Common, Command), String> {
        let words = std::iter::once("watchfloor").chain(line.split_whitespace());
        let args = Args::try_parse_from(words).map_err(|error| error.to_string())?;
        args.resolved().map_err(|error| error.to_string())
    }

    #[test]
    fn options_before_the_command_count_or_are_refused() {
        let Ok((_, Command::Demo(demo))) = parsed("--headless --for 3s demo") else { panic!() };
        assert!(demo.live.headless);
        assert_eq!(demo.live.lasting, Some(Duration::from_secs(3)));
        let Ok((_, Command::Live(live))) = parsed("--for 3s live --json") else { panic!() };
        assert!(live.json && live.lasting == Some(Duration::from_secs(3)));
        for (line, option) in [
            ("--json check", "--json"),
            ("--headless --for 3s check", "--headless"),
            ("--for 3s init", "--for"),
            ("--json config check", "--json"),
            ("--for 3s demo --for 4s", "--for is given twice"),
        ] {
            let refused = parsed(line).unwrap_err();
            assert!(refused.contains(option), "{line}: {refused}");
        }
        assert!(parsed("check --json").is_ok());
    }

    #[test]
    fn the_demo_takes_nothing_that_could_lead_out_of_it() {
        for line in [
            "demo --config x.toml",
            "--config x.toml demo",
            "demo --profile nobody",
            "demo --set source.redis.url=x.interval",
            "demo --set action.rollback.url=x",
            "demo --set source.redis.url=redis://production",
            "demo --set display.utc=true --set vars.EXODRIVE_URL=https://production",
        ] {
            let refused = parsed(line).map(|_| line).unwrap_err();
            let said = refused.contains("the demo takes no --") || refused.contains("no stand-in");
            assert!(said, "{line}: {refused}");
        }
        for line in [
            "demo",
            "demo --set display.utc=true",
            "demo --read-only --utc",
            "demo --profile exodrive --set rule.latency.for=2s",
        ] {
            assert!(parsed(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn times_are_read() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert!(duration("5d").is_err());
        assert!(duration("18446744073709551615h").is_err());
        assert!(duration("").is_err());
    }
}
