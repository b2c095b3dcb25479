//! The demo with real guests is what a newcomer runs first.

#[test]
fn the_demo_with_real_guests_shows_what_its_policy_says() {
    netctl_tests::demo::qemu::run().unwrap_or_else(|e| panic!("{e:#}"));
}
