//! Options that name a multicast group.

use std::net::{IpAddr, Ipv6Addr};

use skua_engine::abi::sockaddr::{
    GROUP_REQ, GROUP_SOURCE_REQ, IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP, IP_BLOCK_SOURCE,
    IP_DROP_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP, IP_MREQ, IP_MREQ_SOURCE, IP_UNBLOCK_SOURCE, IPPROTO_IP,
    IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, IPV6_DROP_MEMBERSHIP, IPV6_MREQ, MCAST_BLOCK_SOURCE, MCAST_JOIN_GROUP,
    MCAST_JOIN_SOURCE_GROUP, MCAST_LEAVE_GROUP, MCAST_LEAVE_SOURCE_GROUP, MCAST_UNBLOCK_SOURCE,
    SOCKADDR_INET, SOCKADDR_STORAGE,
};
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED};

use super::control::ControlRequest;
use super::scope::Scope;
use crate::os::{Interface, Membership, Setting};

/// What a multicast option asks for; `None` for any other option. STATUS_NOT_SUPPORTED on a socket that has none of them;
/// STATUS_INVALID_PARAMETER for a group that is none, or not of the level's family, and a source that is not of the
/// group's.
pub(super) fn setting(control: &ControlRequest, scope: &Scope) -> Result<Option<Setting>, NTSTATUS> {
    if !is_of_a_group(control) {
        return Ok(None);
    }
    if !scope.is(Scope::PACKETS) || !scope.has_level(control.level) {
        return Err(STATUS_NOT_SUPPORTED);
    }
    let setting = match (control.level, control.code) {
        (IPPROTO_IP, IP_ADD_MEMBERSHIP) => Setting::Join(by_address(control)?),
        (IPPROTO_IP, IP_DROP_MEMBERSHIP) => Setting::Leave(by_address(control)?),
        (IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP) => Setting::Join(by_address_and_source(control)?),
        (IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP) => Setting::Leave(by_address_and_source(control)?),
        (IPPROTO_IP, IP_BLOCK_SOURCE) => Setting::Block(by_address_and_source(control)?),
        (IPPROTO_IP, IP_UNBLOCK_SOURCE) => Setting::Unblock(by_address_and_source(control)?),
        (_, IPV6_ADD_MEMBERSHIP) => Setting::Join(by_index(control)?),
        (_, IPV6_DROP_MEMBERSHIP) => Setting::Leave(by_index(control)?),
        (_, MCAST_JOIN_GROUP) => Setting::Join(of_any_source(control)?),
        (_, MCAST_LEAVE_GROUP) => Setting::Leave(of_any_source(control)?),
        (_, MCAST_BLOCK_SOURCE) => Setting::Block(of_one_source(control)?),
        (_, MCAST_UNBLOCK_SOURCE) => Setting::Unblock(of_one_source(control)?),
        (_, MCAST_JOIN_SOURCE_GROUP) => Setting::Join(of_one_source(control)?),
        _ => Setting::Leave(of_one_source(control)?),
    };
    let (Setting::Join(membership)
    | Setting::Leave(membership)
    | Setting::Block(membership)
    | Setting::Unblock(membership)) = setting
    else {
        return Ok(None);
    };
    let of_level = membership.group.is_ipv4() == (control.level == IPPROTO_IP);
    if of_level && membership.is_consistent() { Ok(Some(setting)) } else { Err(STATUS_INVALID_PARAMETER) }
}

fn is_of_a_group(control: &ControlRequest) -> bool {
    match control.level {
        IPPROTO_IP => matches!(
            control.code,
            IP_ADD_MEMBERSHIP
                | IP_DROP_MEMBERSHIP
                | IP_ADD_SOURCE_MEMBERSHIP
                | IP_DROP_SOURCE_MEMBERSHIP
                | IP_BLOCK_SOURCE
                | IP_UNBLOCK_SOURCE
                | MCAST_JOIN_GROUP..=MCAST_LEAVE_SOURCE_GROUP
        ),
        IPPROTO_IPV6 => matches!(
            control.code,
            IPV6_ADD_MEMBERSHIP | IPV6_DROP_MEMBERSHIP | MCAST_JOIN_GROUP..=MCAST_LEAVE_SOURCE_GROUP
        ),
        _ => false,
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
    Ok(Membership { group, source: None, interface: Interface::named(request.imr_interface.into()) })
}

fn by_address_and_source(control: &ControlRequest) -> Result<Membership, NTSTATUS> {
    let request: IP_MREQ_SOURCE = control.input()?;
    let group = IpAddr::V4(request.imr_multiaddr.into());
    let source = Some(IpAddr::V4(request.imr_sourceaddr.into()));
    Ok(Membership { group, source, interface: Interface::named(request.imr_interface.into()) })
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

fn address(storage: &SOCKADDR_STORAGE) -> Result<IpAddr, NTSTATUS> {
    let bytes: &[u8; size_of::<SOCKADDR_STORAGE>()] = bytemuck::cast_ref(storage);
    let (inet, _) = bytes.split_at(size_of::<SOCKADDR_INET>());
    let inet: SOCKADDR_INET = bytemuck::pod_read_unaligned(inet);
    inet.to_socket_addr().map(|address| address.ip()).ok_or(STATUS_INVALID_PARAMETER)
}
