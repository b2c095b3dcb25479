//! Metrics as values: families with their samples, as OpenMetrics means them (openmetrics.io, specification 1.0).

use serde::Serialize;

/// What a family's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Never less than before, until it begins anew at 0.
    Counter,
    Gauge,
    /// Always 1: what is told stands in the labels.
    Info,
}

impl Kind {
    /// What a sample's name has behind its family's.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Gauge => "",
            Self::Info => "_info",
        }
    }
}

/// A number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

/// Names are netctl's, values may be a document's.
pub type Labels = Vec<(&'static str, String)>;

/// One number of a family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    #[serde(serialize_with = "as_map")]
    pub labels: Labels,
    pub value: Value,
}

/// Numbers of one name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Family {
    /// Without [`Kind::suffix`]; ends with the unit, where there is one.
    pub name: &'static str,
    pub kind: Kind,
    /// A base unit: `bytes`, `seconds`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<&'static str>,
    /// One sentence.
    pub help: &'static str,
    pub samples: Vec<Sample>,
}

impl Family {
    pub const fn new(kind: Kind, name: &'static str, help: &'static str) -> Self {
        Self { name, kind, unit: None, help, samples: Vec::new() }
    }

    pub const fn with_unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    pub fn with(mut self, labels: Labels, value: impl Into<Value>) -> Self {
        self.add(labels, value);
        self
    }

    pub fn add(&mut self, labels: Labels, value: impl Into<Value>) {
        self.samples.push(Sample { labels, value: value.into() });
    }

    /// What its samples are called.
    pub fn sample_name(&self) -> String {
        format!("{}{}", self.name, self.kind.suffix())
    }
}

fn as_map<S: serde::Serializer>(labels: &Labels, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(labels.iter().map(|(name, value)| (name, value)))
}
