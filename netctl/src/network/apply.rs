//! Carrying a [`Plan`] out. `make` is undone if it fails half-way; `start` stops at the first error; `remove`
//! does what it can. After any of them, and after a crash, planning again finds what is left to do.

use super::change::{Change, Plan};
use super::error::NetworkError;
use super::lease::LEASE_PREFIX;
use super::netlink::Netlink;
use super::observe::observe;
use super::request::Runner;
use super::seat;
use super::step::Step;
use super::vf_step::VfAction;

/// What [`make`] made, to take it away again if what follows fails.
#[derive(Debug, Default)]
#[must_use = "interfaces that are not started have to be undone"]
pub struct Made {
    created: Vec<(String, u32)>,
    /// What else was done: marks, and functions of NICs.
    done: Vec<Step>,
}

impl Made {
    /// Names and indexes of the new interfaces, in the order of their making.
    pub fn interfaces(&self) -> impl Iterator<Item = (&str, u32)> {
        self.created.iter().map(|(name, index)| (name.as_str(), *index))
    }
}

/// Makes the new bridges, taps and macvtaps, down and with nothing plugged in.
///
/// # Errors
/// [`NetworkError::HalfMade`]; what this call made is gone again, or listed in the error.
pub async fn make(netlink: &Netlink, plan: &Plan) -> Result<Made, NetworkError> {
    let mut runner = Runner::new(netlink);
    let mut made = Made::default();
    for step in steps(&plan.make) {
        if let Err(cause) = make_step(&mut runner, &mut made, step).await {
            let left = undo_all(netlink, made).await;
            return Err(NetworkError::HalfMade { cause: Box::new(cause), left });
        }
    }
    Ok(made)
}

async fn make_step(runner: &mut Runner<'_>, made: &mut Made, step: &Step) -> Result<(), NetworkError> {
    runner.run(step).await?;
    if matches!(step, Step::CreateBridge { .. } | Step::CreateTap(_) | Step::CreateMacvtap(_)) {
        let index = runner.index(step.interface()).await?;
        made.created.push((step.interface().to_owned(), index));
    } else {
        made.done.push(step.clone());
    }
    Ok(())
}

/// Takes away what [`make`] made.
///
/// # Errors
/// [`NetworkError::Several`], after everything was tried.
pub async fn undo(netlink: &Netlink, made: Made) -> Result<(), NetworkError> {
    all_of(undo_all(netlink, made).await)
}

async fn undo_all(netlink: &Netlink, made: Made) -> Vec<NetworkError> {
    let mut runner = Runner::new(netlink);
    let mut errors = Vec::new();
    for (interface, index) in made.created.into_iter().rev() {
        errors.extend(runner.run(&Step::Delete { interface, index }).await.err());
    }
    for step in made.done.iter().rev() {
        errors.extend(take_back(netlink, &mut runner, step).await.err());
    }
    errors
}

/// What nobody else can tell apart from before is left to the next plan.
async fn take_back(netlink: &Netlink, runner: &mut Runner<'_>, step: &Step) -> Result<(), NetworkError> {
    let steps = match step {
        Step::SetVfs { pf, count: 1.. } => vec![Step::SetVfs { pf: pf.clone(), count: 0 }],
        Step::Vf { pf, number, action: VfAction::Lease { port, .. } } => {
            let observed = observe(netlink).await?;
            seat::release_of(&observed, pf, (*number, port))
        }
        Step::AddName { interface, name } if !name.starts_with(LEASE_PREFIX) => {
            vec![Step::DeleteName { interface: interface.clone(), name: name.clone() }]
        }
        Step::Up { interface } => vec![Step::Down { interface: interface.clone() }],
        _ => Vec::new(),
    };
    for step in &steps {
        runner.run(step).await?;
    }
    Ok(())
}

/// Plugs in and sets up. Enforcement has to be attached before.
///
/// # Errors
/// The first request that failed; those before it stay done.
pub async fn start(netlink: &Netlink, plan: &Plan) -> Result<(), NetworkError> {
    run(netlink, steps(&plan.start)).await
}

/// Takes away what the document does not name any more.
///
/// # Errors
/// [`NetworkError::Several`], after everything was tried.
pub async fn remove(netlink: &Netlink, plan: &Plan) -> Result<(), NetworkError> {
    let mut runner = Runner::new(netlink);
    let mut errors = Vec::new();
    for change in &plan.remove {
        for step in &change.steps {
            if let Err(e) = runner.run(step).await {
                errors.push(e);
                // The rest of this change needs this step; the other changes do not.
                break;
            }
        }
    }
    all_of(errors)
}

/// Carries out steps up to the first error.
///
/// # Errors
/// That of the step.
pub async fn run<'a>(
    netlink: &Netlink,
    steps: impl IntoIterator<Item = &'a Step>,
) -> Result<(), NetworkError> {
    let mut runner = Runner::new(netlink);
    for step in steps {
        runner.run(step).await?;
    }
    Ok(())
}

fn steps(changes: &[Change]) -> impl Iterator<Item = &Step> {
    changes.iter().flat_map(|change| &change.steps)
}

fn all_of(errors: Vec<NetworkError>) -> Result<(), NetworkError> {
    if errors.is_empty() { Ok(()) } else { Err(NetworkError::Several(errors)) }
}
