//! WeChat's API and the chats: outside the nodes, so that they outlive them.

use std::{net::Ipv4Addr, time::Duration};

use http::{Request, StatusCode, Uri};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
    time::sleep,
};
use tower::ServiceExt;
use tower_wechat::simulator::{ApiCall, ApiFailure, Simulator};

use super::{
    super::{
        evidence::ALL_NODES,
        log::{Event, Log},
        node::account,
        random::Random,
    },
    users::{ACCOUNTS, Setup},
};

/// WeChat's side of each account.
pub(super) struct WeChat {
    accounts: Vec<Simulator>,
    port: u16,
    serving: AbortHandle,
    failing: Vec<AbortHandle>,
}

impl WeChat {
    /// Serves the API of all accounts.
    pub(super) async fn start() -> Self {
        let accounts = ACCOUNTS.map(|(name, _)| Simulator::new(account(name).unwrap()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accounts = accounts.to_vec();
        let serving = accounts.clone();
        let serve = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, serving.clone()));
            }
        });
        Self {
            accounts,
            port,
            serving: serve.abort_handle(),
            failing: Vec::new(),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn account(&self, number: usize) -> &Simulator {
        &self.accounts[number]
    }

    /// Makes calls of the API fail now and then, until [`recover`](Self::recover).
    pub(super) fn fail(&mut self, seed: u64, log: &Log) {
        for (number, (name, setup)) in ACCOUNTS.into_iter().enumerate() {
            if setup == Setup::CustomerService {
                let (api, log) = (self.accounts[number].api(), log.clone());
                let mut random = Random::new(seed, FAILURES ^ u64::from(name.as_bytes()[0]));
                let failing = tokio::spawn(async move {
                    loop {
                        sleep(random.milliseconds(1_000..8_000)).await;
                        let (count, failure) = (1 + random.below(2), pick(&mut random));
                        let text = format!("{count} sends of {name}: {failure:?}");
                        log.write(ALL_NODES, "", Event::ApiFails(text));
                        api.fail_next(count, ApiCall::Send, failure);
                    }
                });
                self.failing.push(failing.abort_handle());
            }
        }
    }

    pub(super) fn recover(&self) {
        self.failing.iter().for_each(AbortHandle::abort);
        for account in &self.accounts {
            account.api().recover();
        }
    }
}

impl Drop for WeChat {
    fn drop(&mut self) {
        self.recover();
        self.serving.abort();
    }
}

fn pick(random: &mut Random) -> ApiFailure {
    match random.below(16) {
        0..3 => ApiFailure::Busy,
        3..6 => ApiFailure::EndedToken,
        6..9 => ApiFailure::Errcode(45_047),
        9 => ApiFailure::Errcode(45_015),
        10 => ApiFailure::Errcode(43_004),
        11..13 => ApiFailure::LostAnswer,
        13 => ApiFailure::HalfAnswer,
        14 => ApiFailure::Slow(Duration::from_secs(3)),
        _ => ApiFailure::Status(StatusCode::BAD_GATEWAY),
    }
}

/// The first segment of the path names the account. A failure of the service breaks the connection.
async fn serve(stream: TcpStream, accounts: Vec<Simulator>) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        let path = request.uri().path_and_query().unwrap().as_str();
        let mut segments = path.splitn(3, '/').skip(1);
        let (name, rest) = (segments.next().unwrap(), segments.next().unwrap());
        let number = ACCOUNTS.iter().position(|(account, _)| *account == name);
        *request.uri_mut() = format!("/{rest}").parse::<Uri>().unwrap();
        accounts[number.unwrap()].api().oneshot(request)
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = connection.await;
}

/// The purpose of the random numbers.
const FAILURES: u64 = 7;
