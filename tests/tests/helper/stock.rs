//! The stock helper on a plain bridge and ours on a network of the same name, asked the same: the same message, exit
//! status and words, byte for byte.

use std::fs;

use netctl_tests::sandbox::Sandbox;

use crate::client::ask;
use crate::world::{BRIDGE_CONF, OURS, STOCK, World, put};

/// Both with each `bridge.conf` and these arguments; at the end, everything that differs.
fn compare(rows: &[(&str, Option<&str>, &[&str])]) {
    let ask_all = |helper: &str| -> Vec<(Option<i32>, String)> {
        Sandbox::run(|sandbox| {
            let world = World::new(sandbox);
            // Where includes are.
            for (name, text) in
                [("good", "allow br0\n"), ("bad", "allow br0\nnonsense\ndeny br0\n"), ("never", "deny br0\n")]
            {
                put(&format!("/etc/qemu/{name}.conf"), Some(text));
            }
            if helper == STOCK {
                sandbox.ip("link add br0 type bridge");
            } else {
                world.install("cap_net_admin+p");
                world.apply("[networks.br0]\nkind = \"bridge\"\n", &["a1"]);
            }
            let ask_one = |(_, conf, arguments): &(&str, Option<&str>, &[&str])| {
                put(BRIDGE_CONF, *conf);
                let answer = ask(sandbox, &[helper], arguments);
                // A full log makes the helper refuse.
                world.log();
                // Read here, where the interfaces are.
                (answer.code, answer.seen())
            };
            rows.iter().map(ask_one).collect()
        })
    };
    let (stock, ours) = (ask_all(STOCK), ask_all(OURS));
    let pairs = rows.iter().zip(stock.iter().zip(&ours));
    let different = pairs.filter(|(_, (stock, ours))| stock != ours);
    let told: Vec<_> = different
        .map(|((name, ..), (stock, ours))| format!("{name}\n stock {}\n ours  {}\n", stock.1, ours.1))
        .collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    assert!(stock.iter().any(|(code, _)| *code == Some(0)), "the stock helper gives nothing at all");
}

const ALL: Option<&str> = Some("allow all\n");
const PLAIN: &[&str] = &["--br=br0", "--fd=0"];

#[test]
fn arguments_are_taken_and_refused_as_the_stock_helper_does() {
    compare(&[
        ("plain", ALL, PLAIN),
        ("as QEMU", ALL, &["--use-vnet", "--fd=0", "--br=br0"]),
        ("as libvirt", ALL, &["--use-vnet", "--br=br0", "--fd=0"]),
        ("twice", ALL, &["--br=no", "--fd=7", "--use-vnet", "--use-vnet", "--fd=0", "--br=br0"]),
        ("nothing", ALL, &[]),
        ("no descriptor", ALL, &["--br=br0"]),
        ("no bridge", ALL, &["--fd=0"]),
        ("no bridge and no rules", None, &["--fd=0"]),
        ("unknown option", ALL, &["--br=br0", "--fd=0", "--help"]),
        ("a word", ALL, &["--br=br0", "--fd=0", "br0"]),
        ("two words", ALL, &["--br", "br0", "--fd=0"]),
        ("empty argument", ALL, &["--br=br0", "--fd=0", ""]),
        ("empty bridge", Some("allow br0\n"), &["--br=", "--fd=0"]),
        ("descriptor -1", ALL, &["--br=br0", "--fd=-1"]),
        ("descriptor without digits is 0", ALL, &["--br=br0", "--fd=x"]),
        ("descriptor with more", ALL, &["--br=br0", "--fd= +0x7"]),
        ("closed descriptor", ALL, &["--br=br0", "--fd=99"]),
        ("negative descriptor", ALL, &["--br=br0", "--fd=-5"]),
        ("a pipe", ALL, &["--br=br0", "--fd=1"]),
        ("closed, and not allowed", Some("deny br0\n"), &["--br=br0", "--fd=99"]),
        ("too long a name", ALL, &["--br=0123456789abcdef", "--fd=0"]),
        ("too long a name and no rules", None, &["--br=0123456789abcdef", "--fd=0"]),
        ("the longest name", Some("allow br0\n"), &["--br=0123456789abcde", "--fd=0"]),
    ]);
}

#[test]
fn the_rules_of_bridge_conf_mean_what_they_mean_to_the_stock_helper() {
    let long = format!("allow br0 {}\nallow br0\n", "x".repeat(5000));
    let comment = format!("#{}\nallow br0\n", " ".repeat(5000));
    let padded = format!("{}allow br0\n", " ".repeat(4094));
    compare(&[
        ("no file", None, PLAIN),
        ("empty", Some(""), PLAIN),
        ("allowed", Some("allow br0\n"), PLAIN),
        ("without line end", Some("allow br0"), PLAIN),
        ("another", Some("allow br1\n"), PLAIN),
        ("all", ALL, PLAIN),
        ("deny after allow", Some("allow br0\ndeny br0\n"), PLAIN),
        ("deny before allow", Some("deny br0\nallow all\n"), PLAIN),
        ("deny all", Some("deny all\nallow br0\n"), PLAIN),
        ("deny another", Some("deny br1\nallow all\n"), PLAIN),
        ("comments and space", Some("\n  # deny all\n\t\n \t allow \t br0 \t\n"), PLAIN),
        ("tab", Some("allow\tbr0\n"), PLAIN),
        ("tab, then a space", Some("allow\tbr0 \n"), PLAIN),
        ("line ends of DOS", Some("allow br0\r\n"), PLAIN),
        ("form feed", Some("\x0callow \x0cbr0\x0c\n"), PLAIN),
        ("vertical tab before", Some("\x0ballow br0\n"), PLAIN),
        ("vertical tab behind", Some("allow br0\x0b\n"), PLAIN),
        ("two names", Some("allow br0 br1\n"), PLAIN),
        ("no name", Some("allow\n"), PLAIN),
        ("no name but space", Some("allow \n"), PLAIN),
        ("unknown word", Some("permit br0\n"), PLAIN),
        ("capitals", Some("ALLOW br0\n"), PLAIN),
        ("an error behind the allow", Some("allow br0\nnonsense\n"), PLAIN),
        ("long name", Some("allow 0123456789abcdef\nallow br0\n"), PLAIN),
        ("longest name", Some("allow 0123456789abcde\nallow br0\n"), PLAIN),
        ("zero byte", Some("allow br0\0garbage\n"), PLAIN),
        ("line longer than the buffer", Some(&long), PLAIN),
        ("comment longer than the buffer", Some(&comment), PLAIN),
        ("word across the buffer", Some(&padded), PLAIN),
        ("include", Some("include /etc/qemu/good.conf\n"), PLAIN),
        ("include of nothing", Some("include /etc/qemu/missing.conf\nallow br0\n"), PLAIN),
        ("include alone", Some("include\nallow br0\n"), PLAIN),
        ("include with an error", Some("include /etc/qemu/bad.conf\n"), PLAIN),
        ("include that denies", Some("allow all\ninclude /etc/qemu/never.conf\n"), PLAIN),
        ("twice the same", Some("include /etc/qemu/good.conf\ninclude /etc/qemu/good.conf\n"), PLAIN),
    ]);
}

#[test]
fn nothing_is_left_behind_where_the_answer_cannot_be_sent() {
    Sandbox::run(|sandbox| {
        let world = World::with_lab(sandbox);
        world.install("cap_net_admin+p");
        put(BRIDGE_CONF, ALL);
        let before = world.interfaces();
        for arguments in [["--br=lab", "--fd=99"], ["--br=lab", "--fd=1"]] {
            ask(sandbox, &[OURS], &arguments).expect_refusal("failed to write fd to unix socket: ");
        }
        assert_eq!(world.interfaces(), before);
        let carrier = fs::read_to_string("/sys/class/net/a1/carrier").unwrap();
        assert_eq!(carrier.trim(), "0", "nobody holds the port");
    });
}
