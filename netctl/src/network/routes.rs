//! Which interfaces hold the host's way out.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage};

use super::error::NetworkError;
use super::netlink::Netlink;
use super::observe::collect;

/// Indexes of the interfaces that a default route of any table leads to.
///
/// # Errors
/// What netlink says; reading needs no privilege.
pub(super) async fn default_routes(netlink: &Netlink) -> Result<BTreeSet<u32>, NetworkError> {
    let families =
        [RouteMessageBuilder::<Ipv4Addr>::new().build(), RouteMessageBuilder::<Ipv6Addr>::new().build()];
    let mut found = BTreeSet::new();
    for family in families {
        let routes = netlink.handle.route().get(family).execute();
        let routes: Vec<RouteMessage> = collect("read the routes", routes).await?;
        let defaults = routes.iter().filter(|route| route.header.destination_prefix_length == 0);
        found.extend(defaults.flat_map(outputs));
    }
    Ok(found)
}

/// One, or several where the route has several next hops.
fn outputs(route: &RouteMessage) -> Vec<u32> {
    let of = |attribute: &RouteAttribute| match attribute {
        RouteAttribute::Oif(index) => vec![*index],
        RouteAttribute::MultiPath(hops) => hops.iter().map(|hop| hop.interface_index).collect(),
        _ => Vec::new(),
    };
    route.attributes.iter().flat_map(of).collect()
}
