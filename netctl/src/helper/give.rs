//! Opens the port: the first one that is free of those that the caller may have.
//!
//! Everything is looked at again once the queue is open, when nobody can take the port any more: the interface, its
//! programs, and how many ports the user has. A queue that is not handed over closes with this process.

use std::os::fd::OwnedFd;

use caps::Capability::{CAP_DAC_OVERRIDE, CAP_NET_ADMIN, CAP_SYS_PTRACE};

use super::access::{Access, Permit};
use super::arguments::Arguments;
use super::audit::Subject;
use super::caller::Caller;
use super::offer::{self, Offer};
use super::privilege::Privileges;
use super::refusal::Refusal;
use crate::config::PortKind;
use crate::error::chain;
use crate::fd::tap::{self, Header};
use crate::fd::{FdError, node::Node};
use crate::kernel::attached::is_guarded;
use crate::network::{Interface, Netlink, NetworkError, Observed, observe, set_user};

/// A queue that may be handed over.
#[derive(Debug)]
pub(super) struct Given {
    pub queue: OwnedFd,
    /// What allows it.
    pub by: String,
}

/// Who asks, and what for.
pub(super) struct Request<'a> {
    pub arguments: &'a Arguments,
    pub caller: &'a Caller,
    pub access: &'a Access,
    pub privileges: &'a Privileges,
}

/// All interfaces. Needs no privilege.
///
/// # Errors
/// [`Refusal::Failed`].
pub(super) fn look() -> Result<Observed, Refusal> {
    on_netlink(async |netlink| observe(netlink).await)
}

/// Opens one of the `offers`; `subject` becomes what is opened, or the last that was tried.
///
/// # Errors
/// The weightiest reason why none could be.
pub(super) fn open(
    request: &Request<'_>,
    observed: &Observed,
    offers: &[Offer<'_>],
    subject: &mut Subject,
) -> Result<Given, Refusal> {
    let mut refused: Option<Refusal> = None;
    for offer in offers {
        subject.network = offer.network.map(str::to_owned);
        subject.port = Some(offer.name.to_owned());
        match request.open(observed, offer) {
            Ok(given) => return Ok(given),
            Err(why) => {
                refused = Some(match refused {
                    Some(before) => before.or_weightier(why),
                    None => why,
                });
            }
        }
    }
    let name = String::from_utf8_lossy(&request.arguments.bridge);
    Err(refused.unwrap_or_else(|| {
        Refusal::Denied(format!(
            "`{}` is no network or port of netctl's; a bridge that netctl does not filter is not opened",
            name.escape_debug()
        ))
    }))
}

impl Request<'_> {
    fn open(&self, observed: &Observed, offer: &Offer<'_>) -> Result<Given, Refusal> {
        let permit = self.access.permit(self.caller, offer)?;
        fit(offer)?;
        permit.admit(self.caller, &self.held(observed, (offer, &permit))?)?;
        let queue = match offer.kind {
            PortKind::Tap => self.open_tap(offer)?,
            PortKind::Macvtap => self.open_macvtap(offer)?,
        };
        self.write_down(offer)?;
        let by = self.confirm(offer, &permit)?;
        Ok(Given { queue, by })
    }

    /// Once the port is held: it is still this one, its programs are on it, and the user's number of ports is right, also
    /// where several helpers run at once.
    fn confirm(&self, offer: &Offer<'_>, permit: &Permit<'_>) -> Result<String, Refusal> {
        let now = look()?;
        let chosen = offer.interface;
        let same = |found: &&Interface| found.up && found.alias == chosen.alias && found.name == chosen.name;
        let Some(found) = now.indexed(chosen.index).filter(same) else {
            return Err(Refusal::Failed(format!("port `{}` has just been changed; try again", offer.name)));
        };
        let ask = || is_guarded(found.index, offer.kind, found.programs());
        match self.privileges.with(&[CAP_NET_ADMIN], ask).map_err(Refusal::failed)? {
            Ok(true) => permit.admit(self.caller, &self.held(&now, (offer, permit))?),
            Ok(false) => Err(Refusal::Denied(format!(
                "port `{}` has no policy: netctl's programs are not on `{}`; run `netctl apply`",
                offer.name, found.name
            ))),
            Err(error) => {
                Err(Refusal::Failed(format!("cannot ask for the programs of port `{}`: {error}", offer.name)))
            }
        }
    }

    fn open_tap(&self, offer: &Offer<'_>) -> Result<OwnedFd, Refusal> {
        let name = &offer.interface.name;
        let header = self.header(tap::features);
        let opened =
            self.privileges.with(&[CAP_NET_ADMIN], || tap::open(name, 1, header)).map_err(Refusal::failed)?;
        let queues = opened.map_err(|error| self.explain(offer, &error))?;
        queues
            .into_iter()
            .next()
            .ok_or_else(|| Refusal::Failed(format!("port `{}` has no queue", offer.name)))
    }

    /// The driver refuses nobody, so this looks for other holders before and after.
    fn open_macvtap(&self, offer: &Offer<'_>) -> Result<OwnedFd, Refusal> {
        // A descriptor that is on its way through a socket is nobody's in /proc.
        if let Some(uid) = offer.interface.user().filter(|uid| *uid != self.caller.uid) {
            let name = offer.name;
            return Err(Refusal::Denied(format!(
                "port `{name}` was given to uid {uid} before, who can hold a macvtap unseen; `netctl port remove {name}` and \
                 `netctl apply` make it anew"
            )));
        }
        let node = Node::find(&offer.identity()).map_err(|error| self.explain(offer, &error))?;
        let unused = || if self.is_held(&node)? { Err(busy(offer)) } else { Ok(()) };
        unused()?;
        let header = self.header(|| Ok(libc::IFF_VNET_HDR.cast_unsigned()));
        let opened = self.privileges.with(&[CAP_DAC_OVERRIDE], || node.open()).map_err(Refusal::failed)?;
        let queue = opened.map_err(|error| self.explain(offer, &error))?;
        unused()?;
        node.adjust(&queue, header).map_err(|error| self.explain(offer, &error))?;
        Ok(queue)
    }

    fn header(&self, features: impl FnOnce() -> Result<u32, FdError>) -> Header {
        let wanted = libc::IFF_VNET_HDR.cast_unsigned();
        let known = self.arguments.use_vnet && features().is_ok_and(|features| features & wanted != 0);
        if known { Header::Virtio } else { Header::None }
    }

    fn is_held(&self, node: &Node) -> Result<bool, Refusal> {
        if !self.privileges.has(CAP_SYS_PTRACE) || !self.privileges.has(CAP_DAC_OVERRIDE) {
            return Err(lacking("cap_net_admin,cap_dac_override,cap_sys_ptrace+p", "macvtaps"));
        }
        let holders = self.privileges.with(&[CAP_SYS_PTRACE, CAP_DAC_OVERRIDE], || node.holders());
        Ok(!holders.map_err(Refusal::failed)?.map_err(Refusal::failed)?.is_empty())
    }

    /// The ports that the helper gave this user and that are in use, by whomever; without the one that is asked for. None
    /// if it does not matter.
    fn held<'a>(
        &self,
        observed: &'a Observed,
        (asked, permit): (&Offer<'_>, &Permit<'_>),
    ) -> Result<Vec<Offer<'a>>, Refusal> {
        if !permit.is_limited() {
            return Ok(Vec::new());
        }
        let others = offer::all(observed).into_iter().filter(|other| {
            other.interface.index != asked.interface.index && other.interface.user() == Some(self.caller.uid)
        });
        let mut held = Vec::new();
        for other in others {
            let in_use = match other.kind {
                PortKind::Tap => other.interface.in_use() || self.is_tap_taken(&other)?,
                // What cannot be found out counts.
                PortKind::Macvtap => match Node::find(&other.identity()) {
                    Ok(node) => self.is_held(&node)?,
                    Err(_) => true,
                },
            };
            if in_use {
                held.push(other);
            }
        }
        Ok(held)
    }

    /// Asks the driver: who holds a tap can turn its carrier off (TUNSETCARRIER), and it looks free.
    fn is_tap_taken(&self, offer: &Offer<'_>) -> Result<bool, Refusal> {
        let name = &offer.interface.name;
        let opened = self.privileges.with(&[CAP_NET_ADMIN], || tap::open(name, 1, Header::None));
        Ok(!matches!(opened.map_err(Refusal::failed)?, Ok(_) | Err(FdError::Missing { .. })))
    }

    fn write_down(&self, offer: &Offer<'_>) -> Result<(), Refusal> {
        let uid = self.caller.uid;
        let write = || on_netlink(async |netlink| set_user(netlink, offer.interface, uid).await);
        self.privileges.with(&[CAP_NET_ADMIN], write).map_err(Refusal::failed)?
    }

    fn explain(&self, offer: &Offer<'_>, error: &FdError) -> Refusal {
        match error {
            FdError::InUse { .. } => busy(offer),
            FdError::NotPermitted { .. } if !self.privileges.has(CAP_NET_ADMIN) => {
                lacking("cap_net_admin+p", "taps")
            }
            error => Refusal::Failed(format!("port `{}`: {}", offer.name, chain(error))),
        }
    }
}

/// Whether a helper can give this port to anyone.
fn fit(offer: &Offer<'_>) -> Result<(), Refusal> {
    let name = offer.name;
    if offer.is_multi_queue() {
        return Err(Refusal::Denied(format!(
            "port `{name}` has several queues, and a helper hands over one; use `netctl run {name} -- VMM`"
        )));
    }
    if !offer.interface.up {
        return Err(Refusal::Failed(format!("port `{name}` is down; run `netctl apply`")));
    }
    Ok(())
}

fn busy(offer: &Offer<'_>) -> Refusal {
    Refusal::Busy(format!(
        "port `{}` is in use; stop the guest that holds `{}`",
        offer.name, offer.interface.name
    ))
}

fn lacking(capabilities: &str, what: &str) -> Refusal {
    Refusal::Failed(format!(
        "this helper has too few capabilities for {what}; `setcap {capabilities}` its file, see docs/bridge-helper.md"
    ))
}

/// Does `work` on a connection of its own: the kernel looks at the capabilities of who opened it, too.
fn on_netlink<T>(work: impl AsyncFnOnce(&Netlink) -> Result<T, NetworkError>) -> Result<T, Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(Refusal::failed)?.block_on(async { work(&Netlink::connect()?).await });
    done.map_err(Refusal::failed)
}
