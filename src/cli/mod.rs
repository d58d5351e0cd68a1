//! The commands: arguments, exit codes, one small file each.

mod approve;

mod args;
mod asked;

mod attach;

mod check;

mod configuration;

mod demo;

mod doctor;

mod init;

mod journal;

mod live;

mod logging;

mod out;

mod rules;

mod run;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use self::args::{Args, Command, ConfigCommand, RulesCommand};
use crate::{config::secret::redact, terminal::hooks};

/// Wrong usage, as sysexits has it.
const USAGE: u8 = 64;

/// Something that is needed is not there, as sysexits has it.
const UNAVAILABLE: u8 = 69;

/// A configuration that cannot be used, as sysexits has it.
const CONFIGURATION: u8 = 78;

/// Something inside failed, as sysexits has it.
const SOFTWARE: u8 = 70;

/// Runs the program.
pub fn main() -> ExitCode {
    out::choose_color(std::env::args_os());
    let parsed = Args::command().color(out::color_choice()).try_get_matches();
    let parsed = parsed.and_then(|matches| Args::from_arg_matches(&matches)?.resolved());
    let (common, command) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return out::usage(&error),
    };
    let options = hooks::Options { color: out::stderr_has_color(), redact };
    let panics = match hooks::install(options) {
        Ok(panics) => panics,
        Err(report) => {
            out::error(&format!("{report:#}"));
            return ExitCode::from(SOFTWARE);
        }
    };
    let common = &common;
    let done = match command {
        Command::Live(live) => live::run(common, &live, panics),
        Command::Demo(options) => demo::run(common, &options, panics),
        Command::Check(options) => check::run(common, &options),
        Command::Doctor(options) => doctor::run(common, &options),
        Command::Run(options) => run::run(common, &options),
        Command::Approve(options) => approve::run(common, &options),
        Command::Journal { command } => journal::run(common, &command),
        Command::Attach(options) => attach::run(common, &options),
        Command::Supervise { run: _ } => run::supervise(),
        Command::OnTerminal { program, name, arguments } => {
            attach::become_program(&program, &name, &arguments)
        }
        Command::Init(options) => init::run(common, &options),
        Command::Config { command } => match command {
            ConfigCommand::Check(options) => configuration::check(common, &options),
            ConfigCommand::Show(options) => configuration::show(common, &options),
            ConfigCommand::Schema => configuration::schema(),
        },
        Command::Rules { command: RulesCommand::Test(options) } => rules::test(&options),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "watchfloor", &mut text);
            out::bytes(&text)
        }
        Command::Man => {
            let mut text = Vec::new();
            match clap_mangen::Man::new(Args::command()).render(&mut text) {
                Ok(()) => out::bytes(&text),
                Err(error) => Err(error.into()),
            }
        }
    };
    match done {
        Ok(code) => code,
        Err(report) => {
            out::error(&redact(&format!("{report:#}")));
            ExitCode::from(SOFTWARE)
        }
    }
}
