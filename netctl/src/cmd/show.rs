//! `netctl show`.

use std::io::Write;
use std::path::Path;

use crate::cli::JsonArgs;
use crate::cmd::confirm;
use crate::error::{Error, Outcome};
use crate::output::write_json;
use crate::state::State;
use crate::would::not_enforced;

pub(super) fn run(bpffs: &Path, args: &JsonArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let state = State::read(bpffs)?;
    confirm::remind(bpffs);
    let written = if args.json {
        write_json(
            out,
            &serde_json::json!({ "generation": state.root.generation, "document": state.document }),
        )
    } else {
        out.write_all(state.document.as_bytes())
    };
    written.map_err(Error::Output)?;
    if let Some(words) = not_enforced(&state.config) {
        eprintln!("netctl: {words}");
    }
    Ok(Outcome::Yes)
}
