//! SDKs in other languages: a child process that answers a question a line, see `foreign/`.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Mutex,
};

use serde_json::{Value, json};

use crate::{
    Account, Answer, Peer,
    questions::{OURSELVES, USER, VOICE},
    sealing::Delivery,
};

pub struct Foreign {
    child: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Foreign {
    /// `wechatpy` or `WeRoBot`, in the Python that `PEERS_PYTHON` names.
    pub fn python(sdk: &str) -> Self {
        let python = env::var_os("PEERS_PYTHON");
        let python = python.expect("PEERS_PYTHON, which foreign/run sets");
        Self::start(Command::new(python).args(["foreign/peer.py", sdk]))
    }

    /// `co-wechat`, which `NODE_PATH` leads to.
    pub fn node() -> Self {
        Self::start(Command::new("node").arg("foreign/peer.cjs"))
    }

    /// Nanoseconds for one voice message: the median of 15 times 1000.
    pub fn nanoseconds(&self) -> f64 {
        let nanoseconds = self.ask(&json!(["nanoseconds", VOICE]));
        nanoseconds.expect("an answer").as_f64().expect("a number")
    }

    fn start(command: &mut Command) -> Self {
        let mut child = command
            .args([USER, OURSELVES])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("an interpreter");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self {
            child,
            pipes: Mutex::new((input, output)),
        }
    }

    fn ask(&self, question: &Value) -> Answer<Value> {
        let mut pipes = self.pipes.lock().expect("no panic while asking");
        writeln!(pipes.0, "{question}").expect("a living child");
        let mut line = String::new();
        pipes.1.read_line(&mut line).expect("a living child");
        let mut answer: Value = serde_json::from_str(&line).expect("an answer");
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }

    fn ask_text(&self, question: &Value) -> Answer<String> {
        match self.ask(question)? {
            Value::String(text) => Ok(text),
            other => Err(other.to_string()),
        }
    }
}

impl Peer for Foreign {
    fn takes_signature(&self, signature: &str, timestamp: &str, nonce: &str) -> Answer<bool> {
        let answer = self.ask(&json!(["takes_signature", signature, timestamp, nonce]))?;
        answer.as_bool().ok_or_else(|| answer.to_string())
    }

    fn open(&self, account: &Account<'_>, delivery: &Delivery) -> Answer<String> {
        self.ask_text(&json!([
            "open",
            account.app_id,
            account.aes_key,
            delivery.body,
            delivery.msg_signature,
            delivery.timestamp,
            delivery.nonce
        ]))
    }

    fn read(&self, document: &str, name: &str) -> Answer<Option<String>> {
        match self.ask(&json!(["read", document, name]))? {
            Value::String(text) => Ok(Some(text)),
            _ => Ok(None),
        }
    }

    fn reply(&self, text: &str) -> Answer<String> {
        self.ask_text(&json!(["reply", text]))
    }

    fn sealed_reply(&self, account: &Account<'_>, text: &str) -> Answer<String> {
        self.ask_text(&json!([
            "sealed_reply",
            account.app_id,
            account.aes_key,
            text
        ]))
    }

    fn deliver_twice(&self, document: &str) -> Answer<(usize, bool)> {
        let answer = self.ask(&json!(["deliver_twice", document]))?;
        serde_json::from_value(answer).map_err(|error| error.to_string())
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
