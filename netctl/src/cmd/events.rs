//! `netctl events`.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::Path;

use netctl_common::abi::{Event, MAX_PORTS};

use super::block_on;
use crate::cli::EventsArgs;
use crate::error::{Error, Outcome};
use crate::kernel::journal::Journal;
use crate::state::State;
use crate::told::Told;
use crate::told::filter::Filter;

pub(super) fn run(bpffs: &Path, args: &EventsArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    let filter = Filter::new(args, &state)?;
    let mut journal = state.kernel.journal()?;
    journal.seek(args.after.unwrap_or(0).min(journal.end()));
    let mut show = Show { bpffs, state, filter, json: args.json, out };
    show.present(&mut journal, args.last)?;
    if args.follow {
        block_on(show.follow(&mut journal))??;
    }
    show.report_lost(journal.lost())?;
    Ok(Outcome::Yes)
}

/// What is shown, and how.
struct Show<'a, W> {
    bpffs: &'a Path,
    state: State,
    filter: Filter,
    json: bool,
    out: &'a mut W,
}

impl<W: Write> Show<'_, W> {
    /// Those that are there.
    fn present(&mut self, journal: &mut Journal, last: Option<usize>) -> Result<(), Error> {
        let mut wanted = VecDeque::new();
        while let Some(event) = journal.ready() {
            let told = self.told(&event);
            if self.filter.takes(&told, &self.state) {
                wanted.push_back(told);
                if last.is_some_and(|last| wanted.len() > last) {
                    wanted.pop_front();
                }
            }
        }
        wanted.iter().try_for_each(|told| self.write(told)).map_err(Error::Output)
    }

    /// Those that come, until interrupted or until nobody reads them.
    async fn follow(&mut self, journal: &mut Journal) -> Result<(), Error> {
        let stop = tokio::signal::ctrl_c();
        tokio::pin!(stop);
        loop {
            let event = tokio::select! {
                event = journal.next() => event,
                _ = &mut stop => return Ok(()),
            };
            // A newer generation has other rules; its names are read once it shows itself.
            if event.generation > self.state.root.generation {
                self.state = State::read(self.bpffs)?;
            }
            let told = self.told(&event);
            if self.filter.takes(&told, &self.state) {
                self.write(&told).map_err(Error::Output)?;
            }
        }
    }

    fn told(&self, event: &Event) -> Told {
        Told::of(event, &self.state)
    }

    fn write(&mut self, told: &Told) -> io::Result<()> {
        if self.json {
            serde_json::to_writer(&mut self.out, told)?;
            writeln!(self.out)?;
        } else {
            writeln!(self.out, "{}", told.line())?;
        }
        self.out.flush()
    }

    /// What was not shown, in words.
    fn report_lost(&self, lost: u64) -> Result<(), Error> {
        if lost > 0 {
            eprintln!("netctl: {lost} events were written over before they could be read");
        }
        let ports = self.state.ports.iter().map(|port| (port.name(), port.entry.id));
        for (name, id) in ports.chain([("-".to_owned(), MAX_PORTS)]) {
            let untold = self.state.kernel.untold_events(id)?;
            if untold > 0 {
                eprintln!("netctl: port `{name}` did not tell of {untold} events, over its rate");
            }
        }
        Ok(())
    }
}
