//! `netctl policy …`; `learn` is here.

mod diff;
mod matrix;
mod test;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, interval, sleep_until};

use super::block_on;
use netctl_common::abi::event_kind;

use crate::cli::{PolicyCommand, PolicyLearnArgs};
use crate::error::{Error, Outcome};
use crate::kernel::running::{monotonic_now, now};
use crate::learn::{Judge, Learner, propose};
use crate::output::write_json;
use crate::state::State;

/// Between two looks at the flow tables. No flow lives shorter than its shortest timeout, of seconds.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn run(
    bpffs: &Path,
    command: &PolicyCommand,
    color: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    match command {
        PolicyCommand::Learn(args) => learn(bpffs, args, out),
        PolicyCommand::Diff(args) => diff::run(bpffs, args, color, out),
        PolicyCommand::Matrix(args) => matrix::run(bpffs, args, color, out),
        PolicyCommand::Test(args) => test::run(args, color, out),
    }
}

fn learn(bpffs: &Path, args: &PolicyLearnArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    state.ports_named(args.port.as_deref())?;
    let mut learner = Learner::default();
    let state = match args.follow {
        Some(time) => block_on(follow(state, args, time, &mut learner))??,
        None => look(&state, args, &mut learner).map(|()| state)?,
    };
    let proposal = propose(&learner, &state.config_as_learned(), args.group_by);
    let written = if args.json { write_json(out, &proposal) } else { write!(out, "{proposal}") };
    written.map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

/// All live flows.
fn look(state: &State, args: &PolicyLearnArgs, learner: &mut Learner) -> Result<(), Error> {
    let (now, config) = (now(), state.config_as_learned());
    let since = args.since.map_or(u32::MAX, |since| {
        u32::try_from(since.as_nanos() >> netctl_common::flow::TICK_BITS).unwrap_or(u32::MAX)
    });
    for port in state.ports.iter().filter(|port| is_wanted(&port.name(), args)) {
        let flows = state.kernel.flows(port.entry.id)?;
        let live = flows.iter().filter(|(key, entry)| {
            entry.is_live(key.protocol, now, &port.entry.root.timeouts)
                && now.wrapping_sub(entry.last_seen) <= since
        });
        let (name, config) = (port.name(), &config);
        live.for_each(|(key, entry)| {
            learner.flow(Judge { config, port: &name }, (key, entry), now);
        });
    }
    Ok(())
}

fn is_wanted(port: &str, args: &PolicyLearnArgs) -> bool {
    args.port.as_ref().is_none_or(|wanted| wanted == port)
}

/// Looks again and again, and reads events meanwhile. The state is that of the generation that ran last.
async fn follow(
    mut state: State,
    args: &PolicyLearnArgs,
    time: Duration,
    learner: &mut Learner,
) -> Result<State, Error> {
    let mut events = state.kernel.journal()?;
    let end = Instant::now() + time;
    let mut ticks = interval(LOOK);
    loop {
        tokio::select! {
            event = events.next() => {
                let port = state.names.port(event.port);
                if event.kind == event_kind::FRAME && is_wanted(&port, args) && event.generation == state.root.generation {
                    learner.event(Judge { config: &state.config_as_learned(), port: &port }, &event, monotonic_now());
                }
            }
            _ = ticks.tick() => {
                if state.kernel.running()?.generation != state.root.generation {
                    state = State::read_with(state.kernel)?;
                }
                look(&state, args, learner)?;
            }
            () = sleep_until(end) => break,
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    look(&state, args, learner)?;
    Ok(state)
}
