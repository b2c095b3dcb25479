//! `netctl libvirt-hook --install` and `--uninstall`: the scripts that libvirt calls.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::error::{Error, Outcome};
use crate::kernel::pins::BPFFS;
use crate::libvirt::script::{Driver, is_ours, script};

pub(super) fn install(
    bpffs: &Path,
    hooks: &Path,
    dry_run: bool,
    out: &mut impl Write,
) -> Result<Outcome, Error> {
    let program =
        std::env::current_exe().map_err(|source| Error::Read { path: "/proc/self/exe".into(), source })?;
    let as_text = |path: &Path| match path.to_str() {
        Some(text) => Ok(text.to_owned()),
        None => Err(Error::Edit(format!("a script cannot name {}: it is no UTF-8", path.display()))),
    };
    let (program, mount) = (as_text(&program)?, as_text(bpffs)?);
    let options = if bpffs == Path::new(BPFFS) { vec![] } else { vec!["--bpffs", mount.as_str()] };
    for driver in Driver::ALL {
        let path = driver.path(hooks);
        must_be_free(&path)?;
        let text = script(driver, &program, &options);
        if dry_run {
            write!(out, "{}:\n{text}", path.display()).map_err(Error::Output)?;
        } else {
            write_script(&path, &text).map_err(|source| Error::Hooks { path: path.clone(), source })?;
            writeln!(out, "+ {}", path.display()).map_err(Error::Output)?;
        }
    }
    if !dry_run {
        eprintln!(
            "netctl: libvirt's daemon looks for hooks when it starts: restart it now (its guests go on)"
        );
    }
    Ok(Outcome::Yes)
}

pub(super) fn uninstall(hooks: &Path, dry_run: bool, out: &mut impl Write) -> Result<Outcome, Error> {
    for driver in Driver::ALL {
        let path = driver.path(hooks);
        if !path.exists() {
            continue;
        }
        must_be_free(&path)?;
        if !dry_run {
            fs::remove_file(&path).map_err(|source| Error::Hooks { path: path.clone(), source })?;
            // Others may have scripts there.
            let _ = path.parent().map(fs::remove_dir);
        }
        writeln!(out, "- {}", path.display()).map_err(Error::Output)?;
    }
    Ok(Outcome::Yes)
}

/// Of nobody, or of an earlier `--install`.
fn must_be_free(path: &Path) -> Result<(), Error> {
    match fs::read(path) {
        Ok(text) if is_ours(&text) => Ok(()),
        Ok(_) => Err(Error::Edit(format!(
            "{} is a script of someone else's; move it away, netctl does not write over it",
            path.display()
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::Read { path: path.to_owned(), source }),
    }
}

/// In one step: libvirt may run the old one meanwhile. Names with a `.` at the start are no hooks to it.
fn write_script(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let new = folder.join(".netctl.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&new)?;
    file.set_permissions(Permissions::from_mode(0o755))?;
    file.write_all(text.as_bytes())?;
    drop(file);
    fs::rename(&new, path)
}
