//! A steady load for minutes: every message is answered as it should be, and resident memory stays flat.
//!
//! ```sh
//! cargo run --release --bin soak -- [SECONDS, 600] [MESSAGES a second, 500]
//! ```

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hosts::load::{FALLBACK, Host, Memory, Order, Random, Report, Verdict, quantile, seed, serve};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    task::JoinSet,
    time::{self, Instant, MissedTickBehavior},
};
use tower_wechat::simulator::{FaultKind, Part, Push, RequestBody, Shown, Simulator, Transcript};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("serve") {
        serve(CAPACITY).await;
        return Ok(ExitCode::SUCCESS);
    }
    let seconds = first.map_or(Ok(600), |seconds| seconds.parse())?;
    let rate = arguments.next().map_or(Ok(500), |rate| rate.parse())?;
    let is_sound = soak(Duration::from_secs(seconds), rate).await?;
    Ok(if is_sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn soak(lasts: Duration, rate: u32) -> Result<bool, Box<dyn Error>> {
    let seed = seed();
    println!(
        "seed {seed}, {rate} messages a second for {} s",
        lasts.as_secs()
    );
    let (host, mut reports) = Host::start().await?;
    let books = Arc::new(Books::default());
    let told = tokio::spawn({
        let books = Arc::clone(&books);
        async move {
            while let Some(report) = reports.next().await {
                books.record(report);
            }
        }
    });

    let start = Instant::now();
    let watch = tokio::spawn(watch(host.memory(), start, lasts));
    let standstill = send(&host, &books, start, lasts, rate, seed).await;
    let sent_for = start.elapsed();
    let memory = watch.await?;

    // The host drains: hooks of clients that have gone are called within 6 s.
    let Host {
        stdin, mut process, ..
    } = host;
    drop(stdin);
    let ended = time::timeout(Duration::from_secs(30), process.wait()).await??;
    told.await?;

    let is_flat = memory.judge();
    let is_right = books.judge(lasts, rate);
    println!(
        "the last answer came after {:.0} s; the longest standstill of this program was {} ms",
        sent_for.as_secs_f64(),
        standstill.as_millis()
    );
    Ok(is_flat && is_right && ended.success())
}

/// Sends the messages, each at its time however slow the others are. On a machine that stands still, it leaves out those
/// whose time has passed: all at once they would be another load. Returns the longest standstill.
async fn send(
    host: &Host,
    books: &Arc<Books>,
    start: Instant,
    lasts: Duration,
    rate: u32,
    seed: u64,
) -> Duration {
    let wechats = host.wechats();
    // Shorter than the time after which the host closes a connection that is not used.
    let client = Client::builder(TokioExecutor::new())
        .pool_idle_timeout(Duration::from_secs(1))
        .build_http();
    let mut tick = time::interval(Duration::from_secs(1) / rate);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut clients = JoinSet::new();
    let mut id = 0;
    let mut before = start;
    let mut standstill = Duration::ZERO;
    while start.elapsed() < lasts {
        tick.tick().await;
        standstill = standstill.max(before.elapsed());
        before = Instant::now();
        id += 1;
        let mut random = Random(seed ^ (id << 20));
        let kind = Kind::draw(&mut random);
        let wechat = wechats[(id % 2) as usize].clone();
        let (client, books) = (client.clone(), Arc::clone(books));
        clients.spawn(async move {
            let case = kind.play(id, random, &wechat, &client).await;
            books.close(id, case);
        });
        while clients.try_join_next().is_some() {}
    }
    clients.join_all().await;
    standstill
}

type Http = Client<HttpConnector, RequestBody>;

/// What is special about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Nothing: a text, answered at once.
    Text,
    /// A menu event, which has no id.
    Click,
    /// The handler shows nothing.
    Nothing,
    /// Each delivery comes twice at the same time.
    Twice,
    /// It comes again some seconds later.
    Again,
    /// The first answers are lost.
    Lost,
    /// The body arrives within a second.
    SlowBody,
    /// The handler takes up to 4 s.
    Slow,
    /// The handler takes 4 to 6 s: perhaps longer than WeChat waits, or than this layer lets it wait.
    TooSlow,
    /// The first run fails.
    FailsOnce,
    /// All runs fail.
    Fails,
    /// The client hangs up during the run, and comes back.
    ComesBack,
    /// The client hangs up during the run, and never comes back.
    Gone,
    /// It has a wrong signature, or a changed part, or has lost its encryption.
    Forged,
    /// It is signed and no message.
    Unreadable,
}

impl Kind {
    fn draw(random: &mut Random) -> Self {
        let mut part = random.below(1000);
        for (kind, parts) in [
            (Self::Text, 390),
            (Self::Click, 60),
            (Self::Nothing, 80),
            (Self::Twice, 90),
            (Self::Again, 50),
            (Self::Lost, 30),
            (Self::SlowBody, 10),
            (Self::Slow, 90),
            (Self::TooSlow, 40),
            (Self::FailsOnce, 30),
            (Self::Fails, 10),
            (Self::ComesBack, 30),
            (Self::Gone, 10),
            (Self::Forged, 70),
        ] {
            match part.checked_sub(parts) {
                Some(rest) => part = rest,
                None => return kind,
            }
        }
        Self::Unreadable
    }

    fn order(self, id: u64, random: &mut Random) -> Order {
        let (verdict, takes) = match self {
            Self::Nothing => (Verdict::Nothing, random.millis(0, 20)),
            Self::Slow => (Verdict::Answer, random.millis(20, 4000)),
            Self::TooSlow => (Verdict::Answer, random.millis(4000, 6000)),
            Self::FailsOnce => (Verdict::Second, random.millis(0, 500)),
            Self::Fails => (Verdict::Never, random.millis(0, 100)),
            Self::ComesBack | Self::Gone => (Verdict::Answer, random.millis(1000, 4000)),
            _ => (Verdict::Answer, random.millis(0, 20)),
        };
        Order { id, verdict, takes }
    }

    async fn play(self, id: u64, mut random: Random, wechat: &Simulator, client: &Http) -> Case {
        let order = self.order(id, &mut random);
        let push = match self {
            Self::Click => wechat.event("CLICK").field("EventKey", order),
            Self::Unreadable => wechat.xml(format!("<xml><FromUserName>{order}")),
            _ => wechat.text(order.to_string()),
        };
        let mut case = Case::new(self, order);
        match self {
            Self::Twice => case.add(push.duplicate().deliver(client.clone()).await),
            Self::Lost => {
                let losses = 1 + random.below(2) as usize;
                case.add(push.lose_answers(losses).deliver(client.clone()).await);
            }
            Self::Again => {
                case.add(push.clone().deliver(client.clone()).await);
                time::sleep(random.millis(0, 20_000)).await;
                case.add(push.deliver(client.clone()).await);
            }
            Self::SlowBody => {
                let over = Duration::from_secs(1);
                case.add(push.deliver_slowly(over, client.clone()).await);
            }
            Self::ComesBack => {
                case.hang_up(&push, client, &mut random).await;
                time::sleep(random.millis(0, 3000)).await;
                case.add(push.deliver(client.clone()).await);
            }
            Self::Gone => case.hang_up(&push, client, &mut random).await,
            Self::Forged => {
                // Plain mode signs no body, and has no encryption.
                let attacks = if id.is_multiple_of(2) { 5 } else { 3 };
                let push = match random.below(attacks) {
                    0 => push.forge_signature(),
                    1 => push.tamper(Part::Timestamp),
                    2 => push.tamper(Part::Nonce),
                    3 => push.tamper(Part::Body),
                    _ => push.downgrade(),
                };
                case.add(push.deliver(client.clone()).await);
            }
            _ => case.add(push.deliver(client.clone()).await),
        }
        case
    }
}

/// A message, and what came of it on WeChat's side.
struct Case {
    kind: Kind,
    order: Order,
    transcripts: Vec<Transcript>,
    /// Requests whose client hung up by itself.
    hung_up: u32,
    /// The client hung up so late that the answer may have been on its way.
    is_undecided: bool,
    /// What the host has told of it.
    runs: u32,
    late: u32,
}

impl Case {
    fn new(kind: Kind, order: Order) -> Self {
        Self {
            kind,
            order,
            transcripts: Vec::new(),
            hung_up: 0,
            is_undecided: false,
            runs: 0,
            late: 0,
        }
    }

    fn add(&mut self, transcript: Transcript) {
        self.transcripts.push(transcript);
    }

    /// Delivers once, and hangs up during the run.
    async fn hang_up(&mut self, push: &Push, client: &Http, random: &mut Random) {
        let takes = self.order.takes;
        let start = Instant::now();
        // The host has read the request by then.
        let patience = random.millis(200, takes.as_millis() as u64 - 300);
        let delivery = push.clone().deliver(client.clone());
        self.is_undecided = time::timeout(patience, delivery).await.is_ok();
        self.is_undecided |= start.elapsed() + Duration::from_millis(50) > takes;
        self.hung_up += 1;
    }

    fn requests(&self) -> usize {
        let deliveries = self.transcripts.iter().map(|it| it.deliveries().len());
        deliveries.sum::<usize>() + self.hung_up as usize
    }

    fn shows(&self, text: &str) -> bool {
        let mut shown = self.transcripts.iter().map(Transcript::shown);
        shown.any(|shown| shown.text() == Some(text))
    }

    fn statuses(&self) -> impl Iterator<Item = Option<u16>> {
        let deliveries = self.transcripts.iter().flat_map(Transcript::deliveries);
        deliveries.map(|delivery| delivery.status().map(|status| status.as_u16()))
    }

    fn has_fault(&self, kind: FaultKind) -> bool {
        let mut deliveries = self.transcripts.iter().flat_map(Transcript::deliveries);
        deliveries.any(|it| it.fault().is_some_and(|fault| fault.kind() == kind))
    }

    /// Says what is wrong with it, if anything.
    fn fault(&self) -> Option<&'static str> {
        if self.statuses().flatten().any(|status| status >= 500) {
            return Some("a 5xx");
        }
        if self.has_fault(FaultKind::Connection) {
            return Some("a broken connection");
        }
        let shows_fault = |it: &Transcript| *it.shown() == Shown::Fault;
        // A forged delivery is answered with the user seeing nothing of it.
        if self.transcripts.iter().any(shows_fault) {
            return Some("the user sees a fault");
        }
        let wanted_runs = match self.kind {
            Kind::Forged | Kind::Unreadable => 0,
            Kind::FailsOnce => 2,
            Kind::Fails => 3,
            _ => 1,
        };
        if self.runs != wanted_runs {
            return Some(if self.runs < wanted_runs {
                "too few runs"
            } else {
                "too many runs"
            });
        }
        let gets_answer = self.shows(&self.order.answer());
        let gets_fallback = self.shows(FALLBACK);
        match self.kind {
            Kind::Forged => {
                let is_rejected = self.statuses().all(|it| it == Some(403) || it == Some(400));
                (!is_rejected).then_some("a forged delivery is accepted")
            }
            Kind::Unreadable | Kind::Nothing => {
                let is_accepted = self.statuses().all(|it| it == Some(200));
                let is_silent = !gets_answer && !gets_fallback && self.late == 0;
                (!is_accepted || !is_silent).then_some("something is shown")
            }
            Kind::Fails => {
                (!gets_fallback || gets_answer || self.late != 0).then_some("not the fallback")
            }
            _ if self.is_undecided => (self.late > 1).then_some("given twice"),
            Kind::Gone => (self.late != 1).then_some("not handed over once"),
            _ => match (gets_answer, self.late) {
                (true, 0) => match self.kind {
                    // Each delivery of a message gets its one reply.
                    Kind::Again | Kind::Twice => {
                        let is_accepted = self.statuses().all(|it| it == Some(200));
                        let mut shown = self.transcripts.iter().map(Transcript::shown);
                        let answer = self.order.answer();
                        let is_same = shown.all(|it| it.text() == Some(&answer));
                        (!is_accepted || !is_same).then_some("a duplicate gets another answer")
                    }
                    _ => None,
                },
                (true, _) => Some("given twice"),
                (false, 0) => Some("lost"),
                (false, 1) if gets_fallback && self.kind == Kind::TooSlow => None,
                (false, 1) => Some("late without need"),
                (false, _) => Some("given twice"),
            },
        }
    }
}

/// All messages: those that are sent and those of which the host has told.
#[derive(Default)]
struct Books(Mutex<BTreeMap<u64, Page>>);

#[derive(Default)]
struct Page {
    runs: u32,
    late: u32,
    case: Option<Case>,
}

impl Books {
    fn pages(&self) -> MutexGuard<'_, BTreeMap<u64, Page>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, report: Report) {
        match report {
            Report::Port(_) => {}
            Report::Run(id) => self.pages().entry(id).or_default().runs += 1,
            Report::Late(id) => self.pages().entry(id).or_default().late += 1,
        }
    }

    fn close(&self, id: u64, case: Case) {
        self.pages().entry(id).or_default().case = Some(case);
    }

    /// Prints the table of all messages. Returns whether there was nothing wrong.
    fn judge(&self, lasts: Duration, asked: u32) -> bool {
        let mut kinds = BTreeMap::<Kind, [usize; 6]>::new();
        let mut faults = BTreeMap::<(Kind, &str), Vec<u64>>::new();
        let mut quick = Vec::new();
        let mut lost_clients = 0;
        let mut requests = 0;
        for (id, page) in std::mem::take(&mut *self.pages()) {
            let Some(mut case) = page.case else {
                lost_clients += 1;
                continue;
            };
            (case.runs, case.late) = (page.runs, page.late);
            requests += case.requests();
            let deliveries = case.transcripts.iter().flat_map(Transcript::deliveries);
            if matches!(case.kind, Kind::Text | Kind::Click) {
                quick.extend(deliveries.map(|it| it.took().saturating_sub(case.order.takes)));
            }
            let fault = case.fault();
            let row = kinds.entry(case.kind).or_default();
            row[0] += 1;
            row[1] += case.requests();
            row[2] += case.runs as usize;
            row[3] += usize::from(case.shows(&case.order.answer()));
            row[4] += case.late as usize;
            row[5] += usize::from(fault.is_some());
            if let Some(fault) = fault {
                faults.entry((case.kind, fault)).or_default().push(id);
            }
        }
        println!(
            "{:<12}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
            "kind", "messages", "requests", "runs", "answered", "late", "wrong"
        );
        for (kind, [messages, requests, runs, answered, late, wrong]) in &kinds {
            let kind = format!("{kind:?}");
            println!(
                "{kind:<12}{messages:>10}{requests:>10}{runs:>10}{answered:>10}{late:>10}{wrong:>10}"
            );
        }
        for ((kind, fault), ids) in &faults {
            let some = &ids[..ids.len().min(8)];
            println!("{kind:?}: {fault}: {} times, such as {some:?}", ids.len());
        }
        quick.sort_unstable();
        let rate = requests as f64 / lasts.as_secs_f64();
        println!("{requests} requests, {rate:.0} a second");
        let is_enough = rate >= f64::from(asked);
        if !is_enough {
            println!("asked were {asked} a second: this machine is too busy");
        }
        println!(
            "answers to quick messages, without the handler's time: median {:.1} ms, p99 {:.1} ms",
            quantile(&quick, 500).as_secs_f64() * 1e3,
            quantile(&quick, 990).as_secs_f64() * 1e3
        );
        if lost_clients > 0 {
            println!("{lost_clients} messages of which only the host knows");
        }
        faults.is_empty() && lost_clients == 0 && is_enough
    }
}

/// The host's memory in KiB, once a second.
struct Resident {
    samples: Vec<u64>,
    lasts: Duration,
}

async fn watch(memory: Memory, start: Instant, lasts: Duration) -> Resident {
    let mut samples = Vec::new();
    let mut tick = time::interval(Duration::from_secs(1));
    while start.elapsed() < lasts {
        tick.tick().await;
        samples.push(memory.resident());
        if samples.len() % 30 == 1 {
            let at = start.elapsed().as_secs();
            println!("after {at} s: {} KiB resident", samples[samples.len() - 1]);
        }
    }
    Resident { samples, lasts }
}

impl Resident {
    /// Returns whether the memory was flat from the second minute on.
    fn judge(&self) -> bool {
        let Some((warm_up, rest)) = self.samples.split_at_checked(WARM_UP) else {
            println!("too short for a judgement of the memory");
            return self.lasts < Duration::from_secs(WARM_UP as u64);
        };
        let (Some(&before), Some(&most)) = (warm_up.last(), rest.iter().max()) else {
            return false;
        };
        let last = rest[rest.len() - 1];
        let growth = |now: u64| 100.0 * (now as f64 / before as f64 - 1.0);
        println!(
            "resident after {WARM_UP} s: {before} KiB; most since then {most} KiB ({:+.2} %), at the end {last} KiB ({:+.2} %)",
            growth(most),
            growth(last)
        );
        growth(most) < 5.0
    }
}

/// In seconds. Until then the replies that are kept for a minute have filled up, and so has the table.
const WARM_UP: usize = 120;

/// The messages that the host remembers. They are sent within the first minute and a half.
///
/// A full hash table whose entries come and go doubles once more, after up to three times as many entries as it has.
/// With this number it does so at once, so that the two minutes of warm-up contain it.
const CAPACITY: usize = 28_000;
