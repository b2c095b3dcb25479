//! What ends a command, and its exit status.

use std::io;
use std::path::PathBuf;

use crate::apply::ApplyError;
use crate::config::Config;
use crate::kernel::KernelError;
use crate::libvirt::HookError;

/// Anything that stopped a command. The chain of sources is printed once, by `main`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}", path = path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}", path = path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "{path} has {bytes} bytes, and a document at most {limit}; put addresses into sets, and services into lists",
        path = path.display()
    )]
    TooLarge { path: PathBuf, bytes: u64, limit: u64 },
    #[error("no port `{name}` in the running document{hint}")]
    NoPort { name: String, hint: String },
    #[error("no network `{name}` in the running document{hint}")]
    NoNetwork { name: String, hint: String },
    #[error(
        "network `{name}` is of kind {kind}; only macvlan and vepa networks share the uplink to a switch"
    )]
    NoProbe { name: String, kind: &'static str },
    #[error(
        "port `{name}` is not filtered and has no interface on the host: its guest drives its device itself; \
         `netctl port list` shows which ports are filtered"
    )]
    NotFiltered { name: String },
    #[error(
        "port `{name}` is not filtered: netctl's programs are not on `{interface}`, so it is not opened; \
         `netctl apply` puts them there again"
    )]
    NotEnforced { name: String, interface: String },
    #[error("the running document does not parse; this netctl is older than the one that applied it")]
    RunningDocument,
    #[error("{0}")]
    Question(String),
    #[error("{0}")]
    Edit(String),
    #[error(
        "netctl is not running here, so there is no network and no policy for a port; describe them in a document \
         and run `netctl apply FILE` first"
    )]
    NothingToEdit,
    #[error(transparent)]
    Document(#[from] crate::config::edit::EditError),
    #[error("{document} has errors, and is compared with nothing; `netctl check` shows them again")]
    NotComparable { document: String },
    #[error("{document} is over a budget")]
    NotCompiled { document: String, source: crate::compile::CompileError },
    #[error(transparent)]
    TooDifferent(#[from] crate::policy::difference::TooMuch),
    #[error("no map `{name}`{hint}")]
    NoMap { name: String, hint: String },
    #[error("no element `{key}` in map `{map}`{hint}")]
    NoElement { map: String, key: String, hint: String },
    #[error("cannot write")]
    Output(#[source] io::Error),
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error(transparent)]
    Network(#[from] crate::network::NetworkError),
    #[error(transparent)]
    Run(#[from] crate::vmm::run::RunError),
    #[error(transparent)]
    Inspect(#[from] crate::fd::inspect::InspectError),
    #[error(transparent)]
    Hook(#[from] HookError),
    #[error("cannot change the hook {path}", path = path.display())]
    Hooks { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Relay(#[from] crate::vmm::relay::RelayError),
    #[error("the relay of port `{port}` ended before it was told to; its last line says why")]
    RelayEnded { port: String },
    #[error(transparent)]
    Metrics(#[from] crate::metrics::serve::ServeError),
    #[error(transparent)]
    Open(#[from] crate::vmm::open::OpenError),
    #[error(transparent)]
    Template(#[from] crate::vmm::template::TemplateError),
    #[error(transparent)]
    Pass(#[from] crate::fd::pass::PassError),
    #[error(transparent)]
    Reuse(#[from] crate::fd::reuse::ReuseError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(
        "a document runs that is to be confirmed within {seconds} s, and nothing else changes until then: `netctl confirm` \
         keeps it, otherwise what ran before comes back"
    )]
    Unconfirmed { seconds: u64 },
    #[error("cannot start the process that would revert")]
    Waiter(#[source] io::Error),
    #[error("the document was not applied for confirmation; the line before says why")]
    WaiterFailed,
    #[error("the process that would have reverted was killed; what runs stays, `netctl show` prints it")]
    WaiterKilled,
    #[error("the terminal cannot be used")]
    Terminal(#[source] io::Error),
    #[error("cannot start the asynchronous runtime")]
    Runtime(#[source] io::Error),
}

impl Error {
    /// Exit status. A document that is too large to be read, or for the budgets, is a document with errors.
    pub const fn status(&self) -> u8 {
        match self {
            Self::TooLarge { .. } | Self::Apply(ApplyError::Compile(_)) => Outcome::No.status(),
            Self::Hook(HookError::Metadata { .. } | HookError::Refused { .. }) => Outcome::No.status(),
            _ => COULD_NOT_RUN,
        }
    }

    pub fn no_port(name: &str, config: &Config) -> Self {
        let nearest = nearest(name, config.ports.keys().map(String::as_str));
        let hint = nearest.map_or_else(
            || "; `netctl port list` shows them".to_owned(),
            |nearest| format!("; did you mean `{nearest}`?"),
        );
        Self::NoPort { name: name.to_owned(), hint }
    }
}

/// The known word that is most like `word`, if one is.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|candidate| (strsim::jaro_winkler(word, candidate), candidate));
    scored
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// How a command that could run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, or yes: exit status 0.
    Yes,
    /// The answer is no: exit status 1.
    No,
}

impl Outcome {
    pub const fn yes_if(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }

    pub const fn status(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
        }
    }
}

/// Could not run: exit status 2.
pub const COULD_NOT_RUN: u8 = 2;

/// An error with its sources.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        // Transparent errors show their source as themselves.
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    text
}
