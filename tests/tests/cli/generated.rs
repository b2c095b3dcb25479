//! What is made from the definitions of the command line and of the document.

use netctl_tests::sandbox::Sandbox;

use crate::lab::Lab;

#[test]
fn the_completion_script_completes_a_subcommand() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.sh("netctl completions bash > complete.sh").expect_code(0);
        // What readline does on TAB after `netctl expl`.
        let tab = "source ./complete.sh; COMP_WORDS=(netctl expl); COMP_CWORD=1; _netctl netctl expl netctl; \
                   echo ${COMPREPLY[@]}";
        assert_eq!(lab.sh(tab).expect_code(0).stdout.trim(), "explain");
        for shell in ["elvish", "fish", "powershell", "zsh"] {
            let script = lab.sh(&format!("netctl completions {shell}")).expect_code(0).stdout;
            assert!(script.contains("explain"), "{shell}");
        }
    });
}

#[test]
fn every_command_has_a_manual_page() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.sh("netctl man pages/man1").expect_code(0);
        let pages = lab.sh("ls pages/man1").stdout;
        for page in ["netctl.1", "netctl-apply.1", "netctl-port-list.1"] {
            assert!(pages.lines().any(|line| line == page), "no {page} in\n{pages}");
        }
        assert!(lab.sh("cat pages/man1/netctl-explain.1").stdout.contains(".TH"));
        // A page without commands below it shows what one types.
        let bare = "cd pages/man1; for page in *.1; do
            grep -q '^.SH SUBCOMMANDS' $page || grep -q '^.SH EXAMPLES' $page || echo $page; done";
        assert_eq!(lab.sh(bare).stdout, "", "without a session in docs/cli.md");
    });
}

#[test]
fn the_schema_is_one_that_editors_know() {
    Sandbox::run(|sandbox| {
        let schema = Lab::new(sandbox).sh("netctl schema").expect_code(0).json();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(schema["properties"]["ports"].is_object());
    });
}
