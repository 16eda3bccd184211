//! The bot as WeChat and its users see it, in this process and in one of its own.

mod answers;
mod dashboard;
mod nginx;
mod process;
mod settings;

use std::collections::BTreeMap;

use bot::settings::Settings;
use tower_wechat::simulator::{APP_SECRET, Simulator};

/// The least that the bot needs.
const REQUIRED: [(&str, &str); 3] = [
    ("WECHAT_TOKEN", "rosebud7"),
    ("WECHAT_APP_ID", "wx0a1b2c3d4e5f6071"),
    (
        "WECHAT_AES_KEY",
        "q3Zr8mWv5TtB1nXyK0cJd7LhP2sAe9GfUoRi4MkDwQb",
    ),
];

const SECRET: (&str, &str) = ("WECHAT_APP_SECRET", APP_SECRET);

/// Reads settings with these variables besides the required ones, or in their place.
fn read<'v>(variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Result<Settings, String> {
    let wechat = simulator();
    read_with(&wechat, variables)
}

/// The same, where this WeChat answers the calls of its API.
fn read_with<'v>(
    wechat: &Simulator,
    variables: impl IntoIterator<Item = (&'v str, &'v str)>,
) -> Result<Settings, String> {
    let variables: BTreeMap<_, _> = REQUIRED.into_iter().chain(variables).collect();
    let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    Settings::read(variable, wechat.api())
}

/// A WeChat with the account of the required settings.
fn simulator() -> Simulator {
    let [(_, token), (_, app_id), (_, aes_key)] = REQUIRED;
    let account = tower_wechat::Account::encrypted(token, app_id, aes_key);
    Simulator::new(account.expect("an account"))
}
