use super::*;

#[tokio::test]
async fn nothing_older_comes_after_what_is_kept_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("told-shop-test.json");
    let new = file.with_extension(format!("json.{}.new", std::process::id()));
    for round in 0..20 {
        let (events, mut events_in) = mpsc::channel(4);
        let keeper = Keeper::start(file.clone(), events);
        // Long enough that the end finds it being written.
        keeper.keep("old".repeat(1 << 20));
        while !new.exists() && !file.exists() {
            tokio::task::yield_now().await;
        }
        keeper.finish(Some(format!("last {round}"))).await.unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("\"last {round}\""));
        assert!(events_in.try_recv().is_err(), "all of it could be written");
        assert!(!new.exists(), "nobody writes any more");
        fs::remove_file(&file).unwrap();
    }
}

#[tokio::test]
async fn what_was_given_last_is_written_when_it_ends_without_more() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("told-shop-test.json");
    let (events, _events) = mpsc::channel(4);
    let keeper = Keeper::start(file.clone(), events);
    for number in 0..20 {
        keeper.keep(number);
    }
    keeper.finish(None).await.unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "19");
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_does_not_answer_does_not_keep_a_console_from_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("told-shop-test.json");
    let new = file.with_extension(format!("json.{}.new", std::process::id()));
    // Opening a pipe that nobody reads takes for ever.
    let made = std::process::Command::new("mkfifo").arg(&new).status().unwrap();
    assert!(made.success());
    let (events, _events) = mpsc::channel(4);
    let keeper = Keeper::start(file, events);
    keeper.keep(1);
    let end = tokio::spawn(keeper.finish(Some(2)));
    while !end.is_finished() {
        tokio::time::advance(FINISH_WITHIN / 10).await;
    }
    assert_eq!(end.await.unwrap(), Err("the disk is slow".to_owned()));
    // Opened for both, nothing waits there any more; the test could not end otherwise.
    let pipe = fs::OpenOptions::new().read(true).write(true).open(new).unwrap();
    std::mem::forget(pipe);
}
