//! One voice message, borrowed, beside RapidXML, which parses in place. Compare ratios within one run.
//!
//! RapidXML runs in a child process, which measures itself. Without a C++ compiler and Debian's librapidxml-dev, its row
//! is skipped.

use std::{
    borrow::Cow,
    hint::black_box,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    time::Duration,
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde::Deserialize;
use tower_wechat::xml;

use peers::questions::VOICE;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Voice<'a> {
    #[serde(borrow)]
    to_user_name: Cow<'a, str>,
    #[serde(borrow)]
    from_user_name: Cow<'a, str>,
    create_time: u64,
    #[serde(borrow)]
    msg_type: Cow<'a, str>,
    #[serde(borrow)]
    media_id: Cow<'a, str>,
    #[serde(borrow)]
    format: Cow<'a, str>,
    #[serde(borrow)]
    recognition: Cow<'a, str>,
    msg_id: u64,
}

fn voice(c: &mut Criterion) {
    let mut group = c.benchmark_group("borrow a voice message");
    group.throughput(Throughput::Bytes(VOICE.len() as u64));
    group.bench_function("tower-wechat", |b| {
        b.iter(|| xml::from_str::<Voice<'_>>(black_box(VOICE)));
    });
    match RapidXml::start() {
        Some(mut rapidxml) => {
            group.bench_function("RapidXML 1.13, in place", |b| b.iter_custom(|count| rapidxml.read(count)));
        }
        None => eprintln!("\nSKIPPED: RapidXML. It needs a C++ compiler and librapidxml-dev.\n"),
    }
    group.finish();
}

struct RapidXml {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl RapidXml {
    /// `None` if it cannot be compiled.
    fn start() -> Option<Self> {
        let program = format!("{}/rapidxml", env!("CARGO_TARGET_TMPDIR"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/foreign/rapidxml.cpp");
        let compiled = Command::new("c++").args(["-std=c++17", "-O3", "-o", &program, source]).status();
        if !compiled.is_ok_and(|status| status.success()) {
            return None;
        }
        let mut child = Command::new(program)
            .arg(VOICE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program that was just compiled");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut rapidxml = Self { child, output };
        rapidxml.read_the_same();
        Some(rapidxml)
    }

    fn read_the_same(&mut self) {
        let voice: Voice<'_> = xml::from_str(VOICE).expect("reads");
        let fields = [
            &*voice.to_user_name,
            &*voice.from_user_name,
            &voice.create_time.to_string(),
            &*voice.msg_type,
            &*voice.media_id,
            &*voice.format,
            &*voice.recognition,
            &voice.msg_id.to_string(),
        ];
        for field in fields {
            assert_eq!(self.line(), field);
        }
    }

    /// Reads the message `count` times.
    fn read(&mut self, count: u64) -> Duration {
        let input = self.child.stdin.as_mut().expect("piped");
        writeln!(input, "{count}").expect("a living child");
        Duration::from_nanos(self.line().parse().expect("nanoseconds"))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a living child");
        line.truncate(line.trim_end().len());
        line
    }
}

impl Drop for RapidXml {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

criterion_group!(benches, voice);
criterion_main!(benches);
