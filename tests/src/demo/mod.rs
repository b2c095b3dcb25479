//! The demonstration: three guests on a network of netctl's making, what reaches what, why not, a change of the
//! policy that cuts a connection, an empty table at the end, and the same policy on every kind of network. In a sandbox of its own, with guests made of smoltcp.
//!
//! The order of reading: this file (the story), [`kinds`], [`matrix`] (expected against seen), [`denials`] (why), [`screen`]. [`qemu`] tells the first part with
//! real guests.

pub mod denials;
pub mod kinds;
pub mod matrix;
pub mod qemu;
pub mod screen;

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use netctl_common::verdict::Direction::FromGuest;
use netctl_common::verdict::Reason;

use crate::cli;
use crate::guest::Conn;
use crate::lab::{Family, Lab};
use crate::sandbox::Sandbox;
use denials::Denials;
use matrix::Matrix;
use screen::Screen;

/// The document that is shown and applied.
pub const DOCUMENT: &str = include_str!("host.toml");

/// What is withdrawn and given back: a line of [`DOCUMENT`].
const WITHDRAWN: &str = "app to database";
/// Enough for an answer from an open connection.
const SOON: Duration = Duration::from_secs(30);
/// Enough to call it silence: a guest asks again several times in it.
const A_WHILE: Duration = Duration::from_millis(500);

/// Whether all was as it should be. Says on standard output what it does and sees.
///
/// # Errors
/// If it cannot run: what is missing, or what netctl said.
pub fn run() -> Result<bool> {
    let started = Instant::now();
    cli::binary()?;
    let screen = Screen::new();
    screen.title("netctl demo: three guests, one policy, in namespaces of its own");
    let host_before = entries("/sys/class/net")?;
    let fine = {
        let sandbox = Sandbox::new()?;
        sandbox.enter(|| story(&sandbox, &screen))?
    };
    let untouched = nothing_of_the_demo_since(&host_before)?;
    if untouched {
        screen.line("on the machine itself: nothing, as before");
    } else {
        screen.alarm("on the machine itself: interfaces of the demo's names");
    }
    screen.gap();
    let seconds = started.elapsed().as_secs_f64();
    let fine = fine && untouched;
    screen
        .title(&format!("{} in {seconds:.1} s", if fine { "All as expected," } else { "NOT as expected," }));
    Ok(fine)
}

/// Other programs may change the host's interfaces meanwhile; only the document's names would be the demo's.
fn nothing_of_the_demo_since(before: &BTreeSet<String>) -> Result<bool> {
    let after = entries("/sys/class/net")?;
    let ours = |name: &&String| DOCUMENT.contains(&format!(".{name}]"));
    Ok(after.difference(before).find(ours).is_none())
}

fn story(sandbox: &Sandbox, screen: &Screen) -> Result<bool> {
    let before = Leftovers::look()?;
    let lab = set_up(sandbox, screen)?;
    let (matrix, reached) = who_reaches_whom(&lab, screen)?;
    let cut = change(&lab, screen)?;
    // The guests go before their taps.
    drop(lab);
    let clean = clean_up(sandbox, screen, &before)?;
    let same = kinds::compare(&matrix, screen)?;
    Ok(reached && cut && clean && same)
}

fn set_up<'s>(sandbox: &'s Sandbox, screen: &Screen) -> Result<Lab<'s>> {
    screen.step("The document is applied");
    for (number, line) in (1..).zip(DOCUMENT.lines()).skip_while(|(_, line)| *line != "[policy]") {
        screen.line(&format!("{number:>3}  {line}"));
    }
    screen.gap();
    let begun = Instant::now();
    let lab = Lab::up(sandbox, DOCUMENT)?;
    let guests = lab.guests().count();
    screen.line(&format!("{guests} guests on their taps after {} ms:", begun.elapsed().as_millis()));
    serve(&lab);
    for (name, _) in lab.guests() {
        let port = lab.port(name);
        screen.line(&format!("{name:<5} in {:<4} {}", port.groups.join(","), port.addresses.join("  ")));
    }
    Ok(lab)
}

/// The services that are tried.
fn serve(lab: &Lab<'_>) {
    for (_, guest) in lab.guests() {
        guest.tcp_listen(80);
        guest.tcp_listen(5432);
    }
}

fn who_reaches_whom(lab: &Lab<'_>, screen: &Screen) -> Result<(Matrix, bool)> {
    screen.step("Who reaches whom: expected (netctl explain) / seen (real connections)");
    lab.events()?;
    let matrix = Matrix::measure(lab)?;
    for line in matrix.lines() {
        screen.line(&line);
    }
    screen.gap();
    let (all, wrong) = (matrix.cells().len(), matrix.mismatches());
    screen.line(&format!("{} of {all} as expected", all - wrong.len()));
    for cell in &wrong {
        screen.alarm(&cell.to_string());
    }

    screen.step("What was denied, and why (netctl events)");
    let denials = Denials::gather(lab.events()?, lab);
    for line in denials.lines() {
        screen.line(&line);
    }
    let unexplained: Vec<_> = matrix.cells().iter().filter(|cell| !denials.explain(cell)).collect();
    for cell in &unexplained {
        screen.alarm(&format!("no event says why: {cell}"));
    }
    let fine = wrong.is_empty() && unexplained.is_empty();
    Ok((matrix, fine))
}

fn change(lab: &Lab<'_>, screen: &Screen) -> Result<bool> {
    screen.step("A change of the policy cuts a running connection");
    let conn = lab
        .guest("web1")
        .tcp_connect(lab.address("db1", Family::V4), 5432, SOON)
        .map_err(|e| anyhow::anyhow!("web1 does not reach db1: {e:?}"))?;
    let number = DOCUMENT.lines().position(|line| line.contains(WITHDRAWN)).context("no such rule")? + 1;
    let without: String =
        DOCUMENT.lines().filter(|line| !line.contains(WITHDRAWN)).map(|line| format!("{line}\n")).collect();

    let open = answers(&conn, screen, true);
    let applied = lab.apply(&without)?;
    screen.line(&format!("line {number} is withdrawn, applied in {} ms", applied.elapsed.as_millis()));
    let (cut, seen) = lab.during(|| answers(&conn, screen, false))?;
    let revoked = seen.packets("web1", FromGuest, Reason::Revoked);
    screen.line(&format!("frames of it that web1's port denied as revoked: {revoked}"));
    let applied = lab.apply(DOCUMENT)?;
    screen.line(&format!("line {number} is back, applied in {} ms", applied.elapsed.as_millis()));
    let again = answers(&conn, screen, true);
    Ok(open && cut && revoked > 0 && again)
}

/// Whether the connection answers or not, as it should.
fn answers(conn: &Conn, screen: &Screen, should: bool) -> bool {
    let does = conn.still_alive(if should { SOON } else { A_WHILE });
    let text = format!("web1 > db1 tcp/5432 {}", if does { "answers" } else { "is silent" });
    if does == should {
        screen.line(&text)
    } else {
        screen.alarm(&text)
    }
    does == should
}

fn clean_up(sandbox: &Sandbox, screen: &Screen, before: &Leftovers) -> Result<bool> {
    screen.step("All is taken away (netctl down)");
    let done = sandbox.netctl(["down"]);
    ensure!(done.code == Some(0), "netctl down failed\n{done}");
    for line in done.stdout.lines() {
        screen.line(line);
    }
    let after = Leftovers::look()?;
    let clean = after == *before;
    let interfaces = Vec::from_iter(after.interfaces).join(" ");
    let pins = after.pins.difference(&before.pins).count();
    let text = format!("left in the namespaces: interface {interfaces}; {pins} pinned objects");
    if clean {
        screen.line(&text)
    } else {
        screen.alarm(&text)
    }
    Ok(clean)
}

/// What netctl could leave behind.
#[derive(PartialEq, Eq)]
struct Leftovers {
    interfaces: BTreeSet<String>,
    /// The kernel has entries of its own there.
    pins: BTreeSet<String>,
}

impl Leftovers {
    fn look() -> Result<Self> {
        Ok(Self { interfaces: entries("/sys/class/net")?, pins: entries("/sys/fs/bpf")? })
    }
}

fn entries(folder: &str) -> Result<BTreeSet<String>> {
    let read = fs::read_dir(folder).with_context(|| format!("cannot list {folder}"))?;
    read.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}
