//! Whether there is a program, before anything is opened for it.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// As execvp(3) looks for it: by its path if it has a `/`, else in the folders of PATH.
pub(super) fn exists(program: &OsStr) -> bool {
    if program.as_encoded_bytes().contains(&b'/') {
        return can_be_run(Path::new(program));
    }
    // confstr(_CS_PATH) stands for a PATH that is not set.
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    std::env::split_paths(&path).any(|folder| can_be_run(&folder.join(program)))
}

fn can_be_run(file: &Path) -> bool {
    file.metadata().is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_files_that_can_be_run() {
        for (program, wanted) in [
            ("sh", true),
            ("/bin/sh", true),
            ("no-such-program", false),
            ("/etc/passwd", false),
            ("/etc", false),
            ("./sh", false),
        ] {
            assert_eq!(exists(program.as_ref()), wanted, "{program}");
        }
    }
}
