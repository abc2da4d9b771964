//! The table: how rules are written, and which one decides.

use std::net::SocketAddr;

use skua_forward::{Action, Rule, RuleError, Side, first};

use crate::fixture::table;

fn find(rules: &[Rule], side: Side, remote: &str) -> Option<(usize, Action)> {
    first(rules, side, &remote.parse::<SocketAddr>().unwrap().into())
}

#[test]
fn a_rule_is_written_as_it_is_read() {
    for text in [
        "outer any forward 192.0.2.1:53",
        "inner 10.0.0.0/8 drop",
        "outer 2001:db8::/32 forward [2001:db8::1]:53",
        "inner 192.0.2.7/32 drop",
    ] {
        assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
    }
    assert_eq!("inner 192.0.2.7 drop".parse::<Rule>(), "inner 192.0.2.7/32 drop".parse());
}

#[test]
fn what_is_no_rule_says_which_part_is_wrong() {
    for (text, error) in [
        ("", RuleError::Side),
        ("sideways any drop", RuleError::Side),
        ("outer", RuleError::Source),
        ("outer 10.0.0.1/8 drop", RuleError::Source),
        ("outer 10.0.0.0/33 drop", RuleError::Source),
        ("outer any", RuleError::Action),
        ("outer any forward", RuleError::Action),
        ("outer any forward 192.0.2.1", RuleError::Action),
        ("outer any drop drop", RuleError::Action),
        ("outer any forward 192.0.2.1:53 drop", RuleError::Action),
    ] {
        assert_eq!(text.parse::<Rule>(), Err(error), "{text}");
    }
}

#[test]
fn the_first_rule_of_the_side_that_fits_decides() {
    let to = "192.0.2.1:53".parse().unwrap();
    let rules = table(
        &[
            "outer 10.1.0.0/16 drop",
            "outer 10.0.0.0/8 forward 192.0.2.1:53",
            "inner 10.0.0.0/8 drop",
            "outer 2001:db8::/32 drop",
        ]
        .map(str::to_owned),
    );
    assert_eq!(find(&rules, Side::Outer, "10.1.2.3:9"), Some((0, Action::Drop)));
    assert_eq!(find(&rules, Side::Outer, "10.2.2.3:9"), Some((1, Action::Forward(to))));
    assert_eq!(find(&rules, Side::Inner, "10.2.2.3:9"), Some((2, Action::Drop)));
    assert_eq!(find(&rules, Side::Outer, "[2001:db8::1]:9"), Some((3, Action::Drop)));
    assert_eq!(find(&rules, Side::Outer, "11.0.0.1:9"), None);
    assert_eq!(find(&rules, Side::Inner, "[2001:db8::1]:9"), None);
}
