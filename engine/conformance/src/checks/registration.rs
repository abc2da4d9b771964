//! Registering, capturing, releasing, versions.

use skua_engine::abi::status::{STATUS_CANCELLED, STATUS_NOINTERFACE, STATUS_SUCCESS};
use skua_engine::abi::wsk::{WSK_CLIENT_DISPATCH, WSK_NO_WAIT, WSK_TRANSPORT_LIST_CHANGE, wsk_major_version};
use skua_engine::{Dispatch, Kernel};

use crate::client::datagram::DatagramSocket;
use crate::client::memory::Owned;
use crate::client::request::Request;
use crate::client::{
    Block, CLIENT_DISPATCH, Client, LOCALHOST, NOTHING, capture, characteristics, deregister, register,
    release,
};
use crate::outcome::{Outcome, Verdict, expect, expect_at};

checks! { Registration;
    captured_again: "a registration may capture the provider several times",
        "WskCaptureProviderNPI, Remarks";
    same_client: "every capture of a registration gives the same client and table",
        "WskCaptureProviderNPI, WskProviderNpi";
    clients_differ: "two registrations are two clients",
        "WskCaptureProviderNPI, WskProviderNpi";
    transient_npi: "the client's NPI is read during WskRegister only",
        "WskRegister; facts 1";
    no_wait_raised: "with WSK_NO_WAIT a capture is allowed at DISPATCH_LEVEL, and so is its release",
        "WskCaptureProviderNPI, IRQL; WskReleaseProviderNPI, IRQL";
    other_version: "a version that is not supported is NOINTERFACE",
        "WskCaptureProviderNPI, Return value: STATUS_NOINTERFACE";
    another_try: "after NOINTERFACE another registration may ask for another version",
        "WskCaptureProviderNPI; facts 1";
    range: "the provider's versions are a range",
        "WSK_PROVIDER_CHARACTERISTICS";
    has_1_0: "the provider's versions include 1.0",
        "WskQueryProviderCharacteristics; facts 1";
    query_raised: "the versions may be asked for at DISPATCH_LEVEL",
        "WskQueryProviderCharacteristics, IRQL";
    query_before_capture: "the versions may be asked for without a capture",
        "WskQueryProviderCharacteristics, Remarks";
    table_version: "the table has the major version that was asked for",
        "WSK_PROVIDER_DISPATCH, Version";
    functions: "the client-level table has every function",
        "WSK_PROVIDER_DISPATCH";
    deregister_at_once: "a registration that captured nothing is deregistered at once",
        "WskDeregister, Remarks";
    deregister_after_refusal: "a registration whose capture was refused is deregistered at once",
        "WskDeregister, Remarks";
    change_cancelled: "WskDeregister cancels a pending WSK_TRANSPORT_LIST_CHANGE",
        "WSK_TRANSPORT_LIST_CHANGE, Remarks";
    sockets_after_release: "a socket is of use after the provider was released",
        "WskReleaseProviderNPI, Remarks";
    block_again: "a registration block may be registered again",
        "WskRegister; WskDeregister";
}

/// A client of a version that no provider has.
static VERSION_9: WSK_CLIENT_DISPATCH =
    WSK_CLIENT_DISPATCH { Version: 0x0900, Reserved: 0, WskClientEvent: None };

/// A registration without a capture; the check deregisters it.
fn registered<'b, K: Kernel>(
    client: &Client<'b, K>,
    dispatch: &'static WSK_CLIENT_DISPATCH,
) -> Result<Owned<'b, Block, K>, Outcome> {
    let block = Owned::<Block, K>::new(client.bench())?;
    expect_at("WskRegister", STATUS_SUCCESS, register(client.kernel(), &block, dispatch))?;
    Ok(block)
}

fn captured_again<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    let again = other.capture_again(WSK_NO_WAIT)?;
    if again.0 == STATUS_SUCCESS {
        other.release_once();
    }
    expect(STATUS_SUCCESS, again.0)
}

fn same_client<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    let (status, npi) = other.capture_again(WSK_NO_WAIT)?;
    if status == STATUS_SUCCESS {
        other.release_once();
    }
    expect_at("the second capture", STATUS_SUCCESS, status)?;
    expect_at("the same client", true, npi.Client == other.npi().Client)?;
    expect(true, npi.Dispatch == other.npi().Dispatch)
}

fn clients_differ<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    expect(true, other.npi().Client != client.npi().Client)
}

fn transient_npi<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    // It lies on the frame of `register`, which is gone when the capture reads the version.
    let other = client.register()?;
    let socket = DatagramSocket::bound(&other, LOCALHOST)?;
    expect(STATUS_SUCCESS, socket.close()?.status)
}

fn no_wait_raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let block = registered(client, &CLIENT_DISPATCH)?;
    let status = Dispatch::with(client.kernel(), |_| {
        let (status, _) = capture(client.kernel(), &block, WSK_NO_WAIT);
        if status == STATUS_SUCCESS {
            release(client.kernel(), &block);
        }
        status
    });
    deregister(client.kernel(), &block);
    expect(STATUS_SUCCESS, status)
}

fn other_version<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let block = registered(client, &VERSION_9)?;
    let (status, _) = capture(client.kernel(), &block, 10_000);
    if status == STATUS_SUCCESS {
        release(client.kernel(), &block);
    }
    deregister(client.kernel(), &block);
    expect(STATUS_NOINTERFACE, status)
}

fn another_try<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    other_version(client)?;
    let other = client.register()?;
    expect(true, other.npi().Client != client.npi().Client)
}

fn range<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let block = registered(client, &CLIENT_DISPATCH)?;
    let (status, found) = characteristics(client.kernel(), &block);
    deregister(client.kernel(), &block);
    expect_at("WskQueryProviderCharacteristics", STATUS_SUCCESS, status)?;
    expect(true, found.LowestVersion <= found.HighestVersion)
}

fn has_1_0<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let block = registered(client, &CLIENT_DISPATCH)?;
    let (status, found) = characteristics(client.kernel(), &block);
    deregister(client.kernel(), &block);
    expect_at("WskQueryProviderCharacteristics", STATUS_SUCCESS, status)?;
    expect(true, (found.LowestVersion..=found.HighestVersion).contains(&0x0100))
}

fn query_raised<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let block = registered(client, &CLIENT_DISPATCH)?;
    let (status, _) = Dispatch::with(client.kernel(), |_| characteristics(client.kernel(), &block));
    deregister(client.kernel(), &block);
    expect(STATUS_SUCCESS, status)
}

fn query_before_capture<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let block = registered(client, &VERSION_9)?;
    let (status, _) = characteristics(client.kernel(), &block);
    deregister(client.kernel(), &block);
    expect(STATUS_SUCCESS, status)
}

fn table_version<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    expect(1_u8, wsk_major_version(client.functions().Version))
}

fn functions<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let table = client.functions();
    let has = [
        table.WskSocket.is_some(),
        table.WskSocketConnect.is_some(),
        table.WskControlClient.is_some(),
        table.WskGetAddressInfo.is_some(),
        table.WskFreeAddressInfo.is_some(),
        table.WskGetNameInfo.is_some(),
    ];
    expect(6_usize, has.iter().filter(|has| **has).count())
}

fn deregister_at_once<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let block = registered(client, &CLIENT_DISPATCH)?;
    deregister(client.kernel(), &block);
    expect("returned", "returned")
}

fn deregister_after_refusal<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    other_version(client)?;
    expect("returned", "returned")
}

fn change_cancelled<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let change = Request::new(client.bench())?;
    let other = client.register()?;
    let returned = change.start(|irp| other.control(WSK_TRANSPORT_LIST_CHANGE, NOTHING, NOTHING, irp).0);
    drop(other);
    let done = change.wait("WSK_TRANSPORT_LIST_CHANGE")?;
    expect_at("it pends", true, returned.is_success())?;
    expect(STATUS_CANCELLED, done.status)
}

fn sockets_after_release<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let other = client.register()?;
    let socket = DatagramSocket::hearing(&other, LOCALHOST)?;
    other.release_early();
    let local = socket.local()?;
    socket.deliver(local, b"to myself")?;
    expect(true, socket.event.seen(0)?.payload() == b"to myself")
}

fn block_again<K: Kernel>(client: &Client<'_, K>) -> Verdict {
    let block = registered(client, &CLIENT_DISPATCH)?;
    deregister(client.kernel(), &block);
    let status = register(client.kernel(), &block, &CLIENT_DISPATCH);
    expect_at("WskRegister", STATUS_SUCCESS, status)?;
    let (status, _) = capture(client.kernel(), &block, 10_000);
    if status == STATUS_SUCCESS {
        release(client.kernel(), &block);
    }
    deregister(client.kernel(), &block);
    expect(STATUS_SUCCESS, status)
}
