use bot::dedup;

use super::{REQUIRED, SECRET, read};

#[tokio::test]
async fn the_required_ones_are_enough() {
    let settings = read([]).unwrap();
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert!(settings.api.is_none() && settings.recognizer.is_none() && settings.redis.is_none());
    // As a file of `docker run --env-file` has them.
    assert!(read([("REDIS_URL", ""), ("WECHAT_APP_SECRET", "")]).is_ok());
}

#[tokio::test]
async fn each_missing_one_has_a_line() {
    let error = read(REQUIRED.map(|(name, _)| (name, ""))).unwrap_err();
    let lines = "WECHAT_TOKEN: not set\nWECHAT_APP_ID: not set\nWECHAT_AES_KEY: not set";
    assert_eq!(error, lines);
}

#[tokio::test]
async fn each_wrong_one_has_a_line_that_shows_no_secret() {
    let wrong = [
        ("WECHAT_TOKEN", "rosebud7 "),
        ("WECHAT_APP_ID", "wx 0a1b"),
        (
            "WECHAT_AES_KEY",
            "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQ",
        ),
        ("LISTEN", "8080"),
        ("REDIS_URL", "localhost"),
        ("WECHAT_APP_SECRET", "0123456789abcdef "),
        ("RECOGNIZER_URL", "whisper"),
        ("RECOGNIZER_KEY", "sk-0a1b2c\n"),
    ];
    let error = read(wrong).unwrap_err();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), wrong.len(), "{error}");
    for (name, value) in wrong {
        let line = lines
            .iter()
            .find(|line| line.starts_with(&format!("{name}: ")));
        let line = line.unwrap_or_else(|| panic!("{name} is not in {error}"));
        assert!(
            !name.contains("KEY") || !line.contains(value.trim()),
            "{line}"
        );
    }
    assert!(error.contains("42 characters instead of 43"), "{error}");
}

#[tokio::test]
async fn what_belongs_together_is_checked_together() {
    let swapped = [
        ("WECHAT_TOKEN", "wx0a1b2c3d4e5f6071"),
        ("WECHAT_APP_ID", "rosebud7"),
    ];
    let error = read(swapped).unwrap_err();
    assert!(error.contains("the token looks like an app id"), "{error}");
    let recognizer = (
        "RECOGNIZER_URL",
        "http://127.0.0.1:8000/v1/audio/transcriptions",
    );
    let error = read([recognizer]).unwrap_err();
    assert_eq!(
        error,
        "RECOGNIZER_URL: needs WECHAT_APP_SECRET, to fetch the recordings"
    );
    assert!(read([recognizer, SECRET]).unwrap().recognizer.is_some());
    let error = read([SECRET, ("WECHAT_API_URL", "ftp://127.0.0.1")]).unwrap_err();
    assert!(error.starts_with("WECHAT_API_URL: "), "{error}");
}

/// The list has an example of each.
#[tokio::test]
async fn the_listed_examples_are_read() {
    let list = include_str!("../../bot.env").lines();
    let settings = list.map(|line| line.trim_start_matches('#'));
    let settings = read(settings.filter_map(|line| line.split_once('=')));
    let settings = settings.unwrap();
    assert_eq!(settings.listen.to_string(), "0.0.0.0:8080");
    assert!(settings.api.is_some() && settings.recognizer.is_some() && settings.redis.is_some());
}

/// The clock stands still, so that the waits between the tries to connect take no time.
#[tokio::test(start_paused = true)]
async fn a_redis_that_is_not_there_is_named() {
    // Nothing listens there.
    let settings = read([("REDIS_URL", "redis://127.0.0.1:1/")]).unwrap();
    let error = dedup(&settings).await.unwrap_err().to_string();
    let expected = "REDIS_URL: no Redis at 127.0.0.1:1: ";
    assert!(error.starts_with(expected), "{error}");
}
