//! The numbers that netctl promises, and whether this run kept them.

use serde::Serialize;

use super::changes::Change;
use super::report::Report;
use super::traffic::Traffic;
use super::way::Kind;

/// The largest number of rules that a promise is about, and the smallest.
const MANY: u32 = 10_000;
const FEW: u32 = 10;

/// One promise: `measured` is at most `limit`.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    pub name: String,
    pub limit: f64,
    pub measured: f64,
    pub unit: &'static str,
    pub met: bool,
}

/// Those for which this run has the rows.
pub fn targets(report: &Report) -> Vec<Target> {
    let promises = [
        to_bare(report, Kind::Netctl, Traffic::Established, 1.05),
        // Throughput of at least 0.95 times the bridge's.
        to_bare(report, Kind::Netctl, Traffic::Tso, 1.0 / 0.95),
        // Redirected past the macvlan.
        to_bare(report, Kind::NetctlMacvlan, Traffic::Established, 1.05),
        // Never redirected.
        to_bare(report, Kind::NetctlPassthrough, Traffic::Established, 1.15),
        to_bare(report, Kind::NetctlVepa, Traffic::Established, 1.15),
        many_to_few(report, Traffic::Established, 1.05),
        many_to_few(report, Traffic::New, 1.3),
        to_interval(report, Traffic::Established),
        to_interval(report, Traffic::New),
        change(report, Change::AllRules, 300.0),
        change(report, Change::OneRule, 100.0),
        change(report, Change::OnePort, 50.0),
    ];
    promises.into_iter().flatten().collect()
}

fn target(name: String, unit: &'static str, limit: f64, measured: f64) -> Target {
    Target { name, limit, measured, unit, met: measured <= limit }
}

fn to_bare(report: &Report, kind: Kind, traffic: Traffic, limit: f64) -> Option<Target> {
    let measured = report.row(kind, MANY, traffic)?.to_bare?.median;
    let name = format!("{}, {MANY} rules, to {}: {traffic}", kind.title(), kind.bare().title());
    Some(target(name, "×", limit, measured))
}

fn many_to_few(report: &Report, traffic: Traffic, limit: f64) -> Option<Target> {
    let many = report.row(Kind::Netctl, MANY, traffic)?.nanos.median;
    let few = report.row(Kind::Netctl, FEW, traffic)?.nanos.median;
    Some(target(format!("netctl, {MANY} rules to {FEW}: {traffic}"), "×", limit, many / few))
}

fn to_interval(report: &Report, traffic: Traffic) -> Option<Target> {
    let netctl = report.row(Kind::Netctl, MANY, traffic)?.nanos.median;
    let nft = report.row(Kind::NftInterval, MANY, traffic)?.nanos.median;
    Some(target(format!("netctl to nft interval set, {MANY} rules: {traffic}"), "×", 0.7, netctl / nft))
}

fn change(report: &Report, change: Change, limit: f64) -> Option<Target> {
    let measured = report.change(Kind::Netctl, MANY, change)?.millis.median;
    Some(target(format!("netctl apply, {MANY} rules: {}", change.title()), "ms", limit, measured))
}
