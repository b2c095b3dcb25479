//! A real Prometheus scrapes `netctl metrics --listen` and answers questions about what it found, those of the dashboard too.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use netctl_tests::process::Running;
use netctl_tests::sandbox::Sandbox;
use serde_json::Value;

use crate::lab::{DOCUMENT, Lab};
use crate::metrics::with_traffic;
use crate::metrics_served::serve;

/// To start, and to have scraped twice, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

const CONFIG: &str = r#"
global: { scrape_interval: 500ms }
scrape_configs:
  - job_name: netctl
    static_configs: [{ targets: ["127.0.0.1:9471"] }]
"#;

struct Prometheus<'a> {
    lab: &'a Lab<'a>,
    _process: Running,
}

impl<'a> Prometheus<'a> {
    fn start(lab: &'a Lab<'a>) -> Self {
        let there = lab.sh("command -v prometheus").code == Some(0);
        assert!(there, "there is no prometheus: `cargo xtask setup` installs it");
        lab.write("prometheus.yml", CONFIG);
        let process = lab.start(
            "prometheus --config.file=prometheus.yml --storage.tsdb.path=tsdb --log.level=warn \
             --web.listen-address=127.0.0.1:9090",
        );
        Self { lab, _process: process }
    }

    /// What its API says to a path and a query.
    fn get(&self, path: &str, query: &str) -> Option<Value> {
        let url = format!("http://127.0.0.1:9090/api/v1/{path}");
        self.lab.write("query", query);
        let done = self.lab.sh(&format!("curl -s -G {url} --data-urlencode query@query"));
        let answer: Value = serde_json::from_str(&done.stdout).ok()?;
        Some(answer)
    }

    /// Values of all series that a query finds.
    fn values(&self, query: &str) -> Vec<String> {
        let answer = self.get("query", query).unwrap_or_default();
        let results = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        results.iter().filter_map(|result| Some(result["value"][1].as_str()?.to_owned())).collect()
    }

    #[track_caller]
    fn wait_for(&self, query: &str, value: &str) {
        let deadline = Instant::now() + LIMIT;
        while self.values(query) != [value] {
            let targets = self.get("targets", "");
            assert!(
                Instant::now() < deadline,
                "{query}: {:?}, not {value}; {targets:#?}",
                self.values(query)
            );
            thread::sleep(Duration::from_millis(200));
        }
    }
}

fn document(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs").join(name);
    fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

fn dashboard() -> Value {
    serde_json::from_str(&document("grafana.json")).unwrap_or_else(|e| panic!("docs/grafana.json: {e}"))
}

/// Names of all samples that there can be.
fn exported(lab: &Lab<'_>) -> BTreeSet<String> {
    let families = lab.sh("netctl metrics --json").expect_code(0).json();
    let name = |family: &Value| {
        let suffix = match family["kind"].as_str().unwrap() {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        format!("{}{suffix}", family["name"].as_str().unwrap())
    };
    families.as_array().unwrap().iter().map(name).collect()
}

/// All texts under these keys.
fn texts(value: &Value, keys: &[&str], found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value.as_str() {
                    Some(text) if keys.contains(&key.as_str()) => found.push(text.to_owned()),
                    _ => texts(value, keys, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, keys, found)),
        _ => {}
    }
}

/// Names of metrics in a query.
fn metrics_in(query: &str) -> BTreeSet<String> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("netctl_")).map(str::to_owned).collect()
}

#[test]
fn prometheus_knows_what_traffic_made() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.write("host.toml", DOCUMENT.replace("name = \"never 99\"", r#"name = "a\"b\\c""#));
        lab.apply();
        let _server = serve(&lab, "9471");
        let prometheus = Prometheus::start(&lab);
        prometheus.wait_for(r#"netctl_rule_packets_total{rule="3"}"#, "0");
        let _guest = with_traffic(&lab);
        prometheus.wait_for(r#"netctl_rule_packets_total{rule="3"}"#, "3");
        prometheus.wait_for(r#"netctl_rule_packets_total{name="a\"b\\c"}"#, "2");
        let packets = r#"netctl_port_packets_total{port="web1",direction="to-guest",reason="rule"}"#;
        prometheus.wait_for(packets, "5");
        prometheus.wait_for(r#"up{job="netctl"}"#, "1");
        // Only OpenMetrics has units: it is what was scraped.
        let metadata = prometheus.get("metadata", "").unwrap();
        let bytes =
            ["netctl_port_bytes", "netctl_port_bytes_total"].map(|name| metadata["data"][name][0].clone());
        assert!(bytes.iter().any(|it| it["unit"] == "bytes" && it["type"] == "counter"), "{bytes:?}");
    });
}

#[test]
fn every_metric_of_the_dashboard_is_exported_and_prometheus_takes_its_queries() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let exported = exported(&lab);
        let mut queries = Vec::new();
        texts(&dashboard(), &["expr", "query"], &mut queries);
        let named: BTreeSet<String> = queries.iter().flat_map(|query| metrics_in(query)).collect();
        assert!(named.len() >= 10, "{named:?}");
        let unknown: Vec<&String> = named.difference(&exported).collect();
        assert!(unknown.is_empty(), "the dashboard asks for {unknown:?}");

        let prometheus = Prometheus::start(&lab);
        prometheus.wait_for("vector(1)", "1");
        for query in queries.iter().filter(|query| !query.starts_with("label_values(")) {
            let query =
                query.replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$port", ".*");
            let answer = prometheus.get("query", &query).unwrap_or_default();
            assert_eq!(answer["status"], "success", "{query}: {answer}");
        }
    });
}

#[test]
fn docs_metrics_md_has_every_metric_and_no_other_and_alerts_that_promtool_takes() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        let text = document("metrics.md");
        let rows = text.lines().filter(|line| line.starts_with("| `netctl_"));
        let listed: BTreeSet<String> =
            rows.flat_map(|row| metrics_in(row.split('|').nth(1).unwrap_or_default())).collect();
        assert_eq!(listed, exported(&lab));
        let alerts = text
            .split("```")
            .find_map(|block| block.strip_prefix("yaml\n").filter(|it| it.starts_with("groups:")));
        lab.write("alerts.yml", alerts.expect("alerts in docs/metrics.md"));
        let checked = lab.sh("promtool check rules alerts.yml");
        assert!(checked.code != Some(127), "there is no promtool: `cargo xtask setup` installs it");
        checked.expect_code(0);
    });
}
