//! Who may have which port: `bridge.conf` and `grants.toml` together. Nobody, by default.
//!
//! With `grants.toml`, a grant is needed, and `bridge.conf` can only deny. Without it, an `allow` of `bridge.conf` is enough
//! for ports that belong to nobody.

use std::io::{self, Write};

use super::acl::{Acl, AclError};
use super::caller::Caller;
use super::grants::{Grant, Grants};
use super::offer::Offer;
use super::refusal::{BRIDGE_CONF, GRANTS, Refusal};

/// Both files.
#[derive(Debug)]
pub(super) struct Access {
    acl: Option<Acl>,
    grants: Option<Grants>,
}

/// What lets the caller have a port.
#[derive(Debug)]
pub(super) enum Permit<'a> {
    BridgeConf,
    /// Those that cover the port, with their numbers.
    Grants(Vec<(usize, &'a Grant)>),
}

impl Access {
    /// # Errors
    /// What the stock helper says at once about the name that is `asked` for, and files that cannot be relied on.
    pub(super) fn read(asked: &[u8]) -> Result<Self, Refusal> {
        let acl = match Acl::read() {
            Ok(acl) => {
                say(&acl.said);
                Some(acl)
            }
            Err(AclError::Absent) => None,
            Err(AclError::Invalid(said)) => {
                say(&said);
                return Err(Refusal::AclUnreadable);
            }
            Err(AclError::Unsafe(why)) => return Err(Refusal::Denied(why)),
        };
        let grants = Grants::read().map_err(Refusal::Denied)?;
        match (&acl, &grants) {
            (None, None) => Err(Refusal::AclUnreadable),
            (Some(acl), None) if !acl.allows(asked) => Err(Refusal::Acl),
            (Some(acl), Some(_)) if acl.denies(asked) => Err(Refusal::Acl),
            _ => Ok(Self { acl, grants }),
        }
    }

    /// # Errors
    /// [`Refusal::Acl`], [`Refusal::Denied`].
    pub(super) fn permit<'a>(&'a self, caller: &'a Caller, offer: &Offer<'_>) -> Result<Permit<'a>, Refusal> {
        let names = [Some(offer.name), offer.network];
        if let Some(acl) = &self.acl
            && names.into_iter().flatten().any(|name| acl.denies(name.as_bytes()))
        {
            return Err(Refusal::Acl);
        }
        let denied = |why: String| Err(Refusal::Denied(why));
        let (user, port) = (&caller.user, offer.name);
        match (&self.grants, offer.owner()) {
            (None, Some(owner)) if owner != caller.uid => denied(format!(
                "user `{user}` may not open port `{port}`: it belongs to uid {owner}, and there is no {GRANTS}"
            )),
            (None, _) => Ok(Permit::BridgeConf),
            (Some(grants), _) => {
                let covers = |(_, grant): &(usize, &Grant)| grant.covers(port, offer.network);
                let covering: Vec<_> = grants.of(caller).filter(covers).collect();
                if covering.is_empty() {
                    return denied(format!(
                        "user `{user}` may not open port `{port}`: no grant in {GRANTS} covers it"
                    ));
                }
                Ok(Permit::Grants(covering))
            }
        }
    }
}

impl Permit<'_> {
    /// Whether it matters how many ports the user has.
    pub(super) fn is_limited(&self) -> bool {
        matches!(self, Self::Grants(grants) if grants.iter().all(|(_, grant)| grant.limit.is_some()))
    }

    /// The first grant that has room for one more, as words for the log. `held`: the ports that the user has already.
    ///
    /// # Errors
    /// [`Refusal::Limit`]: all grants are used up.
    pub(super) fn admit(&self, caller: &Caller, held: &[Offer<'_>]) -> Result<String, Refusal> {
        let Self::Grants(grants) = self else { return Ok(BRIDGE_CONF.to_owned()) };
        let count = |grant: &Grant| held.iter().filter(|port| grant.covers(port.name, port.network)).count();
        let has_room = |grant: &Grant| grant.limit.is_none_or(|limit| count(grant) < limit as usize);
        match grants.iter().find(|(_, grant)| has_room(grant)) {
            Some((number, _)) => Ok(format!("grant {number} of {GRANTS}")),
            None => {
                let limit = grants.iter().filter_map(|(_, grant)| grant.limit).max().unwrap_or(0);
                let user = &caller.user;
                Err(Refusal::Limit(format!(
                    "user `{user}` has as many ports as {GRANTS} allows at once, which is {limit}; stop a guest first"
                )))
            }
        }
    }
}

/// As the stock helper does while it reads. Nothing is left to tell if standard error is gone.
fn say(complaints: &[u8]) {
    let _ = io::stderr().write_all(complaints);
}
