//! WskControlSocket of datagram sockets: the receive event, the fixed remote address, and what all sockets have.

use std::net::SocketAddr;
use std::sync::Arc;

use skua_engine::abi::nt::PROCESSOR_NUMBER;
use skua_engine::abi::sockaddr::{
    SIO_QUERY_RSS_PROCESSOR_INFO, SOCKADDR, SOCKET_PROCESSOR_AFFINITY, SOL_SOCKET,
};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED,
};
use skua_engine::abi::wsk::{
    SIO_WSK_SET_REMOTE_ADDRESS, SIO_WSK_SET_SENDTO_ADDRESS, SO_WSK_EVENT_CALLBACK, WSK_EVENT_DISABLE,
    WSK_EVENT_RECEIVE_FROM,
};

use super::control::{ControlRequest, Kind, OptionalRequest};
use super::controls;
use super::datagram::DatagramSocket;

impl DatagramSocket {
    /// Serves one call and completes its request.
    pub(super) fn control(self: &Arc<Self>, control: ControlRequest, answer: OptionalRequest) -> NTSTATUS {
        if let Err(status) = self.require_alive() {
            return answer.conclude(&self.kernel, Err(status));
        }
        if !answer.obeys(control.irp()) {
            return answer.conclude(&self.kernel, Err(STATUS_INVALID_PARAMETER));
        }
        match (control.kind, control.code) {
            (Kind::Set, SO_WSK_EVENT_CALLBACK) if control.level == SOL_SOCKET => {
                self.control_events(&control, answer)
            }
            (Kind::Ioctl, SIO_WSK_SET_REMOTE_ADDRESS | SIO_WSK_SET_SENDTO_ADDRESS) => {
                let filters = control.code == SIO_WSK_SET_REMOTE_ADDRESS;
                answer.conclude_with(&self.kernel, || self.fix_remote(&control, filters))
            }
            (Kind::Ioctl, SIO_QUERY_RSS_PROCESSOR_INFO) => {
                answer.conclude_with(&self.kernel, || self.processor(&control))
            }
            _ => controls::serve(self, &self.controls, &control, answer),
        }
    }

    /// The processor that receives from the fixed remote address: the worker's, where there is one. Several share remote
    /// addresses out among them as the host likes.
    fn processor(&self, control: &ControlRequest) -> Result<usize, NTSTATUS> {
        self.remote().ok_or(STATUS_INVALID_DEVICE_STATE)?;
        if self.kernel.provider().workers > 1 {
            return Err(STATUS_NOT_SUPPORTED);
        }
        let first = PROCESSOR_NUMBER { Group: 0, Number: 0, Reserved: 0 };
        control.put(SOCKET_PROCESSOR_AFFINITY { Processor: first, NumaNodeId: 0, Reserved: 0 })
    }

    /// Enabling takes any set of flags, disabling one flag a call; either may come with a request or without.
    fn control_events(self: &Arc<Self>, control: &ControlRequest, answer: OptionalRequest) -> NTSTATUS {
        let mask = match self.require_bound().and_then(|_| control.event_mask()) {
            Ok(mask) => mask,
            Err(status) => return answer.conclude(&self.kernel, Err(status)),
        };
        match mask {
            WSK_EVENT_RECEIVE_FROM => {
                let enabled = self.event.enable();
                self.ring_all();
                answer.conclude(&self.kernel, if enabled.is_success() { Ok(0) } else { Err(enabled) })
            }
            mask if mask == WSK_EVENT_RECEIVE_FROM | WSK_EVENT_DISABLE => {
                self.event.disable(&self.kernel, answer.request)
            }
            _ => answer.conclude(&self.kernel, Err(STATUS_INVALID_PARAMETER)),
        }
    }

    /// Size 0 and NULL clear it.
    fn fix_remote(&self, control: &ControlRequest, filters: bool) -> Result<usize, NTSTATUS> {
        self.require_bound()?;
        let (at, size) = control.raw_input();
        let address = match (at.is_null(), size) {
            (true, 0) => None,
            (false, size) if size >= size_of::<SOCKADDR>() => Some(self.address_in(control)?),
            _ => return Err(STATUS_INVALID_PARAMETER),
        };
        if filters && self.kernel.provider().connects && !self.is_raw() {
            self.wire().connect(address.ok_or(STATUS_INVALID_DEVICE_STATE)?)?;
        }
        self.set_remote(address, filters);
        Ok(0)
    }

    fn address_in(&self, control: &ControlRequest) -> Result<SocketAddr, NTSTATUS> {
        let address = control.input_address()?;
        if self.takes(&address) { Ok(address) } else { Err(STATUS_INVALID_PARAMETER) }
    }
}
