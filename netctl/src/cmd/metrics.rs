//! `netctl metrics`.

use std::io::Write;
use std::path::Path;

use crate::cli::MetricsArgs;
use crate::error::{Error, Outcome, chain};
use crate::metrics::Gatherer;
use crate::metrics::serve::{Address, ServeError, Server};
use crate::metrics::text::encode;
use crate::output::write_json;

pub(super) fn run(bpffs: &Path, args: &MetricsArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let mut gatherer = Gatherer::new(args.rules);
    if let Some(address) = &args.listen {
        return serve(bpffs, address, gatherer);
    }
    let families = gatherer.gather(bpffs)?;
    let written = if args.json {
        write_json(out, &families)
    } else {
        out.write_all(encode(&families, args.format.into()).as_bytes())
    };
    written.map_err(Error::Output)?;
    Ok(Outcome::Yes)
}

fn serve(bpffs: &Path, address: &str, mut gatherer: Gatherer) -> Result<Outcome, Error> {
    let address: Address = address.parse().map_err(ServeError::from)?;
    let server = Server::listen(&address)?;
    if address.leaves_host() {
        eprintln!(
            "netctl: whoever reaches {address} can read it; it is neither encrypted nor behind a password"
        );
    }
    let begun = || eprintln!("netctl: metrics at {address}");
    server.run(begun, || gatherer.gather(bpffs).map_err(|error| format!("netctl: {}\n", chain(&error))))?;
    Ok(Outcome::Yes)
}
