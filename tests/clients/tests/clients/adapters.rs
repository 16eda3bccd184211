//! Each client that the docs of `api` name.

use std::{
    convert::Infallible,
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use clients::{APP_ID, APP_SECRET, Server, adapters, plain};
use http::{Request, Response, StatusCode, header::LOCATION};
use hyper::body::Incoming;
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tower::{BoxError, service_fn};
use tower_wechat::{
    Account, Api,
    api::{Error, ErrorKind},
    simulator::{RequestBody, Simulator, USER},
};

#[tokio::test]
async fn hyper_util() {
    check(adapters::hyper_util_plain).await;
}

#[tokio::test]
async fn reqwest_0_12() {
    let shown = check(adapters::reqwest_0_12).await;
    // reqwest shows the URL, so there was something to remove.
    assert!(shown.contains("/media/get?[removed]"), "{shown}");
}

#[tokio::test]
async fn reqwest_0_13() {
    let shown = check(adapters::reqwest_0_13).await;
    assert!(shown.contains("/media/get?[removed]"), "{shown}");
}

/// As the docs have it, but for the root certificates.
#[tokio::test]
async fn hyper_util_over_tls() {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = certified.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let tls = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(tls));

    let wechat = wechat().await;
    let server = Server::new(wechat.api(), move |stream| tls.accept(stream)).await;
    let url = server.url("https", "");

    let doubting = adapters::hyper_util(APP_ID, APP_SECRET).unwrap();
    let doubting = doubting.with_base_url(&url).unwrap();
    let error = doubting.access_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Client);
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");

    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let api = adapters::hyper_util_trusting(APP_ID, APP_SECRET, tls).unwrap();
    check_calls(api.with_base_url(url).unwrap(), &wechat, server).await;
}

#[tokio::test]
async fn https_only_sends_no_secret_without_tls() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let server = Server::new(wechat().await.api(), move |stream| {
        counted.fetch_add(1, Ordering::Relaxed);
        plain(stream)
    })
    .await;
    let api = adapters::hyper_util(APP_ID, APP_SECRET).unwrap();
    let api = api.with_base_url(server.url("http", "")).unwrap();
    let error = api.access_token().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Client);
    assert!(
        error.to_string().contains("unsupported scheme http"),
        "{error}"
    );
    assert_eq!(connections.load(Ordering::Relaxed), 0);
}

type Adapter = fn(&str, &str) -> Result<Api, BoxError>;

/// Returns the texts of all errors.
async fn check(adapter: Adapter) -> String {
    let api = adapter(APP_ID, APP_SECRET).unwrap();
    check_redirects(&api).await;
    let wechat = wechat().await;
    let server = Server::new(wechat.api(), plain).await;
    let api = api.with_base_url(server.url("http", "")).unwrap();
    check_calls(api, &wechat, server).await
}

/// A WeChat whose user has sent a recording.
async fn wechat() -> Simulator {
    let wechat = Simulator::new(Account::plain("rosebud7").unwrap());
    let silent = service_fn(async |_: Request<RequestBody>| {
        Ok::<_, Infallible>(Response::new("success".to_owned()))
    });
    let voice = wechat.voice("media-1").sound(recording());
    let _ = voice.deliver(silent).await;
    wechat
}

/// 100 KiB, of all bytes.
fn recording() -> Vec<u8> {
    let noise =
        (0..100 * 1024_u32 - 6).map(|index| index.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]);
    b"#!AMR\n".iter().copied().chain(noise).collect()
}

async fn check_calls(api: Api, wechat: &Simulator, server: Server) -> String {
    let token = api.access_token().await.unwrap();
    let media = api.media("media-1").await.unwrap();
    assert!(media.as_bytes() == recording());
    api.send(USER, &"天亮了".into()).await.unwrap();
    assert_eq!(wechat.chat(USER).shown(), ["天亮了"]);
    let unknown = api.media("media-2").await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::MediaId);

    // The first call may find its connection closed. The second one finds that nobody listens.
    let _refusing = server.end().await;
    let mut errors = vec![unknown];
    for _ in 0..2 {
        errors.push(api.media("media-1").await.unwrap_err());
        errors.push(api.send(USER, &"天亮了".into()).await.unwrap_err());
    }
    for error in &errors[1..] {
        assert_eq!(error.kind(), ErrorKind::Client, "{error}");
    }
    assert!(errors[3].to_string().contains("refused"), "{}", errors[3]);

    let shown = |error: &Error| format!("{error} {error:?} {error:#?} {:?}\n", error.source());
    let shown: String = errors.iter().map(shown).collect();
    for secret in [token.as_str(), APP_SECRET, USER] {
        assert!(!shown.contains(secret), "{shown}");
    }
    shown
}

/// A proxy that redirects does not get the secret sent to where it redirects.
async fn check_redirects(api: &Api) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let elsewhere = service_fn(move |_: Request<Incoming>| {
        counted.fetch_add(1, Ordering::Relaxed);
        async {
            Ok::<_, Infallible>(Response::new(
                r#"{"access_token":"7","expires_in":7200}"#.to_owned(),
            ))
        }
    });
    let elsewhere = Server::new(elsewhere, plain).await;
    for status in [StatusCode::FOUND, StatusCode::TEMPORARY_REDIRECT] {
        let url = elsewhere.url("http", "/cgi-bin/stable_token");
        let proxy = service_fn(move |_: Request<Incoming>| {
            let response = Response::builder().status(status).header(LOCATION, &url);
            async { response.body(String::new()) }
        });
        let proxy = Server::new(proxy, plain).await;
        let api = api.clone().with_base_url(proxy.url("http", "")).unwrap();
        let error = api.access_token().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Status, "{error}");
    }
    assert_eq!(requests.load(Ordering::Relaxed), 0);
}
