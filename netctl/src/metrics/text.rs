//! Families to text, in the two forms that scrapers read.
//!
//! Written here: the crate of the Prometheus project, `prometheus-client`, does not escape values of labels (its issue 151),
//! which here are a document's words, and its registry is for a process that counts by itself.

use std::fmt::Write as _;

use super::family::{Family, Kind, Sample, Value};

/// How families are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The older text format of Prometheus, 0.0.4: also for promtool and the textfile collector of node_exporter.
    Prometheus,
}

impl Encoding {
    /// As in HTTP's Content-Type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The whole text.
pub fn encode(families: &[Family], encoding: Encoding) -> String {
    let mut text = String::new();
    for family in families {
        write_head(&mut text, family, encoding);
        let name = family.sample_name();
        for sample in &family.samples {
            write_sample(&mut text, &name, sample);
        }
    }
    if encoding == Encoding::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn write_head(text: &mut String, family: &Family, encoding: Encoding) {
    let (name, kind) = match encoding {
        Encoding::OpenMetrics => (family.name.to_owned(), family.kind),
        // It knows no families whose samples are called otherwise, and no information.
        Encoding::Prometheus => {
            (family.sample_name(), if family.kind == Kind::Info { Kind::Gauge } else { family.kind })
        }
    };
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Info => "info",
    };
    // Writing to a string does not fail.
    let _ = writeln!(text, "# TYPE {name} {kind}");
    if let (Encoding::OpenMetrics, Some(unit)) = (encoding, family.unit) {
        let _ = writeln!(text, "# UNIT {name} {unit}");
    }
    let _ = writeln!(text, "# HELP {name} {}", family.help);
}

fn write_sample(text: &mut String, name: &str, sample: &Sample) {
    text.push_str(name);
    if !sample.labels.is_empty() {
        let pairs = sample.labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
        let _ = write!(text, "{{{}}}", pairs.collect::<Vec<_>>().join(","));
    }
    let _ = match sample.value {
        Value::Whole(number) => writeln!(text, " {number}"),
        // With a point, as OpenMetrics has them.
        Value::Real(number) => writeln!(text, " {number:?}"),
    };
}

/// Both forms escape these three. Other control characters are left out of a terminal's sight, as in every listing.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            c if c.is_control() => text.push('\u{fffd}'),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families() -> Vec<Family> {
        vec![
            Family::new(Kind::Info, "netctl_build", "What runs.")
                .with(vec![("version", "1 \"x\"\\\n\u{1b}".to_owned())], 1),
            Family::new(Kind::Counter, "netctl_port_bytes", "Bytes of frames.")
                .with_unit("bytes")
                .with(vec![("port", "web1".to_owned()), ("reason", "flow".to_owned())], u64::MAX),
            Family::new(Kind::Gauge, "netctl_took_seconds", "Time.").with(vec![], Value::Real(2.0)),
        ]
    }

    #[test]
    fn open_metrics_names_the_family_its_unit_and_the_end() {
        let expected = "\
# TYPE netctl_build info
# HELP netctl_build What runs.
netctl_build_info{version=\"1 \\\"x\\\"\\\\\\n\u{fffd}\"} 1
# TYPE netctl_port_bytes counter
# UNIT netctl_port_bytes bytes
# HELP netctl_port_bytes Bytes of frames.
netctl_port_bytes_total{port=\"web1\",reason=\"flow\"} 18446744073709551615
# TYPE netctl_took_seconds gauge
# HELP netctl_took_seconds Time.
netctl_took_seconds 2.0
# EOF
";
        assert_eq!(encode(&families(), Encoding::OpenMetrics), expected);
    }

    #[test]
    fn the_older_format_names_the_samples_and_knows_no_information() {
        let text = encode(&families(), Encoding::Prometheus);
        assert!(text.contains("# TYPE netctl_build_info gauge\n"), "{text}");
        assert!(text.contains("# TYPE netctl_port_bytes_total counter\n"), "{text}");
        assert!(!text.contains("# UNIT") && !text.contains("# EOF"), "{text}");
    }
}
