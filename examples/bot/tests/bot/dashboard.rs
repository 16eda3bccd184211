//! Each metric and each label that the dashboard asks for is one of the crate's.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

const DASHBOARD: &str = include_str!("../../dashboard.json");

/// The docs have a table of all metrics. A test of the crate compares it with what is recorded.
const DOCS: &str = include_str!("../../../../src/metrics.rs");

/// The type and the labels of each metric, by the table: `| name | type | labels | meaning |`.
fn documented() -> BTreeMap<&'static str, (&'static str, BTreeSet<&'static str>)> {
    let rows = DOCS
        .lines()
        .filter(|line| line.starts_with("//! | `tower_wechat_"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let labels = cells[3].split('`').skip(1).step_by(2).collect();
        (cells[1].trim_matches('`'), (cells[2], labels))
    })
    .collect()
}

/// All queries, with the legend of each.
fn queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let mut queries: Vec<_> = targets
        .map(|target| (text(&target["expr"]), text(&target["legendFormat"])))
        .collect();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    queries.extend(variables.iter().filter_map(|variable| {
        // label_values(metric, label): as the grouping that it is.
        let (metric, label) = variable["definition"].as_str()?.split_once(", ")?;
        let label = label.trim_end_matches(')');
        let metric = metric.trim_start_matches("label_values(");
        Some((format!("sum by ({label}) (rate({metric}))"), String::new()))
    }));
    queries
}

/// What stands between `before` and `after`, each time.
fn between<'t>(text: &'t str, before: &str, after: char) -> Vec<&'t str> {
    text.split(before)
        .skip(1)
        .map(|rest| rest.split(after).next().unwrap())
        .collect()
}

/// The metrics that a query names, as Prometheus has them.
fn metrics(query: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    query
        .split(|c| !is_name(c))
        .filter(|word| word.starts_with("tower_wechat_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn each_metric_and_label_exists() {
    let documented = documented();
    for (query, legend) in queries() {
        let found = metrics(&query);
        assert!(!found.is_empty(), "{query}");
        for metric in found {
            let bucket = metric.strip_suffix("_bucket");
            let (kind, labels) = documented
                .get(bucket.unwrap_or(&metric))
                .unwrap_or_else(|| panic!("no metric {metric}: {query}"));
            assert_eq!(bucket.is_some(), *kind == "histogram", "{query}");
            let is_rate = query.contains("rate(") || query.contains("increase(");
            assert_eq!(is_rate, *kind != "gauge", "{query}");

            let mut asked: BTreeSet<&str> = BTreeSet::new();
            for matchers in between(&query, "{", '}') {
                asked.extend(
                    matchers
                        .split(',')
                        .map(|matcher| matcher.split(['=', '!']).next().unwrap()),
                );
            }
            let grouped = between(&query, "by (", ')')
                .into_iter()
                .flat_map(|list| list.split(", "));
            let grouped: BTreeSet<_> = grouped.collect();
            asked.extend(&grouped);
            for label in asked {
                let exists = labels.contains(label) || (label == "le" && bucket.is_some());
                assert!(exists, "{metric} has no label {label}: {query}");
            }
            for label in between(&legend, "{{", '}') {
                assert!(grouped.contains(label), "{legend} of {query}");
            }
        }
        for values in
            between(&query, "way=~\"", '"')
                .into_iter()
                .chain(between(&query, "outcome=\"", '"'))
        {
            for value in values.split('|') {
                assert!(
                    DOCS.contains(&format!("`{value}`")),
                    "no value {value}: {query}"
                );
            }
        }
    }
}

/// A metric that nobody shows is one that nobody sees.
#[test]
fn each_metric_is_shown() {
    let shown: BTreeSet<_> = queries()
        .iter()
        .flat_map(|(query, _)| metrics(query))
        .collect();
    for (metric, (kind, _)) in documented() {
        // The exporter makes a summary of it: it has no seconds.
        if metric == "tower_wechat_recording_bytes" {
            continue;
        }
        let suffix = if kind == "histogram" { "_bucket" } else { "" };
        assert!(shown.contains(&format!("{metric}{suffix}")), "{metric}");
    }
}
