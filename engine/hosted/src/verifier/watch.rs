//! The verifier as a middleware: the rules that are seen at WSK's functions and callbacks, in front of any provider.

// UNSAFETY: reads what a client's arguments lead to.
#![expect(unsafe_code, reason = "arguments are raw pointers")]

use std::sync::Arc;

use skua_engine::abi::nt::{PASSIVE_LEVEL, PSECURITY_DESCRIPTOR};
use skua_engine::abi::sockaddr::{
    SIO_ADDRESS_LIST_CHANGE, SIO_ADDRESS_LIST_QUERY, SIO_ADDRESS_LIST_SORT, SOL_SOCKET,
};
use skua_engine::abi::status::{
    NTSTATUS, STATUS_DATA_NOT_ACCEPTED, STATUS_DEVICE_NOT_READY, STATUS_FILE_FORCED_CLOSED,
    STATUS_INVALID_PARAMETER, STATUS_PENDING, STATUS_REQUEST_NOT_ACCEPTED, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::{
    SO_WSK_SECURITY, WSK_CACHE_SD, WSK_RELEASE_SD, WskGetOption, WskInspectAccept, WskInspectPend,
    WskInspectReject, WskIoctl, WskSetOption,
};

use super::passes::Pass;
use super::{Finding, Object, ObjectKind, Rule, Stack, Verifier, buffers};
use crate::HostKernel;
use crate::middleware::{
    Arguments, Call, Category, Completion, Event, EventArguments, EventFunction, Function, LayeredSocket,
    Middleware,
};

/// The rules of WSK as a middleware, for a kernel that has a verifier; without one it passes everything on.
///
/// What is captured of a verified [`HostKernel`] has it already, nearest to the client. Before another provider it is the
/// first of the middlewares of a [`Layer`](crate::middleware::Layer).
#[derive(Clone, Copy, Debug, Default)]
pub struct Watch;

impl Middleware for Watch {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        let kernel = call.kernel().own();
        let Some(verifier) = kernel.verifier() else { return call.pass() };
        let function = call.function().name();
        if requires_passive(&call.arguments) && kernel.irql() != PASSIVE_LEVEL {
            kernel.require_passive(function);
        }
        if let Some(socket) = call.socket().cloned() {
            let Some(inside) = verifier.enter_socket(&socket, function) else {
                return call.complete(STATUS_FILE_FORCED_CLOSED, 0);
            };
            if call.function() == Function::CloseSocket {
                verifier.closing_socket(&socket);
            }
            let status = verifier.pass(call);
            drop(inside);
            status
        } else {
            let Ok(inside) = verifier.enter_npi(call.client(), function) else {
                return call.complete(STATUS_DEVICE_NOT_READY, 0);
            };
            let status = verifier.pass(call);
            drop(inside);
            status
        }
    }

    fn complete(&self, completion: Completion) {
        let kernel = completion.kernel().own();
        if let Some(verifier) = kernel.verifier() {
            verifier.completed(&completion);
        }
        completion.pass();
    }

    fn event(&self, event: &mut Event<'_>) -> NTSTATUS {
        let kernel = event.kernel().own();
        match kernel.verifier() {
            Some(verifier) => verifier.indicate(&kernel, event),
            None => event.pass(),
        }
    }

    fn keeps_closed_sockets(&self) -> bool {
        true
    }
}

/// Whether a function may only be called at PASSIVE_LEVEL.
fn requires_passive(arguments: &Arguments) -> bool {
    match arguments {
        Arguments::GetAddressInfo { .. }
        | Arguments::FreeAddressInfo { .. }
        | Arguments::GetNameInfo { .. } => true,
        Arguments::ControlSocket { request_type, control_code, .. } => {
            *request_type == WskIoctl
                && [SIO_ADDRESS_LIST_QUERY, SIO_ADDRESS_LIST_CHANGE, SIO_ADDRESS_LIST_SORT]
                    .contains(control_code)
        }
        _ => false,
    }
}

impl Verifier {
    /// Looks at what a call leads to, and passes it on.
    fn pass(&self, call: &mut Call<'_>) -> NTSTATUS {
        let function = call.function().name();
        // SAFETY: the client's contract: pointers that are good for what the function takes.
        let buffers = match unsafe { buffers::given(&call.arguments) } {
            Ok(buffers) => buffers,
            Err(flaw) => {
                self.buffer_flawed(flaw, function);
                return call.complete(STATUS_INVALID_PARAMETER, 0);
            }
        };
        // A basic socket takes none, and says so.
        let is_basic = call.socket().is_some_and(|socket| socket.category() == Category::Basic);
        // SAFETY: as above.
        let descriptor = unsafe { descriptor_of(&call.arguments) }.filter(|_| !is_basic);
        if descriptor.is_some_and(|descriptor| !self.descriptor_used(descriptor, function)) {
            return call.complete(STATUS_INVALID_PARAMETER, 0);
        }
        // SAFETY: as above.
        if let Some(status) = unsafe { self.give_back(call) } {
            return call.complete(status, 0);
        }
        let packet = call.packet();
        if let Some(packet) = packet {
            self.pass_begun(packet, Pass { called: Stack::capture(), buffers, descriptor });
        }
        let status = call.pass();
        if let Some(packet) = packet
            && status != STATUS_PENDING
        {
            // Only there if the packet was not completed.
            let _ = self.pass_ended(packet);
        }
        if status == STATUS_SUCCESS
            && let Arguments::ControlClient { control_code: WSK_CACHE_SD, output_buffer, output_size, .. } =
                call.arguments
        {
            // SAFETY: as above.
            if let Some(descriptor) = unsafe { pointer_at(output_buffer, output_size) } {
                self.descriptor_handed_out(descriptor, Stack::capture());
            }
        }
        status
    }

    /// What a call gives back is taken from the client before the provider gets it. What to return instead of passing it
    /// on, if it must not be.
    ///
    /// # Safety
    /// The arguments are a client's.
    unsafe fn give_back(&self, call: &mut Call<'_>) -> Option<NTSTATUS> {
        match &mut call.arguments {
            Arguments::ReleaseDatagrams { datagram_indication: list } => {
                // SAFETY: the caller's promise.
                match unsafe { self.release(*list) } {
                    Ok(original) => *list = original,
                    Err(_) => return Some(STATUS_INVALID_PARAMETER),
                }
            }
            Arguments::ReleaseData { data_indication: list } => {
                // SAFETY: the caller's promise.
                match unsafe { self.release(*list) } {
                    Ok(original) => *list = original,
                    Err(_) => return Some(STATUS_INVALID_PARAMETER),
                }
            }
            Arguments::FreeAddressInfo { addr_info } => {
                let list = addr_info.addr();
                return (list != 0 && !self.address_info_freed(list)).then_some(STATUS_INVALID_PARAMETER);
            }
            Arguments::ControlClient { control_code: WSK_RELEASE_SD, input_buffer, input_size, .. } => {
                // SAFETY: the caller's promise.
                let descriptor = unsafe { pointer_at(*input_buffer, *input_size) }?;
                let uses = self.descriptor_in_use(descriptor);
                if !self.descriptor_released(descriptor, uses) {
                    return Some(STATUS_INVALID_PARAMETER);
                }
            }
            _ => {}
        }
        None
    }

    /// A call has completed, and the client is to be told.
    fn completed(&self, completion: &Completion) {
        let Some(pass) = self.pass_ended(completion.packet()) else { return };
        let function = completion.function();
        self.pass_checked(&pass, function.name());
        if !completion.status.is_success() {
            if let (Function::CloseSocket, Some(socket)) = (function, completion.socket()) {
                self.socket_not_closed(socket);
            }
            return;
        }
        match (function, completion.arguments()) {
            (Function::Socket | Function::SocketConnect | Function::Accept, _) => {
                let socket = std::ptr::with_exposed_provenance(completion.information);
                // SAFETY: the layer has made it, and the client does not have it yet.
                let socket = unsafe { LayeredSocket::of(socket) };
                self.socket_created(&socket, Some(pass.called));
            }
            (Function::CloseSocket, _) => {
                if let Some(socket) = completion.socket() {
                    self.socket_closed(socket);
                }
            }
            (_, Arguments::GetAddressInfo { result, .. }) if !result.is_null() => {
                // SAFETY: the client lent it until the completion.
                self.address_info_handed_out(unsafe { result.read() }.addr(), pass.called);
            }
            (
                _,
                Arguments::ControlSocket {
                    request_type,
                    control_code: SO_WSK_SECURITY,
                    level: SOL_SOCKET,
                    output_buffer,
                    output_size,
                    ..
                },
            ) if request_type == WskGetOption => {
                // SAFETY: as above.
                if let Some(descriptor) = unsafe { pointer_at(output_buffer, output_size) } {
                    self.descriptor_handed_out(descriptor, pass.called);
                }
            }
            _ => {}
        }
    }

    /// Passes a callback to the client with what belongs to it, and looks at what the client answers.
    fn indicate(&self, kernel: &HostKernel, event: &mut Event<'_>) -> NTSTATUS {
        let socket = Arc::clone(event.socket());
        let before = event.arguments;
        let mut nodes = Vec::new();
        let mut accepted = None;
        match &mut event.arguments {
            EventArguments::ReceiveFrom { data_indication: list, .. } => {
                // SAFETY: the provider's list.
                (*list, nodes) = unsafe { self.lend(kernel, &socket, *list) };
            }
            EventArguments::Receive { data_indication: list, .. } => {
                // SAFETY: as above.
                (*list, nodes) = unsafe { self.lend(kernel, &socket, *list) };
            }
            EventArguments::Accept { accept_socket, .. } if !accept_socket.is_null() => {
                // SAFETY: the layer's, which nobody has closed.
                let socket = unsafe { LayeredSocket::of(accept_socket.cast_const().cast()) };
                self.socket_created(&socket, Some(Stack::capture()));
                accepted = Some(socket);
            }
            _ => {}
        }
        let name = event.function().name();
        let object = Object::at(ObjectKind::Socket, socket.client_pointer());
        let status = kernel.at_same_level(name, (object, socket.notes.created()), || event.pass());
        let status = self.answered(&socket, event, &before, status);
        self.lending_over(&nodes, status == STATUS_PENDING);
        if let Some(accepted) = accepted.filter(|_| status != STATUS_SUCCESS) {
            self.socket_refused(&accepted);
        }
        status
    }

    /// What the client has answered, or what is made of it when that is none of the answers there are.
    fn answered(
        &self,
        socket: &LayeredSocket,
        event: &mut Event<'_>,
        before: &EventArguments,
        status: NTSTATUS,
    ) -> NTSTATUS {
        let name = event.function().name();
        let wrong = match (before, &mut event.arguments) {
            (_, EventArguments::Inspect { action, .. }) => {
                if [WskInspectReject, WskInspectAccept, WskInspectPend].contains(action) {
                    return status;
                }
                let wrong = format!("the action {action:?}");
                *action = WskInspectReject;
                self.answered_wrongly(socket, name, &wrong);
                return status;
            }
            // Without data nothing is accepted, whatever the count began with.
            (EventArguments::Receive { data_indication, bytes_indicated, bytes_accepted, .. }, _)
                if !data_indication.is_null() && !bytes_accepted.is_null() =>
            {
                // SAFETY: the provider's, during the callback.
                let accepted = unsafe { bytes_accepted.read() };
                if status == STATUS_SUCCESS && accepted > *bytes_indicated {
                    // SAFETY: as above.
                    unsafe { bytes_accepted.write(*bytes_indicated) };
                    Some(format!("{accepted} bytes accepted of {bytes_indicated}"))
                } else {
                    None
                }
            }
            _ => None,
        };
        let is_answer = answers(before).contains(&status);
        if is_answer && wrong.is_none() {
            return status;
        }
        self.answered_wrongly(socket, name, &wrong.unwrap_or_else(|| format!("{status:?}")));
        if is_answer {
            status
        } else if event.function() == EventFunction::Accept {
            STATUS_REQUEST_NOT_ACCEPTED
        } else {
            STATUS_SUCCESS
        }
    }

    fn answered_wrongly(&self, socket: &LayeredSocket, name: &str, answer: &str) {
        let object = Object::at(ObjectKind::Socket, socket.client_pointer());
        let message = format!("{name} of the WSK_SOCKET at {:p} returned {answer}", socket.client_pointer());
        let finding = Finding::new(Rule::CallbackStatus, object, message).here();
        self.report(vec![finding.created(socket.notes.created())]);
    }
}

/// What a callback may return.
fn answers(arguments: &EventArguments) -> &'static [NTSTATUS] {
    match arguments {
        EventArguments::ReceiveFrom { data_indication, .. } if !data_indication.is_null() => {
            &[STATUS_SUCCESS, STATUS_PENDING, STATUS_DATA_NOT_ACCEPTED]
        }
        EventArguments::Receive { data_indication, .. } if !data_indication.is_null() => {
            &[STATUS_SUCCESS, STATUS_PENDING, STATUS_DATA_NOT_ACCEPTED]
        }
        EventArguments::Accept { .. } => &[STATUS_SUCCESS, STATUS_REQUEST_NOT_ACCEPTED],
        _ => &[STATUS_SUCCESS],
    }
}

/// The security descriptor that a call gives to a socket.
///
/// # Safety
/// The arguments are a client's.
unsafe fn descriptor_of(arguments: &Arguments) -> Option<usize> {
    let descriptor = match *arguments {
        Arguments::Socket { security_descriptor, .. }
        | Arguments::SocketConnect { security_descriptor, .. } => security_descriptor.addr(),
        Arguments::ControlSocket {
            request_type,
            control_code: SO_WSK_SECURITY,
            level: SOL_SOCKET,
            input_buffer,
            input_size,
            ..
        } if request_type == WskSetOption => {
            // SAFETY: the caller's promise.
            unsafe { pointer_at(input_buffer, input_size) }?
        }
        _ => return None,
    };
    (descriptor != 0).then_some(descriptor)
}

/// The pointer in a client's buffer, if there is one.
///
/// # Safety
/// The buffer is null or readable for its size.
unsafe fn pointer_at(buffer: *const std::ffi::c_void, size: usize) -> Option<usize> {
    if buffer.is_null() || size < size_of::<PSECURITY_DESCRIPTOR>() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { buffer.cast::<PSECURITY_DESCRIPTOR>().read_unaligned() }.addr())
}
