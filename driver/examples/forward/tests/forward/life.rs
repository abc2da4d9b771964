//! The whole service: from the registration to its end, whatever fails.

use std::cell::Cell;
use std::time::Duration;

use skua_forward::{Forwarder, MOST_FORWARDERS, MOST_RULES, OpenError, ServiceError, run};
use skua_hosted::fault::FaultLoop;
use skua_hosted::{HostConfig, HostKernel};

use crate::fixture::{next, peer, settings, table};

fn empty(kernel: &HostKernel) {
    let outstanding = kernel.outstanding();
    assert!(outstanding.is_empty(), "{outstanding:?}");
}

#[test]
fn a_service_forwards_until_it_is_told_to_stop_and_leaves_nothing() {
    let kernel = HostKernel::new(HostConfig::default());
    let (outside, inside) = (peer("127.0.0.1"), peer("127.0.0.1"));
    let rules = [format!("outer any forward {}", inside.local_addr().unwrap())];
    let rules = table(&rules);
    let both = [settings(&rules, 4), settings(&rules, 4)];
    let rounds = Cell::new(0);
    let passed = Cell::new(0);
    let talk = |forwarders: &[Forwarder<HostKernel>]| {
        assert_eq!(forwarders.len(), 2);
        for forwarder in forwarders {
            let [outer, inner] = forwarder.local();
            outside.send_to(b"datagram", outer).unwrap();
            assert_eq!(next(&inside), (b"datagram".to_vec(), inner));
            passed.set(passed.get() + 1);
        }
    };
    let wait = |_longest: Duration| {
        rounds.set(rounds.get() + 1);
        rounds.get() == 3
    };
    run(&kernel, &both, wait, talk).unwrap();
    assert_eq!(passed.get(), 2 * (1 + 2 + 1), "when open, at each round, and before the end");
    empty(&kernel);
}

#[test]
fn a_service_that_is_told_to_stop_before_the_provider_comes_stops() {
    let kernel = HostKernel::new(HostConfig::default());
    kernel.set_provider_away(true);
    kernel.shorten_waits(100);
    run(&kernel, &[settings(&[], 4)], |_| true, |_| panic!("nothing is open")).unwrap();
    empty(&kernel);
}

#[test]
fn more_settings_than_places_are_refused() {
    let kernel = HostKernel::new(HostConfig::default());
    let many = vec![settings(&[], 4); MOST_FORWARDERS + 1];
    let refused = run(&kernel, &many, |_| true, |_| ());
    assert_eq!(refused, Err(ServiceError::TooMany));
    empty(&kernel);
}

#[test]
fn a_table_with_too_many_rules_is_refused_and_a_full_one_is_not() {
    let kernel = HostKernel::new(HostConfig::default());
    let rules = vec![table(&["outer any drop".to_owned()])[0]; MOST_RULES + 1];
    let refused = run(&kernel, &[settings(&rules, 4)], |_| true, |_| ());
    assert_eq!(refused, Err(ServiceError::Open(OpenError::TooManyRules(MOST_RULES + 1))));
    run(&kernel, &[settings(&rules[1..], 4)], |_| true, |_| ()).unwrap();
    empty(&kernel);
}

#[test]
fn an_address_that_is_taken_ends_the_service_with_what_was_wrong() {
    let kernel = HostKernel::new(HostConfig::default());
    let taken = peer("127.0.0.1");
    let mut wrong = settings(&[], 4);
    wrong.local[1] = taken.local_addr().unwrap();
    let refused = run(&kernel, &[settings(&[], 4), wrong], |_| true, |_| panic!("not all are open"));
    assert!(matches!(refused, Err(ServiceError::Open(_))), "{refused:?}");
    empty(&kernel);
}

#[test]
fn a_life_in_which_any_call_fails_once_ends_with_nothing_left() {
    let report = FaultLoop::default()
        .run(&HostConfig::loopback(1), |kernel| {
            let rounds = Cell::new(0);
            let wait = |_longest: Duration| {
                rounds.set(rounds.get() + 1);
                // A capture that failed once is tried again.
                rounds.get() > 1
            };
            let rules = table(&["outer any drop".to_owned(), "inner any forward 127.0.0.1:9".to_owned()]);
            // Whatever it says, it has left nothing, which the loop checks.
            let _said = run(kernel, &[settings(&rules, 4)], wait, |_| ());
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    assert!(report.sites.len() > 10, "{} sites of {} calls", report.sites.len(), report.calls);
}
