//! The order of sinks, and what a sink leaves that does not end well.

use std::future::{pending, ready};

use super::*;

/// A sink that hands over one part, then does as it says.
#[derive(Debug, Clone, Copy)]
enum Ends {
    Returns,
    Panics,
    Hangs,
    /// Panics before it returns its future.
    PanicsAtOnce,
}

impl LateSink for Ends {
    fn accept(&self, late: &mut LateReply) -> impl Future<Output = ()> + Send {
        let ends = *self;
        assert!(!matches!(ends, Self::PanicsAtOnce), "no ink");
        async move {
            if let Some(part) = late.next_part(2048) {
                part.hand_over();
            }
            match ends {
                Self::Hangs => pending().await,
                Self::Panics => panic!("no ink"),
                Self::Returns | Self::PanicsAtOnce => {}
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_sink_has_not_handed_over_goes_to_the_next() {
    for (ends, left) in [
        (Ends::Returns, 1..3),
        (Ends::Panics, 1..3),
        (Ends::Hangs, 1..3),
        (Ends::PanicsAtOnce, 0..3),
    ] {
        let next = Collected::default();
        let builder = DedupLayer::builder()
            .with_late_replies(ends)
            .with_late_replies(next.sink());
        let _ = tell(wechat().text("hi"), builder, 20, story(3)).await;
        assert_eq!(next.parts(), parts(left), "{ends:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_hands_over_all_or_nothing() {
    let next = Collected::default();
    let last = Collected::default();
    let builder = DedupLayer::builder()
        .with_late_replies(|_: LateReply| ready(Err::<(), _>("no ink")))
        .with_late_replies(next.sink())
        .with_late_replies(last.sink());
    let _ = tell(wechat().text("hi"), builder, 20, story(3)).await;
    assert_eq!(next.parts(), parts(0..3));
    assert!(last.replies().is_empty());
}

/// Returns the warnings and errors of a late story of three, without what changes.
#[cfg(feature = "tracing")]
async fn logged(builder: impl Fn() -> DedupBuilder, patience: Duration) -> Vec<String> {
    let log = crate::log::of(async || {
        let dedup = builder().build();
        let bot = answering(&dedup, 20, story(3));
        let _ = wechat().text("hi").deliver(bot).await;
        sleep(secs(10)).await;
        dedup.drain(patience).await;
    })
    .await;
    assert!(!log.contains("涨潮"), "{log}");
    let warnings = crate::log::warnings(&log);
    warnings.into_iter().map(str::to_owned).collect()
}

#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn the_log_has_an_error_with_what_is_lost() {
    let none = DedupLayer::builder;
    let patience = secs(1000);
    let cut = Duration::ZERO;
    for (builder, patience, expected) in [
        (
            &none as &dyn Fn() -> _,
            patience,
            &["ERROR no sink parts=3"][..],
        ),
        (
            &|| none().with_late_replies(Ends::Returns),
            patience,
            &["ERROR no sink parts=2"],
        ),
        (
            &|| none().with_late_replies(Ends::Panics),
            patience,
            &["ERROR panicked parts=2"],
        ),
        (
            &|| none().with_late_replies(Ends::Hangs),
            patience,
            &["ERROR too long parts=2"],
        ),
        (
            &|| none().with_late_replies(Ends::Hangs),
            cut,
            &["ERROR cut parts=2"],
        ),
        // The next sink gets the rest, and nothing is lost.
        (
            &|| {
                none()
                    .with_late_replies(Ends::Panics)
                    .with_late_replies(|_: LateReply| ready(()))
            },
            patience,
            &["WARN panicked"],
        ),
        (
            &|| {
                none()
                    .with_late_replies(Ends::Hangs)
                    .with_late_replies(|_: LateReply| ready(()))
            },
            patience,
            &["WARN too long"],
        ),
        (
            &|| {
                none()
                    .with_late_replies(Ends::Hangs)
                    .with_late_replies(Ends::Returns)
            },
            patience,
            &["WARN too long", "ERROR no sink parts=1"],
        ),
        (
            &|| {
                none()
                    .with_late_replies(|_: LateReply| ready(Err::<(), _>("no ink")))
                    .with_late_replies(|_: LateReply| ready(()))
            },
            patience,
            &["WARN no ink"],
        ),
    ] {
        let found = logged(builder, patience).await;
        assert_eq!(found.len(), expected.len(), "{found:#?} {expected:?}");
        for (line, expected) in found.iter().zip(expected) {
            let mut words = expected.split(' ');
            assert!(words.all(|word| line.contains(word)), "{line} {expected}");
        }
    }
}

/// The rest is handed over a second after the first part. A cut does not wait so long.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn the_log_has_an_error_for_a_rest_that_is_cut() {
    let log = crate::log::of(async || {
        let dedup = DedupLayer::builder().with_late_replies(Ends::Hangs).build();
        let bot = answering(&dedup, 2, story(3));
        let _ = wechat().text("hi").deliver(bot).await;
        dedup.drain(Duration::ZERO).await;
    })
    .await;
    // One part is the passive reply, and the sink has handed over another.
    let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), 1, "{log}");
    assert!(
        errors[0].contains("it was cut") && errors[0].contains("parts=1"),
        "{log}"
    );
}

/// Two nodes with one store would lose what the other one keeps.
#[cfg(feature = "tracing")]
#[tokio::test]
async fn a_mailbox_of_one_node_beside_a_store_is_a_warning() {
    use tower_wechat::{
        dedup::store::MemoryStore,
        late::{NextMessage, mailbox::MemoryMailbox},
    };

    let log = crate::log::of(async || {
        let shared = || DedupLayer::builder().with_store(MemoryStore::new());
        let _ = shared().with_next_message(NextMessage::in_memory()).build();
        let mailbox = NextMessage::shared(MemoryMailbox::new());
        let _ = shared().with_next_message(mailbox).build();
        let alone = DedupLayer::builder().with_next_message(NextMessage::in_memory());
        let _ = alone.build();
    });
    crate::log::check(&log.await, [&["WARN", "use `NextMessage::shared`"]]);
}

/// With a sink, a run goes on after WeChat's last delivery. Only a drain as patient as a run may be long waits for it.
#[cfg(feature = "tracing")]
#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_a_run_whose_answer_goes_to_a_sink() {
    for (patience, expected) in [(60, &["a long story"][..]), (20, &[])] {
        let sent = Collected::default();
        let log = crate::log::of(async || {
            let builder = DedupLayer::builder().with_fallback(Reply::text("wait"));
            let dedup = builder.unwrap().with_late_replies(sent.sink()).build();
            let bot = answering(&dedup, 50, "a long story".to_owned());
            let _ = wechat().text("hi").deliver(bot).await;
            dedup.drain(secs(patience)).await;
        })
        .await;
        assert_eq!(sent.parts(), expected);
        let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR")).collect();
        assert_eq!(errors.is_empty(), !expected.is_empty(), "{log}");
        for error in errors {
            let words = ["a late reply is lost", "its message was cut"];
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    }
}
