//! `netctl report`: what runs, as one page that needs nothing else.

mod content;
mod facts;
mod page;
mod reach;
mod rows;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use self::facts::Facts;
use crate::cli::ReportArgs;
use crate::error::{Error, Outcome};
use crate::output::write_json;

pub(super) fn run(bpffs: &Path, args: &ReportArgs, out: &mut impl Write) -> Result<Outcome, Error> {
    let facts = Facts::gather(bpffs, args.denies)?;
    let mut bytes = Vec::new();
    if args.json {
        write_json(&mut bytes, &facts).map_err(Error::Output)?;
    } else {
        bytes = page::page(&facts).into_bytes();
    }
    match &args.output {
        Some(path) if path.as_os_str() != "-" => {
            put(path, &bytes).map_err(|source| Error::Write { path: path.clone(), source })?;
        }
        _ => out.write_all(&bytes).map_err(Error::Output)?,
    }
    Ok(Outcome::Yes)
}

/// In one step where the path is a file's or free: who reads it meanwhile, such as a web server, sees the one or the other.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let is_special = fs::metadata(path).is_ok_and(|facts| !facts.is_file());
    let (Some(name), false) = (path.file_name(), is_special || path.is_symlink()) else {
        return fs::write(path, bytes);
    };
    let mut new = std::ffi::OsString::from(".");
    new.push(name);
    new.push(format!(".{}", std::process::id()));
    let new = path.with_file_name(new);
    let written = fs::File::create_new(&new).and_then(|mut file| file.write_all(bytes));
    let done = written.and_then(|()| fs::rename(&new, path));
    if done.is_err() {
        // Not there, or half a page.
        let _ = fs::remove_file(&new);
    }
    done
}
