//! Options that name a multicast group or an interface.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use skua_engine::abi::sockaddr::{
    GROUP_REQ, GROUP_SOURCE_REQ, IN_ADDR, IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_MEMBERSHIP,
    IP_DROP_SOURCE_MEMBERSHIP, IP_MREQ, IP_MREQ_SOURCE, IP_MULTICAST_IF, IPPROTO_IP, IPPROTO_IPV6,
    IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP, IPV6_MREQ, IPV6_MULTICAST_IF, MCAST_JOIN_GROUP,
    MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_GROUP, MCAST_LEAVE_SOURCE_GROUP, SOCKADDR_INET, SOCKADDR_STORAGE,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER};

use super::control::ControlRequest;
use crate::os::{Family, Interface, Membership, Setting};

/// What a multicast option asks for; `None` for any other option.
pub(super) fn setting(control: &ControlRequest) -> Result<Option<Setting>, NTSTATUS> {
    let setting = match (control.level, control.code) {
        (IPPROTO_IP, IP_ADD_MEMBERSHIP) => Setting::Join(by_address(control)?),
        (IPPROTO_IP, IP_DROP_MEMBERSHIP) => Setting::Leave(by_address(control)?),
        (IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP) => Setting::Join(by_address_and_source(control)?),
        (IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP) => Setting::Leave(by_address_and_source(control)?),
        (IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP) => Setting::Join(by_index(control)?),
        (IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP) => Setting::Leave(by_index(control)?),
        (IPPROTO_IP | IPPROTO_IPV6, MCAST_JOIN_GROUP) => Setting::Join(of_any_source(control)?),
        (IPPROTO_IP | IPPROTO_IPV6, MCAST_LEAVE_GROUP) => Setting::Leave(of_any_source(control)?),
        (IPPROTO_IP | IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP) => Setting::Join(of_one_source(control)?),
        (IPPROTO_IP | IPPROTO_IPV6, MCAST_LEAVE_SOURCE_GROUP) => Setting::Leave(of_one_source(control)?),
        (IPPROTO_IP, IP_MULTICAST_IF) => {
            Setting::MulticastInterface(Family::V4, interface(control.input::<IN_ADDR>()?))
        }
        (IPPROTO_IPV6, IPV6_MULTICAST_IF) => {
            Setting::MulticastInterface(Family::V6, Interface::Index(control.input::<u32>()?))
        }
        _ => return Ok(None),
    };
    match setting {
        Setting::Join(membership) | Setting::Leave(membership) if !membership.is_consistent() => {
            Err(STATUS_INVALID_PARAMETER)
        }
        setting => Ok(Some(setting)),
    }
}

impl Membership {
    /// Whether the group is one, and a source of its family.
    fn is_consistent(&self) -> bool {
        let of_family = |source: IpAddr| source.is_ipv4() == self.group.is_ipv4();
        self.group.is_multicast() && self.source.is_none_or(of_family)
    }
}

fn by_address(control: &ControlRequest) -> Result<Membership, NTSTATUS> {
    let request: IP_MREQ = control.input()?;
    let group = IpAddr::V4(request.imr_multiaddr.into());
    Ok(Membership { group, source: None, interface: interface(request.imr_interface) })
}

fn by_address_and_source(control: &ControlRequest) -> Result<Membership, NTSTATUS> {
    let request: IP_MREQ_SOURCE = control.input()?;
    let group = IpAddr::V4(request.imr_multiaddr.into());
    let source = Some(IpAddr::V4(request.imr_sourceaddr.into()));
    Ok(Membership { group, source, interface: interface(request.imr_interface) })
}

fn by_index(control: &ControlRequest) -> Result<Membership, NTSTATUS> {
    let request: IPV6_MREQ = control.input()?;
    let group = IpAddr::V6(Ipv6Addr::from(request.ipv6mr_multiaddr));
    Ok(Membership { group, source: None, interface: Interface::Index(request.ipv6mr_interface) })
}

fn of_any_source(control: &ControlRequest) -> Result<Membership, NTSTATUS> {
    let request: GROUP_REQ = control.input()?;
    let group = address(&request.gr_group)?;
    Ok(Membership { group, source: None, interface: Interface::Index(request.gr_interface) })
}

fn of_one_source(control: &ControlRequest) -> Result<Membership, NTSTATUS> {
    let request: GROUP_SOURCE_REQ = control.input()?;
    let (group, source) = (address(&request.gsr_group)?, address(&request.gsr_source)?);
    Ok(Membership { group, source: Some(source), interface: Interface::Index(request.gsr_interface) })
}

/// An interface named by its address, or, from 0.0.0.0 to 0.255.255.255, by its index.
fn interface(named: IN_ADDR) -> Interface {
    let address = Ipv4Addr::from(named);
    match address.octets() {
        [0, ..] => Interface::Index(u32::from(address)),
        _ => Interface::Address(address),
    }
}

fn address(storage: &SOCKADDR_STORAGE) -> Result<IpAddr, NTSTATUS> {
    let bytes: &[u8; size_of::<SOCKADDR_STORAGE>()] = bytemuck::cast_ref(storage);
    let (inet, _) = bytes.split_at(size_of::<SOCKADDR_INET>());
    let inet: SOCKADDR_INET = bytemuck::pod_read_unaligned(inet);
    inet.to_socket_addr().map(|address| address.ip()).ok_or(STATUS_INVALID_PARAMETER)
}
