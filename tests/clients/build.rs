//! Makes functions of the adapters in the docs of `api`, so that the tests run what a reader copies.

use std::{env, fs, path::Path};

fn main() {
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
    let folder = env::var_os("OUT_DIR").expect("a folder");
    let path = Path::new(&folder).join("adapters.rs");
    fs::write(path, functions.concat()).expect("a file");
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

const DOCS: &str = "../../src/api/mod.rs";
