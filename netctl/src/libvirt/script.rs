//! The scripts that libvirt calls: one for each of its drivers, in the driver's folder below `/etc/libvirt/hooks`.

use std::path::{Path, PathBuf};

/// Where libvirt looks for hooks.
pub const FOLDER: &str = "/etc/libvirt/hooks";

/// Who calls a hook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Driver {
    /// Domains of QEMU.
    #[default]
    Qemu,
    /// libvirt's own networks.
    Network,
}

impl Driver {
    pub const ALL: [Self; 2] = [Self::Qemu, Self::Network];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Network => "network",
        }
    }

    /// In a folder of scripts (since libvirt 6.5), so that the one script `hooks/qemu` stays the operator's.
    pub fn path(self, hooks: &Path) -> PathBuf {
        hooks.join(format!("{}.d", self.name())).join("netctl")
    }
}

const MARK: &str = "# Written by `netctl libvirt-hook --install`.";

/// Whether a text is a script of [`script`].
pub fn is_ours(text: &[u8]) -> bool {
    text.windows(MARK.len()).any(|window| window == MARK.as_bytes())
}

/// What libvirt runs. `options` stand before the command, such as `--bpffs`.
///
/// The name of a domain is anybody's text, hence `--`. libvirt kills a running guest when its `reconnect` fails, which it
/// therefore never does, not even without netctl.
pub fn script(driver: Driver, program: &str, options: &[&str]) -> String {
    let words: Vec<String> = std::iter::once(&program).chain(options).map(|word| quote(word)).collect();
    let (words, driver) = (words.join(" "), driver.name());
    format!("#!/bin/sh\n{MARK}\n{words} libvirt-hook --driver {driver} -- \"$@\" || [ \"$2\" = reconnect ]\n")
}

/// One word of a shell.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_hands_all_words_on_and_never_fails_a_reconnect() {
        let text = script(Driver::Qemu, "/usr/bin/netctl", &[]);
        assert!(
            text.ends_with(
                "\n/usr/bin/netctl libvirt-hook --driver qemu -- \"$@\" || [ \"$2\" = reconnect ]\n"
            )
        );
        assert!(is_ours(text.as_bytes()) && !is_ours(b"#!/bin/sh\nexit 0\n"));
    }

    #[test]
    fn a_path_is_one_word_of_the_shell() {
        let text = script(Driver::Network, "/opt/it's me/netctl", &["--bpffs", "/sys/fs/bpf2"]);
        assert!(
            text.contains("'/opt/it'\\''s me/netctl' --bpffs /sys/fs/bpf2 libvirt-hook --driver network --")
        );
    }
}
