//! The vectors that Tencent publishes, when a file of them is at hand.
//!
//! They are not part of this repository. `WECHAT_VECTORS` names the file, or it lies beside the folder that
//! `WECHAT_SAMPLES` names.

use std::{env, fs, path::PathBuf};

use serde_json::Value as Json;

use super::*;

fn vectors() -> Option<Json> {
    let path = env::var_os("WECHAT_VECTORS")
        .map(PathBuf::from)
        .or_else(|| {
            let samples = PathBuf::from(env::var_os("WECHAT_SAMPLES")?);
            Some(samples.parent()?.join("vectors.json"))
        });
    let Some(path) = path else {
        eprintln!("\n*** NOT RUN: no vector was read, for WECHAT_VECTORS names no file ***\n");
        return None;
    };
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_str(&text).unwrap())
}

fn text<'a>(vector: &'a Json, name: &str) -> &'a str {
    vector[name].as_str().unwrap_or_default()
}

fn clock_at(timestamp: &str) -> impl Fn() -> SystemTime + use<> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(timestamp.parse().unwrap());
    move || now
}

#[tokio::test]
async fn every_signature() {
    let Some(vectors) = vectors() else { return };
    let vectors = vectors["signature"].as_array().unwrap();
    assert!(vectors.len() >= 3);
    for vector in vectors {
        let [timestamp, nonce, signature] =
            ["timestamp", "nonce", "signature"].map(|name| text(vector, name));
        let token = Token::new(text(vector, "token")).unwrap();
        assert_eq!(
            Signature::sign(&token, [timestamp, nonce]).to_string(),
            signature
        );
        let echostr = match text(vector, "echostr") {
            "" => "1",
            echostr => echostr,
        };
        let query =
            format!("signature={signature}&timestamp={timestamp}&nonce={nonce}&echostr={echostr}");
        let layer = VerifySignatureLayer::new(Account::plain(text(vector, "token")).unwrap());
        let service = layer.with_clock(clock_at(timestamp)).layer(service_fn(
            async |_: Request<Verified>| {
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            },
        ));
        let request = Request::get(format!("/?{query}"))
            .body(Full::<Bytes>::default())
            .unwrap();
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{}", text(vector, "source"));
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            echostr
        );
    }
}

#[tokio::test]
async fn every_envelope() {
    let Some(vectors) = vectors() else { return };
    let vectors = vectors["envelope"].as_array().unwrap();
    assert!(vectors.len() >= 5);
    for vector in vectors {
        let source = text(vector, "source");
        let [token, key, receive_id, encrypt, message] = [
            "token",
            "encoding_aes_key",
            "receive_id",
            "encrypt",
            "message",
        ]
        .map(|name| text(vector, name));
        // One has no token and no signature: then any will do.
        let token = if token.is_empty() { "anytoken" } else { token };
        let timestamp = match text(vector, "timestamp") {
            "" => TIMESTAMP,
            timestamp => timestamp,
        };
        let nonce = match text(vector, "nonce") {
            "" => NONCE,
            nonce => nonce,
        };
        let computed = msg_signature(token, timestamp, nonce, encrypt);
        let published = text(vector, "msg_signature");
        if !published.is_empty() {
            assert_eq!(computed, published, "{source}");
        }

        // What other code puts together from the parts is the published ciphertext.
        let mut plaintext = content(message.as_bytes(), receive_id);
        plaintext[..16].copy_from_slice(text(vector, "random").as_bytes());
        assert_eq!(super::encrypt(key, &padded(plaintext)), encrypt, "{source}");

        let wecom = Account::wecom(token, receive_id, key).unwrap();
        let query = format!("timestamp={timestamp}&nonce={nonce}&msg_signature={computed}");
        let parsed = Query::parse(&query).unwrap();
        let opened = callback::open(&wecom, &parsed, document(encrypt)).unwrap();
        assert_eq!(opened.plaintext(), message.as_bytes(), "{source}");

        let echostr =
            percent_encoding::utf8_percent_encode(encrypt, percent_encoding::NON_ALPHANUMERIC);
        let get = format!("{query}&echostr={echostr}");
        let answer = callback::echostr(&wecom, &Query::parse(&get).unwrap());
        // Only one of them is an echostr; nobody is told what a push says.
        let is_echostr = message.bytes().all(|byte| byte.is_ascii_digit());
        assert_eq!(answer.is_ok(), is_echostr, "{source}");

        let layer = VerifySignatureLayer::new(wecom).with_clock(clock_at(timestamp));
        let seen = Arc::new(Mutex::new(Bytes::new()));
        let inner = {
            let seen = Arc::clone(&seen);
            service_fn(move |request: Request<Verified>| {
                *seen.lock().unwrap() = request.into_body().to_bytes();
                async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("success"))) }
            })
        };
        let request = Request::post(format!("/?{query}"))
            .body(Full::<Bytes>::from(document(encrypt)))
            .unwrap();
        let response = layer.layer(inner).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{source}");
        assert_eq!(*seen.lock().unwrap(), message.as_bytes(), "{source}");
    }
}
