//! A middleware below the verifier that programs can make do things inside a call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use skua_engine::Kernel;
use skua_engine::abi::status::NTSTATUS;
use skua_hosted::HostKernel;
use skua_hosted::middleware::{Call, Middleware};

/// What is done with a call: answered, or, with `None`, passed on afterwards.
pub(crate) type Action = dyn Fn(&mut Call<'_>) -> Option<NTSTATUS> + Send + Sync;

/// One of each kernel.
#[derive(Default)]
pub(crate) struct Hook(Mutex<Option<Arc<Action>>>);

/// The hooks, by their kernels.
static HOOKS: Mutex<Option<HashMap<usize, Arc<Hook>>>> = Mutex::new(None);

impl Hook {
    pub(crate) fn belongs_to(self: &Arc<Self>, kernel: &HostKernel) {
        HOOKS.lock().unwrap().get_or_insert_default().insert(kernel.instance(), Arc::clone(self));
    }
}

/// What calls of `kernel` do from now on.
pub(crate) fn set(
    kernel: &HostKernel,
    action: impl Fn(&mut Call<'_>) -> Option<NTSTATUS> + Send + Sync + 'static,
) {
    let hook = HOOKS.lock().unwrap().as_ref().and_then(|hooks| hooks.get(&kernel.instance()).cloned());
    *hook.expect("the kernel has one").0.lock().unwrap() = Some(Arc::new(action));
}

impl Middleware for Hook {
    fn call(&self, call: &mut Call<'_>) -> NTSTATUS {
        let action = self.0.lock().unwrap().clone();
        match action.and_then(|action| action(call)) {
            Some(answer) => answer,
            None => call.pass(),
        }
    }
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook")
    }
}
