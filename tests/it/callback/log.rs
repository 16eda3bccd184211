use super::*;
use crate::log;

#[tokio::test(start_paused = true)]
async fn no_secret_and_no_content_is_logged() {
    let right = ciphertext(MESSAGE);
    let (safe, body) = (query(&right), document(&right));
    let log = log::of(async || {
        // One that passes, and one for each way to fail.
        post(account(), &safe, &body).await;
        post(account(), &safe, MESSAGE).await;
        post(account(), &query(&ciphertext("another")), &body).await;
        for plaintext in [
            vec![0; 32],
            padded(vec![1; 19]),
            padded(content(MESSAGE.as_bytes(), "wxother")),
        ] {
            let encrypt = encrypt(KEY, &plaintext);
            post(account(), &query(&encrypt), &document(&encrypt)).await;
        }
        post(account(), &query("!"), &document("!")).await;
    })
    .await;
    log::check(
        &log,
        [
            &["INFO", APP_ID, "answered a message with no reply"],
            &["WARN", APP_ID, "kind=\"document\""],
            &["WARN", APP_ID, "kind=\"signature\""],
            &["ERROR", APP_ID, "kind=\"padding\""],
            &["ERROR", APP_ID, "kind=\"length\""],
            &["ERROR", APP_ID, "kind=\"receive_id\""],
            &["WARN", APP_ID, "kind=\"ciphertext\""],
        ],
    );
    let msg_signature = msg_signature(TOKEN, TIMESTAMP, NONCE, &right);
    for secret in [
        TOKEN,
        KEY,
        "你好",
        NONCE,
        &*right,
        &*msg_signature,
        "wxother",
    ] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
