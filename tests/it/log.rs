//! Catches the log of the crate.

use std::{
    io,
    sync::{Arc, LazyLock, Mutex},
};

use tracing_subscriber::filter::LevelFilter;

/// Returns what is logged while `cause` runs, at the level DEBUG and above.
pub(crate) async fn of(cause: impl AsyncFn()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let guard = listen(
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::DEBUG)
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish(),
    );
    cause().await;
    drop(guard);
    let log = log.0.lock().unwrap();
    String::from_utf8(log.clone()).unwrap()
}

/// Makes `subscriber` the one of this thread, until the guard is dropped.
pub(crate) fn listen(
    subscriber: impl tracing::Subscriber + Send + Sync + 'static,
) -> tracing::subscriber::DefaultGuard {
    LazyLock::force(&DEAF);
    tracing::subscriber::set_default(subscriber)
}

/// Checks that the log has one line for each of `expected`, with all its parts.
#[track_caller]
pub(crate) fn check<const LINES: usize>(log: &str, expected: [&[&str]; LINES]) {
    let lines: Vec<_> = log.lines().map(str::trim_start).collect();
    assert_eq!(lines.len(), LINES, "{log}");
    for (line, parts) in lines.iter().zip(expected) {
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
}

/// Returns the lines of the log at the levels WARN and ERROR.
#[cfg(feature = "simulator")]
pub(crate) fn warnings(log: &str) -> Vec<&str> {
    let lines = log.lines().map(str::trim_start);
    lines
        .filter(|line| line.starts_with("WARN") || line.starts_with("ERROR"))
        .collect()
}

/// With a single subscriber, tracing asks only the thread that first reaches an event whether it is enabled, and the
/// thread of another test says no for all threads. With these there is always more than one.
static DEAF: LazyLock<[tracing::Dispatch; 2]> = LazyLock::new(|| {
    [(); 2].map(|()| tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new()))
});

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
