//! Why a document that is well formed cannot be compiled.

use std::fmt;

/// Nothing was changed anywhere when one of these is returned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    #[error("line {line}: there is no {kind} `{name}`; declare it or correct the name")]
    Unresolved { kind: &'static str, name: String, line: u32 },
    #[error("line {line}: port `{port}` was given no id; assign ids for the same document that is compiled")]
    NoPortId { port: String, line: u32 },
    #[error("{found} ports, and a host holds at most {limit}; remove ports or move some to another host")]
    TooManyPorts { found: usize, limit: u32 },
    #[error(
        "running ports `{first}` and `{second}` both have id {id}; take netctl down and apply the document again"
    )]
    IdTakenTwice { first: String, second: String, id: u32 },
    #[error(
        "running port `{port}` has id {id}, and ids end at {limit}; take netctl down and apply the document again"
    )]
    IdOutOfRange { port: String, id: u32, limit: u32 },
    #[error(
        "{found} networks, and a host holds at most {limit}; remove networks or move some to another host"
    )]
    TooManyNetworks { found: usize, limit: usize },
}

impl CompileError {
    /// Line of the document that it is about, where there is one.
    pub const fn line(&self) -> Option<u32> {
        match self {
            Self::OverBudget(over) => over.line,
            Self::Unresolved { line, .. } | Self::NoPortId { line, .. } => Some(*line),
            _ => None,
        }
    }
}

/// What a policy takes too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    Rules,
    SourceClasses,
    DestinationClasses,
    ServiceClasses,
    Pairs,
    Verdicts,
    Addresses,
    Prefixes,
    Learned,
    Bytes,
    Work,
}

impl Resource {
    /// The unit, in the plural.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::SourceClasses => "classes of source addresses",
            Self::DestinationClasses => "classes of destination addresses",
            Self::ServiceClasses => "classes of services",
            Self::Pairs => "pairs of source and destination classes",
            Self::Verdicts => "verdicts (chain and service class)",
            Self::Addresses => "addresses of ports and of the host",
            Self::Prefixes => "prefixes (in all zones)",
            Self::Learned => {
                "classes of addresses that ports learn (ports that rules tell apart, times prefixes)"
            }
            Self::Bytes => "bytes of kernel memory",
            Self::Work => "steps of the compiler",
        }
    }

    const fn next_step(self) -> &'static str {
        match self {
            Self::Rules => "put prefixes and ports that are treated alike into one rule",
            Self::SourceClasses | Self::DestinationClasses => {
                "let more prefixes share the same rules, for example by sets"
            }
            Self::ServiceClasses => "use fewer different port ranges and source ports",
            Self::Pairs => {
                "write `any` for one side, or narrow a selector that holds many of the other rules' prefixes"
            }
            Self::Verdicts => {
                "narrow wide port ranges that hold many ports of other rules, or write `any` for the service"
            }
            Self::Addresses => "declare fewer addresses per port, or use `addresses = \"any\"`",
            Self::Prefixes => "join prefixes, or use fewer zones",
            Self::Learned => "list the addresses of ports that rules name, or join prefixes by sets",
            Self::Bytes => "use fewer rules, prefixes or addresses",
            Self::Work => "use fewer selectors that overlap each other",
        }
    }
}

/// A budget that the policy exceeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverBudget {
    pub resource: Resource,
    /// What the policy takes, or what was counted before counting was stopped.
    pub found: u64,
    pub limit: u64,
    /// Whether `found` is all of it.
    pub complete: bool,
    /// The rule that contributes most, where one does.
    pub line: Option<u32>,
}

impl std::error::Error for OverBudget {}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = if self.complete { "" } else { "at least " };
        let (found, limit) = (self.found, self.limit);
        write!(f, "the policy needs {least}{found} {}, and the budget is {limit}; ", self.resource.name())?;
        if let Some(line) = self.line {
            write!(f, "most come from the rule in line {line}; ")?;
        }
        f.write_str(self.resource.next_step())
    }
}
