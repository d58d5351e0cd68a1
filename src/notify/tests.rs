//! Who sends, with the clock of the test.

use tokio::time::sleep;

use super::{lock::Tried, *};
use crate::{
    config::profile::Program,
    domain::{delivery::Outcome, notification::Severity},
};

fn config() -> NotifyConfig {
    let argv = vec!["true".to_owned()];
    let command = Program { argv, directory: None, environment: Vec::new() };
    let target = NotifyTarget {
        name: "desk".to_owned(),
        kind: NotifyKind::Command(Box::new(command)),
        severities: vec![Severity::Critical],
        resolved: true,
        // The clock of the test runs ahead of a program, which needs time of the other kind.
        timeout: Duration::from_secs(30 * 86_400),
        retry_for: Duration::from_secs(3600),
    };
    NotifyConfig { targets: vec![target], ..NotifyConfig::default() }
}

#[tokio::test(start_paused = true)]
async fn a_console_that_is_stopped_while_it_holds_the_lock_is_not_relied_on() {
    let state = tempfile::tempdir().unwrap();
    let path = lock::place(state.path(), "shop", "test");
    // Nobody but this test shows signs of life, and only when it says so.
    let now = Moment::at_seconds(0.0);
    let Tried::Ours(held, _) = lock::take(&path, now.wall) else { panic!("free") };
    let place = Place {
        service: "shop".to_owned(),
        environment: "test".to_owned(),
        state_dir: state.path().to_owned(),
        clock: Arc::new(move || now),
    };
    let (notifier, _reports) = Notifier::spawn(config(), place);
    let mut sender = notifier.sender();
    let elsewhere = |sender: &Sender| matches!(sender, Sender::Elsewhere { .. });
    sender.wait_for(elsewhere).await.unwrap();
    let start = Instant::now();
    sender.wait_for(Sender::is_here).await.unwrap();
    assert!(start.elapsed() >= SILENT - TAKE_OVER, "{:?}", start.elapsed());
    let words = sender.borrow().words().unwrap();
    let pid = std::process::id();
    let expected = format!("the console that has to send (pid {pid}) is stopped");
    assert!(words.ends_with(&expected), "{words}");
    // It goes on.
    held.beat();
    sender.wait_for(elsewhere).await.unwrap();
    // It ends.
    drop(held);
    sender.wait_for(|sender| *sender == Sender::Here).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_for_a_stopped_console_is_not_sent_again_when_it_ends() {
    let state = tempfile::tempdir().unwrap();
    let path = lock::place(state.path(), "shop", "test");
    let now = Moment::at_seconds(0.0);
    let Tried::Ours(held, _) = lock::take(&path, now.wall) else { panic!("free") };
    held.owe(vec![Owed { target: "desk".to_owned(), message: samples::message(&["a"]) }]);
    held.write();
    let place = Place {
        service: "shop".to_owned(),
        environment: "test".to_owned(),
        state_dir: state.path().to_owned(),
        clock: Arc::new(move || now),
    };
    let (notifier, mut reports) = Notifier::spawn(config(), place);
    // The holder is stopped: what it owes is sent without the lock.
    let report = reports.recv().await.unwrap();
    assert_eq!(report.outcome, Outcome::Delivered);
    // It ends, and the same stands in its file.
    drop(held);
    notifier.sender().wait_for(|sender| *sender == Sender::Here).await.unwrap();
    assert!(timeout(Duration::from_secs(60), reports.recv()).await.is_err(), "sent again");
}

#[tokio::test(start_paused = true)]
async fn whoever_sends_shows_that_it_runs() {
    let state = tempfile::tempdir().unwrap();
    let path = lock::place(state.path(), "shop", "test");
    let now = Moment::at_seconds(0.0);
    let place = Place {
        service: "shop".to_owned(),
        environment: "test".to_owned(),
        state_dir: state.path().to_owned(),
        clock: Arc::new(move || now),
    };
    let (notifier, _reports) = Notifier::spawn(config(), place);
    notifier.sender().wait_for(Sender::is_here).await.unwrap();
    let beat = |path: &std::path::Path| match lock::take(path, now.wall) {
        Tried::Theirs(_, sign) => sign,
        other => panic!("{other:?}"),
    };
    let first = beat(&path);
    while beat(&path) == first {
        sleep(BEAT).await;
    }
}

/// Waits for something while a disk hangs: the clock of the test stands still then.
async fn meanwhile<T>(limit: Duration, wanted: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let mut wanted = std::pin::pin!(wanted);
    loop {
        tokio::select! {
            biased;
            done = &mut wanted => return done,
            () = tokio::time::advance(Duration::from_millis(50)) => {}
        }
        assert!(began.elapsed() < limit, "it waits for the disk");
        // Programs and files need time of the other kind.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A pipe in the place of a file: it takes a lock as a file does, and reading it takes for ever,
/// until this is dropped.
struct Pipe(PathBuf);

impl Pipe {
    fn new(path: &std::path::Path) -> Self {
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
        Self(path.to_owned())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let pipe = std::fs::OpenOptions::new().read(true).write(true).open(&self.0);
        // More than is read of such a file.
        let text = vec![b' '; 5 << 20];
        std::thread::spawn(move || {
            pipe.map(|mut pipe| std::io::Write::write_all(&mut pipe, &text))
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_whose_disk_hangs_holds_nothing_back() {
    let state = tempfile::tempdir().unwrap();
    let path = lock::place(state.path(), "shop", "test");
    let pipe = Pipe::new(&path);
    let now = Moment::at_seconds(0.0);
    let place = Place {
        service: "shop".to_owned(),
        environment: "test".to_owned(),
        state_dir: state.path().to_owned(),
        clock: Arc::new(move || now),
    };
    let (notifier, mut reports) = Notifier::spawn(config(), place);
    notifier.send(samples::message(&["a"]));
    let mut sender = notifier.sender();
    meanwhile(TAKEN_WITHIN * 2, sender.wait_for(Sender::is_here)).await.unwrap();
    let words = sender.borrow().words().unwrap();
    assert!(words.ends_with("does not answer"), "{words}");
    let report = meanwhile(TAKEN_WITHIN * 10, reports.recv()).await.unwrap();
    assert_eq!(report.outcome, Outcome::Delivered);
    // It answers again.
    drop(pipe);
    sender.wait_for(|sender| *sender == Sender::Here).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_delivered_is_done_with_while_the_disk_hangs() {
    let state = tempfile::tempdir().unwrap();
    let now = Moment::at_seconds(0.0);
    let place = Place {
        service: "shop".to_owned(),
        environment: "test".to_owned(),
        state_dir: state.path().to_owned(),
        clock: Arc::new(move || now),
    };
    let (notifier, mut reports) = Notifier::spawn(config(), place);
    notifier.sender().wait_for(Sender::is_here).await.unwrap();
    let held = locked(&notifier.shared.lock).clone().unwrap();
    let disk = held.hang();
    for (key, sequence) in [("a", 1), ("b", 2)] {
        notifier.send(samples::numbered(sequence, Severity::Critical, &[key]));
        let report = meanwhile(Duration::from_secs(60), reports.recv()).await.unwrap();
        assert_eq!((report.outcome, report.sequence), (Outcome::Delivered, sequence));
    }
    let left = meanwhile(Duration::from_secs(60), notifier.stop(Duration::from_secs(1))).await;
    assert_eq!(left, []);
    drop(disk);
    // All of it stands there once the disk answers: whoever takes over repeats nothing.
    held.on_disk(Duration::from_secs(3600), lock::Held::write).await;
    let path = lock::place(state.path(), "shop", "test");
    let before = loop {
        if let Tried::Ours(_, before) = lock::take(&path, now.wall) {
            break before;
        }
        tokio::task::yield_now().await;
    };
    assert!(before.was_delivered("desk", &samples::message(&["b"])), "of an incident the newest");
}
