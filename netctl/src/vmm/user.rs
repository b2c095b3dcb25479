//! The user that a VMM runs as: not root, and with no way back to any rights.

use std::ffi::{CString, OsString};
use std::path::PathBuf;

use caps::CapSet;
use nix::errno::Errno;
use nix::sys::prctl::set_no_new_privs;
use nix::unistd::{Gid, Uid, User, initgroups, setresgid, setresuid};

/// Why the VMM cannot run as a user.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error("no user `{name}` on this host; `getent passwd` lists the users")]
    Unknown { name: String },
    #[error("user `{name}` is root, whose rights are those that `--user` takes away; name another user")]
    Root { name: String },
    #[error("cannot look up user `{name}`")]
    LookUp { name: String, source: Errno },
    #[error("cannot become user `{name}`: {what} is refused; run as root")]
    Become { name: String, what: &'static str, source: Errno },
    #[error("cannot become user `{name}`: a capability stays")]
    Capabilities { name: String, source: caps::errors::CapsError },
}

/// An ordinary user of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    name: String,
    uid: Uid,
    gid: Gid,
    home: PathBuf,
}

impl Account {
    /// By name, as passwd(5) and its like have it.
    ///
    /// # Errors
    /// [`UserError::Unknown`], [`UserError::Root`], [`UserError::LookUp`].
    pub fn find(name: &str) -> Result<Self, UserError> {
        let found =
            User::from_name(name).map_err(|source| UserError::LookUp { name: name.to_owned(), source })?;
        let user = found.ok_or_else(|| UserError::Unknown { name: name.to_owned() })?;
        if user.uid.is_root() {
            return Err(UserError::Root { name: name.to_owned() });
        }
        Ok(Self { name: user.name, uid: user.uid, gid: user.gid, home: user.dir })
    }

    /// What programs expect to find about their user.
    pub fn environment(&self) -> [(&'static str, OsString); 3] {
        [("HOME", self.home.clone().into()), ("USER", (&self.name).into()), ("LOGNAME", (&self.name).into())]
    }

    /// Makes this process the user's: its groups, no capabilities, and none by any program that it runs
    /// (no_new_privs). The bounding set stays: it limits what a program can gain, and there is nothing to gain.
    ///
    /// # Errors
    /// [`UserError::Become`], [`UserError::Capabilities`]; the process is not to go on then.
    pub fn assume(&self) -> Result<(), UserError> {
        let fail = |what| move |source| UserError::Become { name: self.name.clone(), what, source };
        let name = CString::new(self.name.as_str()).map_err(|_| fail("the name")(Errno::EINVAL))?;
        // Groups first: they can be set only while this is root.
        initgroups(&name, self.gid).map_err(fail("initgroups"))?;
        setresgid(self.gid, self.gid, self.gid).map_err(fail("setresgid"))?;
        setresuid(self.uid, self.uid, self.uid).map_err(fail("setresuid"))?;
        // The change of the uid clears these, but for the inheritable ones and under securebits that keep them.
        for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
            let stays = |source| UserError::Capabilities { name: self.name.clone(), source };
            caps::clear(None, set).map_err(stays)?;
        }
        set_no_new_privs().map_err(fail("no_new_privs"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_nobody_known_are_refused() {
        assert!(matches!(Account::find("root"), Err(UserError::Root { .. })));
        assert!(matches!(Account::find("no such user"), Err(UserError::Unknown { .. })));
        assert!(Account::find("zero\0byte").is_err());
    }

    #[test]
    fn a_user_has_a_home() {
        let [home, user, _] = Account::find("nobody").unwrap().environment();
        assert_eq!((home.0, user.1.to_str()), ("HOME", Some("nobody")));
    }
}
