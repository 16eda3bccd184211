//! The post office: a thread that delivers messages, with its own clock.

use std::{sync::Arc, thread, time::SystemTime};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    runtime::Builder,
    sync::mpsc,
    time::{self, Instant},
};
use tower::{BoxError, Service, ServiceExt, util::BoxCloneSyncService};
use tower_wechat::{
    Account, Api,
    simulator::{APP_SECRET, Simulator},
};

use crate::{
    arguments::APP_ID,
    bot::{bot, personal_bot},
    calls::RecordedApi,
    chat::Chat,
    exchange::Exchange,
    letter::{Clock, Language, Letter, Mode},
    recorder::Recorder,
};

/// Delivers letters in the order of arrival, several at a time.
#[derive(Clone)]
pub(crate) struct Office {
    letters: mpsc::UnboundedSender<(u64, Letter)>,
}

/// The sender and the receiver of deliveries in one mode.
#[derive(Clone)]
struct Line {
    wechat: Simulator,
    api: RecordedApi,
    target: Target,
    /// The built-in bot of an account without the customer-service API, in English and in Chinese.
    personal: Option<[Target; 2]>,
    /// The account, if it is encrypted.
    account: Option<Account>,
}

impl Office {
    /// Starts an office that delivers to a server. Returns the API for that server too.
    pub(crate) fn to_server(
        chat: Arc<Chat>,
        url: &Uri,
        account: Account,
        mode: Mode,
    ) -> Result<(Self, RecordedApi), BoxError> {
        let wechat = Simulator::new(account.clone()).with_uri(url.to_string())?;
        let api = RecordedApi::new(wechat.api());
        let calls = api.clone();
        let office = Self::start(chat, Clock::Real, move |_now| {
            let client = Client::builder(TokioExecutor::new()).build_http();
            let line = Line {
                wechat,
                api: calls,
                target: target(client),
                personal: None,
                account: (mode == Mode::Safe).then_some(account),
            };
            Ok([line.clone(), line])
        })?;
        Ok((office, api))
    }

    /// Starts an office that delivers to a bot of its own, by `clock`.
    pub(crate) fn to_bot(
        chat: Arc<Chat>,
        clock: Clock,
        plain: &Account,
        safe: &Account,
    ) -> Result<Self, BoxError> {
        // Each call of the API takes the time of the thread that makes it.
        let line = |account: &Account| -> Result<_, BoxError> {
            let wechat = Simulator::new(account.clone());
            let calls = RecordedApi::new(wechat.api());
            let api = Api::new(calls.clone(), app_id(account), APP_SECRET)?;
            let account = account.clone();
            Ok(move |now: Now, mode| -> Result<Line, BoxError> {
                let clock = move || now.time();
                let personal = |language| {
                    let bot = personal_bot(account.clone(), api.clone(), clock, language)?;
                    Ok::<_, BoxError>(target(bot))
                };
                Ok(Line {
                    wechat: wechat.with_clock(clock),
                    api: calls,
                    personal: Some([personal(Language::English)?, personal(Language::Chinese)?]),
                    target: target(bot(account.clone(), api, clock)),
                    account: (mode == Mode::Safe).then_some(account),
                })
            })
        };
        let (plain, safe) = (line(plain)?, line(safe)?);
        let office = Self::start(chat, clock, move |now| {
            Ok([plain(now, Mode::Plain)?, safe(now, Mode::Safe)?])
        })?;
        Ok(office)
    }

    /// Delivers a letter. Its result goes into the chat's record `id`.
    pub(crate) fn deliver(&self, id: u64, letter: Letter) {
        // The thread runs until the program ends.
        let _ = self.letters.send((id, letter));
    }

    fn start(
        chat: Arc<Chat>,
        clock: Clock,
        lines: impl FnOnce(Now) -> Result<[Line; 2], BoxError> + Send + 'static,
    ) -> Result<Self, BoxError> {
        let (started, has_started) = std::sync::mpsc::channel();
        let (sender, mut letters) = mpsc::unbounded_channel::<(u64, Letter)>();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(clock == Clock::Simulated)
            .build()?;
        thread::Builder::new()
            .name(format!("{clock:?} time"))
            .spawn(move || {
                runtime.block_on(async {
                    let now = Now::start();
                    let [plain, safe] = match lines(now) {
                        Ok(lines) => lines,
                        Err(error) => return started.send(Err(error)),
                    };
                    started.send(Ok(()))?;
                    while let Some((id, letter)) = letters.recv().await {
                        if clock == Clock::Simulated {
                            now.catch_up().await;
                        }
                        let line = match letter.mode {
                            Mode::Plain => &plain,
                            Mode::Safe => &safe,
                        };
                        let exchange = Exchange::begin(Arc::clone(&chat), id, &letter);
                        tokio::spawn(line.clone().deliver(letter, exchange));
                    }
                    Ok(())
                })
            })?;
        has_started.recv()??;
        Ok(Self { letters: sender })
    }
}

impl Line {
    fn target(&self, letter: &Letter) -> Target {
        match (&self.personal, letter.language) {
            (Some([english, _]), Language::English) if letter.is_personal => english.clone(),
            (Some([_, chinese]), Language::Chinese) if letter.is_personal => chinese.clone(),
            _ => self.target.clone(),
        }
    }

    async fn deliver(self, letter: Letter, exchange: Exchange) {
        if !letter.is_forged() {
            self.api.follow(exchange.clone());
        }
        let recorder = Recorder::new(self.target(&letter), exchange.clone(), self.account);
        match letter.push(&self.wechat) {
            Some(push) => exchange.judge(&push.deliver(recorder).await),
            None => exchange.judge_verification(&self.wechat.verify_url(recorder).await),
        }
    }
}

/// Returns the AppID of an account. Any one is right for an account in plain mode.
pub(crate) fn app_id(account: &Account) -> &str {
    match account.name() {
        "" => APP_ID,
        app_id => app_id,
    }
}

/// The wall clock, derived from the runtime's clock.
#[derive(Debug, Clone, Copy)]
struct Now {
    start: Instant,
    wall: SystemTime,
}

impl Now {
    fn start() -> Self {
        Self {
            start: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    fn time(self) -> SystemTime {
        self.wall + self.start.elapsed()
    }

    /// Advances simulated time to the present. It stands still while no task waits, but messages need the current time.
    async fn catch_up(self) {
        if let Ok(behind) = SystemTime::now().duration_since(self.time()) {
            time::advance(behind).await;
        }
    }
}

/// A receiver of any type: a bot or a client.
pub(crate) type Target = BoxCloneSyncService<Request<Full<Bytes>>, Response<AnswerBody>, BoxError>;

pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, BoxError>;

fn target<S, B>(service: S) -> Target
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let boxed = |body: B| body.map_err(Into::into).boxed_unsync();
    let service = service
        .map_response(move |response: Response<B>| response.map(boxed))
        .map_err(Into::into);
    BoxCloneSyncService::new(service)
}
