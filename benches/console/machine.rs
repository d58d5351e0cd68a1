//! The machine that is measured on, and what its system knows of a process.

use std::{collections::BTreeMap, fs, process::Command, thread};

/// Machine, system, date and commit, as a line of Markdown.
pub fn about() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, model)| model.trim());
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let date = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    let changed =
        if output("git", &["status", "--porcelain"]).is_empty() { "" } else { ", changed" };
    format!(
        "{cores} cores of {model}, Linux {kernel}, {date}, commit {}{changed}, terminal {}x{}, \
         TERM=xterm-256color.",
        output("git", &["rev-parse", "--short", "HEAD"]),
        super::terminal::SIZE.0,
        super::terminal::SIZE.1,
    )
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}

/// Processor time that a process has used, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu {
    /// In the program itself.
    pub user: f64,
    /// In the system, on its behalf.
    pub system: f64,
}

/// The processor time of a process so far: `utime` and `stime` of proc_pid_stat(5).
pub fn cpu(pid: i32) -> Cpu {
    of_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).unwrap())
}

/// The processor time of each thread so far in seconds, by the name of the thread; threads
/// of one name are added up. From the scheduler, which counts nanoseconds.
pub fn cpu_of_threads(pid: i32) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        let spent = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let spent = spent.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
        *all.entry(name.trim().to_owned()).or_default() += spent.unwrap_or(0.0) / 1e9;
    }
    all
}

fn of_stat(stat: &str) -> Cpu {
    // The name of the program may contain anything; what follows it does not.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let field = |number: usize| -> f64 {
        fields.split_whitespace().nth(number - 3).unwrap().parse().unwrap()
    };
    let per_second: f64 = output("getconf", &["CLK_TCK"]).parse().unwrap_or(100.0);
    Cpu { user: field(14) / per_second, system: field(15) / per_second }
}

/// Memory of a process that is in use now and the most that ever was, in MB of 1,000,000 bytes.
pub fn memory(pid: i32) -> (f64, f64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| -> f64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let kib: f64 = line.split_whitespace().next().unwrap().parse().unwrap();
        kib * 1_024.0 / 1e6
    };
    (field("VmRSS:"), field("VmHWM:"))
}
