//! Makes functions of the adapters in the docs of `api`, so that the tests run what a reader copies. Makes a program of the
//! READMEs' first example, which needs a client with TLS.

use std::{env, fs, path::Path};

fn main() {
    let folder = env::var_os("OUT_DIR").expect("a folder");
    let folder = Path::new(&folder);
    let [english, chinese] = READMES.map(first_example);
    assert_eq!(english, chinese, "the READMEs' first examples");
    fs::write(folder.join("readme.rs"), english).expect("a file");

    println!("cargo::rerun-if-changed={DOCS}");
    let docs = fs::read_to_string(DOCS).expect("the docs");
    let lines = docs.lines().filter_map(|line| line.strip_prefix("//!"));
    let docs = lines.collect::<Vec<_>>().join("\n");
    let (_, section) = docs.split_once("# The HTTP client").expect("a section");
    let (section, _) = section.split_once("\n # ").expect("its end");
    let mut blocks = section.split(" ```").skip(1).step_by(2);
    let mut block = |first: &str| {
        let block = blocks.next().and_then(|block| block.strip_prefix("text"));
        let block = block.expect("a block that no doctest compiles");
        assert!(block.contains(first), "expected {first}, found {block}");
        block
    };
    let hyper_util = block("hyper_rustls::");
    let reqwest = block("reqwest::");
    // In the tests, the API is on loopback: without TLS, or with a certificate of its own.
    let plain = replace(hyper_util, ".https_only()", ".https_or_http()");
    let trusting = replace(hyper_util, ".with_webpki_roots()", ".with_tls_config(tls)");
    let functions = [
        function("hyper_util", "", hyper_util),
        function("hyper_util_plain", "", &plain),
        function(
            "hyper_util_trusting",
            ", tls: rustls::ClientConfig",
            &trusting,
        ),
        function(
            "reqwest_0_12",
            "",
            &format!("use reqwest_0_12 as reqwest;{reqwest}"),
        ),
        function(
            "reqwest_0_13",
            "",
            &format!("use reqwest_0_13 as reqwest;{reqwest}"),
        ),
    ];
    fs::write(folder.join("adapters.rs"), functions.concat()).expect("a file");
}

fn first_example(readme: &str) -> String {
    println!("cargo::rerun-if-changed={readme}");
    let readme = fs::read_to_string(readme).expect("a README");
    let (_, block) = readme.split_once("```rust,ignore\n").expect("a block");
    let (block, _) = block.split_once("```").expect("its end");
    block.to_owned()
}

fn replace(block: &str, from: &str, to: &str) -> String {
    assert!(block.contains(from), "expected {from}, found {block}");
    block.replace(from, to)
}

fn function(name: &str, parameter: &str, block: &str) -> String {
    format!(
        "/// # Errors\n/// If the client or the `Api` cannot be made.\n\
         pub fn {name}(app_id: &str, app_secret: &str{parameter}) -> Result<Api, BoxError> {{\n{block}\nOk(api)\n}}\n"
    )
}

const READMES: [&str; 2] = ["../../README.md", "../../README.zh-CN.md"];
const DOCS: &str = "../../src/api/mod.rs";
