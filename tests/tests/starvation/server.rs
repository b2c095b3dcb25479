//! A server that both may reach: its tables have the flows of both.

use netctl_tests::sandbox::Sandbox;

use crate::victims::{Answered, Kind, World};

/// Several times what its tables hold.
const ASKED: u16 = 40_000;

/// Connections of others that are silent meanwhile.
fn outlive(kind: Kind, until: Answered) {
    Sandbox::run(|sandbox| {
        let world = World::with_shared_server(sandbox, kind);
        world.open_connections();
        for number in 0..ASKED {
            world.ask_the_server(number, until);
        }
        world.assert_connections_are_there();
        // Nor does it keep others from opening some.
        (0..20).for_each(|number| world.open_another(number));
        world.use_idle_connections();
    });
}

#[test]
fn connections_to_a_server_outlive_questions_that_it_never_answers() {
    outlive(Kind::Tap, Answered::Never);
}

#[test]
fn connections_to_a_server_outlive_handshakes_that_are_never_completed() {
    outlive(Kind::Tap, Answered::Once);
}

#[test]
fn connections_to_a_server_outlive_connections_that_another_guest_opens() {
    outlive(Kind::Tap, Answered::Open);
}

#[test]
fn connections_to_a_server_on_a_macvtap_outlive_connections_that_another_guest_opens() {
    outlive(Kind::Macvtap, Answered::Open);
}
