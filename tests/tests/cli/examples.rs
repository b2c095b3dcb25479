//! Every subcommand's help shows an example, and every example works.

use netctl_tests::sandbox::Sandbox;

use crate::lab::Lab;

/// The subcommands below `words`, by what its help lists; `help` itself has no help.
fn subcommands(lab: &Lab<'_>, words: &str) -> Vec<String> {
    let help = lab.sh(&format!("{words} --help")).expect_code(0).stdout;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| !line.is_empty())
        // A line of its own is indented by two; deeper ones go on with a description.
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(|name| format!("{words} {name}"))
        .collect()
}

fn every_command(lab: &Lab<'_>) -> Vec<String> {
    let mut all = vec!["netctl".to_owned(), "netctl man".to_owned()];
    let mut at = 0;
    while let Some(words) = all.get(at).cloned() {
        all.extend(subcommands(lab, &words));
        at += 1;
    }
    all
}

fn examples(lab: &Lab<'_>, words: &str) -> Vec<String> {
    let help = lab.sh(&format!("{words} --help")).expect_code(0).stdout;
    let after = help.lines().skip_while(|line| *line != "Example:").skip(1);
    after.filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect()
}

#[test]
fn the_help_of_every_command_has_an_example_that_works() {
    Sandbox::run(|sandbox| {
        let lab = Lab::new(sandbox);
        lab.apply();
        // What the examples of `port` adopt.
        lab.sh("ip tuntap add vnet0 mode tap && ip link set vnet0 master lab up").expect_code(0);
        let commands = every_command(&lab);
        for known in ["netctl port list", "netctl run", "netctl completions", "netctl map dump"] {
            assert!(commands.iter().any(|command| command == known), "no {known} in {commands:?}");
        }
        for command in &commands {
            let examples = examples(&lab, command);
            assert!(!examples.is_empty(), "`{command} --help` shows no example");
            for example in &examples {
                assert!(example.contains(command.as_str()), "`{command} --help` shows `{example}`");
                lab.follow(example, 0);
            }
        }
    });
}
