//! Errors are one line: what, where, and what to do.

use std::net::UdpSocket;

use crate::sink::{skua, text};

/// Runs a command that must fail with `status`, and checks that its one line says all of `wanted`.
fn fails(status: i32, args: &[&str], wanted: &[&str]) {
    let output = skua(args).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{args:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{args:?}");
    assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
    for wanted in wanted {
        assert!(stderr.contains(wanted), "{wanted:?} is not in {stderr:?} of {args:?}");
    }
}

#[test]
fn a_port_that_is_taken() {
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    fails(1, &["sink", "--listen", &address], &[&address, "STATUS_", "another port"]);
}

#[test]
fn an_address_of_another_machine() {
    fails(1, &["sink", "--listen", "192.0.2.1:9125"], &["192.0.2.1:9125", "STATUS_", "not of this machine"]);
}

#[test]
fn a_file_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere").join("a.pcapng");
    let path = text(&path);
    fails(1, &["sink", "--listen", "127.0.0.1:0", "--write", path], &[path, "can be written"]);
    fails(1, &["sink", "--listen", "127.0.0.1:0", "--json", path], &[path, "can be written"]);
    fails(1, &["sink", "--listen", "127.0.0.1:0", "--write", "/dev/full"], &["/dev/full", "space"]);
}

#[test]
fn one_file_for_two_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let path = text(&path);
    fails(
        1,
        &["sink", "--listen", "127.0.0.1:0", "--write", path, "--json", path],
        &[path, "--write", "--json"],
    );
}

#[test]
fn a_ring_that_holds_less_than_four_of_the_largest_records() {
    fails(
        1,
        &["sink", "--listen", "127.0.0.1:0", "--ring", "64K"],
        &["--ring 64K", "--ring 512K", "--snaplen"],
    );
    fails(1, &["sink", "--listen", "127.0.0.1:0", "--ring", "4K", "--snaplen", "1500"], &["--ring 8K"]);
}

#[test]
fn groups_that_nobody_can_hear() {
    fails(1, &["sink", "--listen", "127.0.0.1:0", "--group", "ff02::7@lo"], &["ff02::7@lo", "--listen [::]"]);
    fails(
        1,
        &["sink", "--listen", "0.0.0.0:0", "--group", "239.1.2.3@no-such-if"],
        &["no-such-if", "ip link"],
    );
}

#[test]
fn a_metrics_port_that_is_taken() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    fails(1, &["sink", "--listen", "127.0.0.1:0", "--metrics", &address], &["--metrics", &address]);
}

#[test]
fn a_receiver_that_cannot_be_sent_to() {
    let broadcast = ["send", "--to", "255.255.255.255:9", "--count", "1"];
    fails(1, &broadcast, &["255.255.255.255:9", "no socket to send from", "STATUS_"]);
}

#[test]
fn command_lines_that_are_not_understood() {
    for (args, wanted) in [
        (&["sink", "--listen", "127.0.0.1:0", "--no-such-option"][..], "--no-such-option"),
        (&["sink"], "--listen"),
        (&["sink", "--listen", "here"], "IP:PORT"),
        (&["sink", "--listen", "127.0.0.1:0", "--ring", "big"], "--ring"),
        (&["sink", "--listen", "127.0.0.1:0", "--snaplen", "70000"], "--snaplen"),
        (&["sink", "--listen", "127.0.0.1:0", "--workers", "0"], "--workers"),
        (&["sink", "--listen", "127.0.0.1:0", "--sample", "2/3"], "1/100"),
        (&["sink", "--listen", "127.0.0.1:0", "--allow", "10.0.0.0/33"], "--allow"),
        (&["sink", "--listen", "127.0.0.1:0", "--allow", "10.1.0.0/8"], "10.0.0.0/8"),
        (&["sink", "--listen", "127.0.0.1:0", "--for", "10"], "10s"),
        (&["sink", "--listen", "127.0.0.1:0", "--group", "10.0.0.1"], "multicast"),
        (&["send", "--to", "127.0.0.1:9", "--count", "1", "--size", "65508"], "65507"),
        (&["send", "--to", "127.0.0.1:9"], "--count"),
        (&["plan", "--rate", "0", "--size", "1", "--stall", "1s"], "--rate"),
        (&["nonsense"], "nonsense"),
    ] {
        fails(2, args, &[wanted]);
    }
}

#[test]
fn help_is_no_error() {
    for args in
        [&["--help"][..], &["sink", "--help"], &["send", "--help"], &["plan", "--help"], &["--version"]]
    {
        let output = skua(args).output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty() && output.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn what_needs_the_driver_says_that_it_is_not_here() {
    for line in [
        &["sink", "--driver", "--listen", "127.0.0.1:0"][..],
        &["sink", "--driver", "--listen", "127.0.0.1:0", "--detach"],
        &["capture", "--discard"],
        &["stats"],
        &["top"],
        &["change", "--sample", "1/2"],
        &["stop", "--sink", "1"],
        &["driver", "install"],
        &["driver", "start"],
        &["driver", "stop"],
        &["driver", "status"],
        &["driver", "uninstall"],
    ] {
        fails(1, line, &["inside Windows", "linux"]);
    }
}
