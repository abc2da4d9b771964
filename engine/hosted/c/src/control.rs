//! What a program asks of this library beyond NT: see `include/skua_wsk.h`.

// UNSAFETY: exports C functions; structures are reached by address.
#![expect(unsafe_code, reason = "the program's structures are reached by address")]

use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use skua_engine::abi::nt::BOOLEAN;
use skua_engine::abi::status::{
    NTSTATUS, STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
};
use skua_hosted::Transport;

use crate::host::{self, Findings, kernel};
use crate::number::boolean;

/// SKUA_CONFIG. Zero leaves a field to the environment.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct SKUA_CONFIG {
    size: u32,
    processors: u32,
    workers: u32,
    transport: u32,
    on_finding: u32,
}

/// SKUA_FINDING.
#[repr(C)]
pub(crate) struct SKUA_FINDING {
    rule: *const c_char,
    message: *const c_char,
    report: *const c_char,
}

/// SKUA_OUTSTANDING.
#[repr(C)]
pub(crate) struct SKUA_OUTSTANDING {
    irps: usize,
    sockets: usize,
    indications: usize,
    captures: usize,
    memory: usize,
}

/// What was configured.
#[derive(Clone, Copy, Default)]
pub(crate) struct Settings {
    pub(crate) processors: Option<u32>,
    pub(crate) workers: Option<u32>,
    pub(crate) transport: Option<Transport>,
    pub(crate) on_finding: Option<Findings>,
}

static SETTINGS: Mutex<Settings> =
    Mutex::new(Settings { processors: None, workers: None, transport: None, on_finding: None });

/// Findings that the program was shown, as C strings, by their numbers.
static SHOWN: Mutex<Vec<[CString; 3]>> = Mutex::new(Vec::new());

routines! {
    /// Sets what the kernel is made with.
    contract fn SkuaConfigure(config: *const SKUA_CONFIG) -> NTSTATUS {
        if (*config).size as usize != size_of::<SKUA_CONFIG>() {
            return STATUS_INFO_LENGTH_MISMATCH;
        }
        configure(&config.read())
    }

    /// How many findings there are.
    fn SkuaFindings() -> u32 {
        host::existing().map_or(0, |kernel| u32::try_from(kernel.findings().len()).unwrap_or(u32::MAX))
    }

    /// The finding with a number.
    contract fn SkuaQueryFinding(index: u32, finding: *mut SKUA_FINDING) -> BOOLEAN {
        boolean(query(index, finding))
    }

    /// Forgets all findings.
    fn SkuaForgetFindings() {
        if let Some(kernel) = host::existing() {
            drop(kernel.take_findings());
        }
        shown().clear();
    }

    /// What was taken and not given back.
    contract fn SkuaQueryOutstanding(outstanding: *mut SKUA_OUTSTANDING) {
        let now = kernel().outstanding();
        outstanding.write(SKUA_OUTSTANDING {
            irps: now.irps,
            sockets: now.sockets,
            indications: now.indications,
            captures: now.captures,
            memory: now.memory,
        })
    }

    /// The program has given everything back: what it has not is a finding. How many findings there are in all.
    fn SkuaCheckLeaks() -> u32 {
        check_leaks();
        SkuaFindings()
    }
}

pub(crate) fn settings() -> Settings {
    *SETTINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks for what is left when the process ends by returning from `main` or by `exit`.
pub(crate) fn look_for_leaks_at_exit() {
    extern "C" fn look() {
        check_leaks();
    }
    // SAFETY: a function of this library, which stays.
    unsafe { libc::atexit(look) };
}

fn check_leaks() {
    if let Some(kernel) = host::existing() {
        kernel.look_for_leaks();
    }
}

fn configure(config: &SKUA_CONFIG) -> NTSTATUS {
    let transport = match config.transport {
        0 => None,
        1 => Some(Transport::Os),
        2 => Some(Transport::Portable),
        3 => Some(Transport::Loopback),
        _ => return STATUS_INVALID_PARAMETER,
    };
    let on_finding = match config.on_finding {
        0 => None,
        1 => Some(Findings::Off),
        2 => Some(Findings::Report),
        3 => Some(Findings::Abort),
        4 => Some(Findings::Record),
        _ => return STATUS_INVALID_PARAMETER,
    };
    let some = |number: u32| (number > 0).then_some(number);
    let mut settings = SETTINGS.lock().unwrap_or_else(PoisonError::into_inner);
    if host::existing().is_some() {
        return STATUS_INVALID_DEVICE_STATE;
    }
    *settings = Settings {
        processors: some(config.processors),
        workers: some(config.workers),
        transport,
        on_finding,
    };
    STATUS_SUCCESS
}

fn shown() -> MutexGuard<'static, Vec<[CString; 3]>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// # Safety
/// `finding` is writable.
unsafe fn query(index: u32, finding: *mut SKUA_FINDING) -> bool {
    let findings = host::existing().map_or_else(Vec::new, |kernel| kernel.findings());
    let mut shown = shown();
    for new in findings.iter().skip(shown.len()) {
        let text = |text: String| CString::new(text.replace('\0', " ")).unwrap_or_default();
        shown.push([text(new.rule.id().into()), text(new.message.clone()), text(new.to_string())]);
    }
    let strings = shown.get(index as usize);
    let pointers =
        strings.map_or([ptr::null(); 3], |strings| strings.each_ref().map(|string| string.as_ptr()));
    let [rule, message, report] = pointers;
    // SAFETY: the caller's promise.
    unsafe { finding.write(SKUA_FINDING { rule, message, report }) };
    strings.is_some()
}
