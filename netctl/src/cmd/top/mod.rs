//! `netctl top`.

mod keys;
mod sampler;
mod terminal;

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use self::sampler::Sampler;
use self::terminal::Screened;
use super::block_on;
use crate::cli::{Color, TopArgs};
use crate::error::{Error, Outcome};
use crate::output::write_json;
use crate::top::draw::{self, Looks};
use crate::top::read::Reader;
use crate::top::{Rates, Screen};

/// How often keys and samples are looked for.
const LOOK: Duration = Duration::from_millis(50);
/// What `--once` fills at most, where `$COLUMNS` says nothing.
const PAGE: (usize, usize) = (100, 40);

pub(super) fn run(
    bpffs: &Path,
    args: &TopArgs,
    color: Color,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    if args.once {
        return once(bpffs, args, out);
    }
    if !terminal::is_capable() {
        return Err(Error::Question(
            "`netctl top` needs a terminal; `netctl top --once`, `netctl stats` and `netctl events` do not"
                .to_owned(),
        ));
    }
    let looks = Looks { color: use_color(color), utf8: is_utf8() };
    let sampler = Sampler::start(Reader::open(bpffs)?, args.interval).map_err(Error::Runtime)?;
    block_on(watch(&sampler, looks))?
}

/// Two looks, and what they say.
fn once(bpffs: &Path, args: &TopArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let mut reader = Reader::open(bpffs)?;
    let first = reader.sample()?;
    std::thread::sleep(args.interval);
    let second = reader.sample()?;
    let written = if args.json {
        write_json(out, &Rates::between(&first, &second))
    } else {
        let mut screen = Screen::default();
        screen.take(first);
        screen.take(second);
        print(&screen, out)
    };
    written.map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

fn print(screen: &Screen, out: &mut impl Write) -> io::Result<()> {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let lines = draw::lines(screen, (columns.unwrap_or(PAGE.0).max(20), PAGE.1));
    // Without the keys.
    let lines = &lines[..lines.len() - 1];
    let looks = Looks { color: false, utf8: true };
    let used = lines.iter().rposition(|line| !line.text.is_empty()).map_or(0, |last| last + 1);
    lines[..used].iter().try_for_each(|line| writeln!(out, "{}", draw::text(&line.text, looks)))
}

/// Until a key or a signal ends it.
async fn watch(sampler: &Sampler, looks: Looks) -> Result<Outcome, Error> {
    let fail = Error::Terminal;
    let end = |kind| signal(kind).map_err(fail);
    let mut interrupt = end(SignalKind::interrupt())?;
    let mut terminate = end(SignalKind::terminate())?;
    let mut hangup = end(SignalKind::hangup())?;
    let mut look = tokio::time::interval(LOOK);
    let mut screen = Screen::default();
    let mut terminal = Screened::begin().map_err(fail)?;
    terminal.draw(&screen, looks).map_err(fail)?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(Outcome::Yes),
            _ = terminate.recv() => return Ok(Outcome::Yes),
            _ = hangup.recv() => return Ok(Outcome::Yes),
            _ = look.tick() => {}
        }
        let mut changed = false;
        if let Some(sample) = sampler.next() {
            screen.take(sample?);
            changed = true;
        }
        while let Some(step) = keys::next().map_err(fail)? {
            changed = true;
            if step.is_some_and(|step| !screen.step(step)) {
                return Ok(Outcome::Yes);
            }
        }
        if changed {
            terminal.draw(&screen, looks).map_err(fail)?;
        }
    }
}

fn use_color(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && io::stdout().is_terminal()
        }
    }
}

/// By the first of the variables that is set (setlocale(3)).
fn is_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
    let locale = set.into_iter().find(|value| !value.is_empty()).unwrap_or_default().to_lowercase();
    locale.ends_with("utf-8") || locale.ends_with("utf8")
}
