//! Who reaches whom: each pair of guests, each service, each family, expected by `netctl explain` and seen by a real
//! connection. A cell is only allowed or denied; why is in [`super::denials`].

use std::fmt;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::lab::{Family, Lab, Rule};

/// Enough for anything that happens at all.
const SOON: Duration = Duration::from_secs(30);
/// Enough to call it silence.
const A_WHILE: Duration = Duration::from_millis(400);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Tcp(u16),
    Ping,
}

impl Service {
    pub const ALL: [Self; 3] = [Self::Tcp(80), Self::Tcp(5432), Self::Ping];

    /// As in a rule.
    fn word(self, family: Family) -> String {
        match (self, family) {
            (Self::Tcp(port), _) => format!("tcp/{port}"),
            (Self::Ping, Family::V4) => "icmp/echo-request".to_owned(),
            (Self::Ping, Family::V6) => "icmp6/echo-request".to_owned(),
        }
    }

    /// As in an event.
    pub fn in_events(self, family: Family) -> String {
        match (self, family) {
            (Self::Tcp(port), _) => format!("tcp/{port}"),
            (Self::Ping, Family::V4) => "icmp/8/0".to_owned(),
            (Self::Ping, Family::V6) => "icmp6/128/0".to_owned(),
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(port) => write!(f, "tcp/{port}"),
            Self::Ping => write!(f, "ping"),
        }
    }
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Cell {
    pub from: String,
    pub to: String,
    pub service: Service,
    pub family: Family,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub expected: bool,
    /// The rule that decides, by `explain`; `None` = the default.
    pub rule: Option<Rule>,
    pub seen: bool,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, service, family, .. } = self;
        let [expected, seen] = [self.expected, self.seen].map(word);
        write!(f, "{from} > {to} {service} {family:?}: expected {expected}, seen {seen}")
    }
}

#[derive(Debug)]
pub struct Matrix(Vec<Cell>);

impl Matrix {
    /// Asks and tries, the guests side by side.
    ///
    /// # Errors
    /// If `explain` has no answer.
    pub fn measure(lab: &Lab<'_>) -> Result<Self> {
        let names: Vec<&str> = lab.guests().map(|(name, _)| name).collect();
        let rows: Result<Vec<Vec<Cell>>> = thread::scope(|scope| {
            let rows: Vec<_> = names.iter().map(|from| scope.spawn(|| row(lab, from, &names))).collect();
            rows.into_iter().map(|row| row.join().map_err(|_| anyhow!("a guest's row failed"))?).collect()
        });
        Ok(Self(rows?.concat()))
    }

    pub fn cells(&self) -> &[Cell] {
        &self.0
    }

    pub fn mismatches(&self) -> Vec<&Cell> {
        self.0.iter().filter(|cell| cell.expected != cell.seen).collect()
    }

    /// As a table: a line for each pair, a column for each service and family.
    pub fn lines(&self) -> Vec<String> {
        let columns = || Service::ALL.into_iter().flat_map(|service| Family::ALL.map(|f| (service, f)));
        let services: String =
            Service::ALL.iter().map(|service| format!("{:<20}", service.to_string())).collect();
        let families: String =
            columns().map(|(_, family)| format!("{:<10}", format!("IP{family:?}").to_lowercase())).collect();
        let mut lines = vec![format!("{:<16}{services}", ""), format!("{:<7}{:<9}{families}", "from", "to")];
        for pair in self.0.chunks(Service::ALL.len() * Family::ALL.len()) {
            let text = |cell: &Cell| format!("{}/{}", word(cell.expected), word(cell.seen));
            let cells: String = pair.iter().map(|cell| format!("{:<10}", text(cell))).collect();
            lines.push(format!("{:<7}{:<9}{cells}", pair[0].from, pair[0].to));
        }
        lines.iter().map(|line| line.trim_end().to_owned()).collect()
    }
}

const fn word(allowed: bool) -> &'static str {
    if allowed { "yes" } else { "no" }
}

fn row(lab: &Lab<'_>, from: &str, names: &[&str]) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for to in names.iter().filter(|to| **to != from) {
        for service in Service::ALL {
            for family in Family::ALL {
                cells.push(cell(lab, (from, to), service, family)?);
            }
        }
    }
    Ok(cells)
}

fn cell(lab: &Lab<'_>, (from, to): (&str, &str), service: Service, family: Family) -> Result<Cell> {
    let (source, destination) = (lab.address(from, family), lab.address(to, family));
    let ends = [format!("{from}/{source}"), format!("{to}/{destination}")];
    let explanation = lab.explain(&ends[0], &ends[1], &service.word(family))?;
    let expected = explanation.allowed;
    let guest = lab.guest(from);
    let limit = if expected { SOON } else { A_WHILE };
    let seen = match service {
        Service::Tcp(port) => guest.tcp_connect(destination, port, limit).is_ok_and(|c| c.still_alive(SOON)),
        Service::Ping => guest.ping(destination, limit),
    };
    let rule = explanation.steps.last().and_then(|step| step.rule.clone());
    let (from, to) = (from.to_owned(), to.to_owned());
    Ok(Cell { from, to, service, family, source, destination, expected, rule, seen })
}
