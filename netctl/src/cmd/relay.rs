//! `netctl relay`.

use std::path::Path;

use super::block_on;
use crate::cli::RelayArgs;
use crate::error::{Error, Outcome};
use crate::network::Netlink;
use crate::state::State;
use crate::vmm::RunPort;
use crate::vmm::relay::{self, Address, AddressError, Endpoint, Place, Relay, RelayError};

pub(super) fn run(bpffs: &Path, args: &RelayArgs) -> Result<Outcome, Error> {
    let socket = Socket::parse(args).map_err(RelayError::from)?;
    let state = State::read(bpffs)?;
    let port = state.run_port(&args.port)?;
    let owner = state.config.ports.get(&args.port).and_then(|port| port.owner);
    // The socket first: who connects to the path of a port finds it open.
    let (endpoint, place) = socket.open(args, owner)?;
    let queue = block_on(open(&port))??;
    if let Some(note) = socket.note(&port.name) {
        eprintln!("netctl: {note}");
    }
    let name = &args.port;
    let ended = Relay::new(name, queue, endpoint)?
        .run(|| eprintln!("netctl: relay of port `{name}` {}", socket.describe()))?;
    drop(place);
    if ended { Ok(Outcome::Yes) } else { Err(Error::RelayEnded { port: args.port.clone() }) }
}

async fn open(port: &RunPort) -> Result<std::os::fd::OwnedFd, Error> {
    Ok(relay::open_queue(&Netlink::connect()?, port).await?)
}

/// What was typed.
enum Socket {
    Listen(Address),
    Connect(Address),
    Inherited(i32),
}

impl Socket {
    fn parse(args: &RelayArgs) -> Result<Self, AddressError> {
        match (&args.socket.listen, &args.socket.connect, args.socket.fd) {
            (Some(text), ..) => Ok(Self::Listen(text.parse()?)),
            (_, Some(text), _) => Ok(Self::Connect(text.parse()?)),
            (_, _, fd) => Ok(Self::Inherited(fd.unwrap_or(-1))),
        }
    }

    fn open(&self, args: &RelayArgs, owner: Option<u32>) -> Result<(Endpoint, Option<Place>), RelayError> {
        match self {
            Self::Listen(address) => Endpoint::listen(address, owner),
            Self::Connect(address) => Endpoint::connect(address, args.bind.as_deref(), owner),
            Self::Inherited(number) => Ok((Endpoint::inherited(*number)?, None)),
        }
    }

    fn note(&self, port: &str) -> Option<String> {
        match self {
            Self::Listen(address) if address.leaves_host() => Some(format!(
                "whoever reaches `{address}` can be the guest of port `{port}`; its frames are not encrypted"
            )),
            Self::Connect(address) if address.leaves_host() => {
                Some(format!("the frames of port `{port}` go to `{address}` and are not encrypted"))
            }
            _ => None,
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Listen(address) => format!("listens on `{address}`"),
            Self::Connect(address) => format!("is connected to `{address}`"),
            Self::Inherited(number) => format!("uses descriptor {number}"),
        }
    }
}
