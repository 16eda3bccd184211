//! Every order in which the deliveries, the task and the end of the node may take the lock.
//!
//! Each role does with the table what [`Waiter`](crate::dedup::waiter), [`RunningMessage`](crate::dedup::running) and a
//! drain do. A timer is a task that fires at any time, so that it may fire before or after everything else.

use std::{
    pin::pin,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::future::{Either, select};
use http::StatusCode;
use shuttle::{
    future::{block_on, spawn},
    sync::{Mutex, MutexGuard},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{Admission, Milestone, Table, Task};
use crate::dedup::{
    Key, StoredResponse,
    messages::Bounds,
    store::{Acknowledged, Completed, Released, Ttls},
};

/// What a delivery does if its message has not ended yet.
#[derive(Debug, Clone, Copy)]
enum Patience {
    /// It waits for ever.
    Waits,
    /// Its client leaves.
    Leaves,
    /// It is acknowledged.
    Acknowledges,
}

/// One message on one node.
struct Node {
    table: Mutex<Table>,
    is_cut: bool,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    running: AtomicUsize,
    runs: AtomicUsize,
    delivered: AtomicUsize,
    acknowledged: AtomicUsize,
    late: AtomicUsize,
    /// Replies that were lost with their run.
    cut: AtomicUsize,
}

impl Node {
    fn new(is_cut: bool) -> Arc<Self> {
        let bounds = Bounds {
            messages: 4,
            reply_bytes: 100,
            spares_unfetched: true,
        };
        Arc::new(Self {
            table: Mutex::new(Table::new(bounds, 4)),
            is_cut,
            counts: Counts::default(),
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that holds `alive` has not ended.
    async fn deliver(self: Arc<Self>, patience: Patience, alive: Alive) {
        loop {
            let arrival = Instant::now();
            let key = Key::new(["message"]);
            let ttls = Ttls::new(Duration::from_secs(5));
            let admission = self
                .table()
                .claim(key, ttls, arrival, Instant::now(), || Ok(()));
            let waiting = match admission {
                Admission::Run(waiting, _, ()) => {
                    let message = Message {
                        node: Arc::clone(&self),
                        task: Arc::clone(waiting.task()),
                        has_reply: false,
                        _alive: alive.clone(),
                    };
                    spawn(message.run());
                    waiting
                }
                Admission::Join(waiting) => waiting,
                Admission::Replied(_) => {
                    self.counts.delivered.fetch_add(1, SeqCst);
                    return;
                }
                Admission::Done => return,
                Admission::NoPermit | Admission::Full => panic!("there is room"),
            };
            let task = waiting.task();
            let ended = pin!(task.reaches(Milestone::Ended));
            match patience {
                Patience::Waits => ended.await,
                Patience::Leaves | Patience::Acknowledges => {
                    if let Either::Right(_) = select(ended, pin!(timer())).await {
                        if let Patience::Leaves = patience {
                            return;
                        }
                        let acknowledged =
                            self.table().acknowledge(task.claim, None, Instant::now());
                        match acknowledged {
                            Some(Acknowledged::Recorded) => {
                                self.counts.acknowledged.fetch_add(1, SeqCst);
                                return;
                            }
                            Some(Acknowledged::Replied(_)) => {
                                self.counts.delivered.fetch_add(1, SeqCst);
                                return;
                            }
                            // The run was lost: look again.
                            None => {}
                        }
                    }
                }
            }
        }
    }
}

/// A message's task.
struct Message {
    node: Arc<Node>,
    task: Arc<Task>,
    has_reply: bool,
    _alive: Alive,
}

type Alive = mpsc::Sender<()>;

impl Message {
    async fn run(mut self) {
        if !self.node.is_cut {
            return self.run_to_end().await;
        }
        let is_cut = {
            let run = pin!(self.run_to_end());
            matches!(select(run, pin!(timer())).await, Either::Right(_))
        };
        // A message that is cut is abandoned as it is dropped.
        drop((self, is_cut));
    }

    async fn run_to_end(&mut self) {
        let counts = &self.node.counts;
        assert_eq!(counts.running.fetch_add(1, SeqCst), 0, "one run at a time");
        counts.runs.fetch_add(1, SeqCst);
        let run = Running(&counts.running);
        timer().await;
        drop(run);
        self.has_reply = true;
        let reply = StoredResponse::new(StatusCode::OK, None, b"reply");
        let (claim, now) = (self.task.claim, Instant::now());
        let completed = self.node.table().complete(claim, Some(&reply), now);
        let is_late = match completed {
            Completed::Stored => {
                let fetched = pin!(self.task.reaches(Milestone::Fetched));
                let is_over = matches!(select(fetched, pin!(timer())).await, Either::Right(_));
                is_over && self.node.table().release(claim, now) == Released::LastHold
            }
            Completed::Acknowledged => true,
            Completed::Lost => panic!("a message is its task's"),
        };
        self.has_reply = false;
        self.node
            .counts
            .late
            .fetch_add(usize::from(is_late), SeqCst);
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        let (claim, now) = (self.task.claim, Instant::now());
        let mut table = self.node.table();
        let is_acknowledged = table.is_acknowledged(claim, now);
        let released = table.release(claim, now);
        let counts = &self.node.counts;
        match released {
            Released::NotCompleted => {
                let lost = usize::from(self.has_reply || is_acknowledged);
                counts.cut.fetch_add(lost, SeqCst);
            }
            Released::LastHold if self.has_reply => {
                counts.late.fetch_add(1, SeqCst);
            }
            _ => {}
        }
    }
}

/// Counts a run until it is dropped.
struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Ends at any time.
async fn timer() {
    let (fire, fired) = oneshot::channel();
    spawn(async move {
        // Nobody may wait for it any more.
        let _ = fire.send(());
    });
    // It is always sent.
    let _ = fired.await;
}

/// One schedule of these deliveries. A node that `is_cut` ends its tasks at any time.
fn schedule(deliveries: &[Patience], is_cut: bool) {
    let node = Node::new(is_cut);
    let (alive, mut all_over) = mpsc::channel(1);
    for patience in deliveries {
        spawn(Arc::clone(&node).deliver(*patience, alive.clone()));
    }
    drop(alive);
    // Nobody sends.
    assert_eq!(block_on(all_over.recv()), None);
    let count = |counter: &AtomicUsize| counter.load(SeqCst);
    let counts = &node.counts;
    let (delivered, late, cut) = (
        count(&counts.delivered),
        count(&counts.late),
        count(&counts.cut),
    );
    assert!(late <= 1, "handed over once");
    assert!(
        delivered == 0 || late == 0,
        "delivered or handed over, never both"
    );
    if is_cut {
        // A run that was cut may have been somebody's: it is counted, or a later run has replied.
        let acknowledged = count(&counts.acknowledged);
        assert!(
            delivered + late + cut > 0 || acknowledged == 0,
            "never neither"
        );
    } else {
        assert_eq!(count(&counts.runs), 1, "one run");
        assert_eq!(usize::from(delivered > 0) + late, 1, "never neither");
        assert_eq!(cut, 0);
    }
    assert!(node.table().tasks.is_empty(), "nothing is left running");
}

/// Small cases in every order. The numbers are asserted, so that no order is left out unseen.
#[test]
fn every_schedule_of_one_delivery_has_one_way_out() {
    use Patience::{Acknowledges, Leaves, Waits};
    for (delivery, is_cut, count) in [
        (Waits, false, 581),
        (Leaves, false, 73_714),
        (Acknowledges, false, 85_390),
    ] {
        let scheduler = shuttle::scheduler::DfsScheduler::new(None, false);
        let runner = shuttle::Runner::new(scheduler, shuttle::Config::new());
        let explored = runner.run(move || schedule(&[delivery], is_cut));
        assert_eq!(explored, count, "{delivery:?}");
    }
}

/// Larger ones in random orders: some by default, a million in `.ci/long`.
#[test]
fn random_schedules_have_one_way_out() {
    use Patience::{Acknowledges, Leaves, Waits};
    let count = std::env::var("WECHAT_SCHEDULES").ok();
    let count = count.and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let cases: [(&[Patience], bool); 5] = [
        (&[Waits, Leaves, Acknowledges], false),
        (&[Leaves, Acknowledges, Acknowledges, Waits], false),
        (&[Waits], true),
        (&[Acknowledges, Leaves, Waits], true),
        (&[Leaves, Leaves, Acknowledges, Acknowledges], true),
    ];
    for (deliveries, is_cut) in cases {
        let explored = count / cases.len();
        shuttle::check_random(move || schedule(deliveries, is_cut), explored);
        eprintln!("{deliveries:?}, cut: {is_cut}: {explored} schedules");
    }
}
