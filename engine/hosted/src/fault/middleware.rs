//! Faults of WSK's own functions.

use skua_engine::abi::status::{NTSTATUS, STATUS_INSUFFICIENT_RESOURCES};

use super::{Faults, Manner};
use crate::middleware::{Call, Completion, Function, Middleware};

/// Whether the function has no way to fail that its caller could do anything about.
const fn gives_back(function: Function) -> bool {
    matches!(
        function,
        Function::CloseSocket
            | Function::ReleaseDatagrams
            | Function::ReleaseData
            | Function::FreeAddressInfo
    )
}

/// Whether a success has made something that a failure would lose.
const fn makes_something(function: Function) -> bool {
    matches!(
        function,
        Function::Socket | Function::SocketConnect | Function::Accept | Function::GetAddressInfo
    )
}

impl Middleware for Faults {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        let function = call.function();
        if gives_back(function) {
            return call.pass();
        }
        if self.fails(function.name(), Manner::AtOnce) {
            return call.complete(STATUS_INSUFFICIENT_RESOURCES, 0);
        }
        if call.has_packet()
            && self.fails(function.name(), Manner::Later)
            && let Some((held, pending)) = call.hold()
        {
            let thread = std::thread::Builder::new().name("fault".into());
            // Without a thread the call stays held, and the loop reports that it hangs.
            let _spawned = thread.spawn(move || held.complete(STATUS_INSUFFICIENT_RESOURCES, 0));
            return pending;
        }
        call.pass()
    }

    fn complete(&self, mut completion: Completion) {
        let function = completion.function();
        // Only of what pends: a call that returns a success has completed with it.
        if completion.is_pending
            && completion.status.is_success()
            && !gives_back(function)
            && !makes_something(function)
            && self.fails(function.name(), Manner::InTheEnd)
        {
            completion.status = STATUS_INSUFFICIENT_RESOURCES;
            completion.information = 0;
        }
        completion.pass();
    }
}
