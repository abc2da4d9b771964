//! From WSK's registration to its end: what a thread of its own does.

use core::time::Duration;

use arrayvec::ArrayVec;
use skua_engine::abi::status::{NTSTATUS, STATUS_INVALID_DEVICE_STATE, STATUS_INVALID_PARAMETER};
use skua_engine::{
    CaptureError, DeregisterError, Events, Kernel, Passive, Provider, RegisterError, Registration,
};

use crate::forwarder::{Forwarder, OpenError, Settings, Unfinished};

/// The most forwarders of one service.
pub const MOST_FORWARDERS: usize = 4;

/// How long the provider is waited for before the service looks whether it is to end.
const CAPTURE: Duration = Duration::from_millis(250);
/// How often the service reports.
const REPORT: Duration = Duration::from_secs(1);
/// How long one wait of a close may take. An unload has no limit: it waits again.
const CLOSE: Duration = Duration::from_secs(5);

/// Why [`run`] ended before it was told to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The thread is not at PASSIVE_LEVEL.
    #[error("the service runs at PASSIVE_LEVEL")]
    NotPassive,
    /// There are more settings than [`MOST_FORWARDERS`].
    #[error("a service has at most {MOST_FORWARDERS} forwarders")]
    TooMany,
    /// WSK refused the client.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The provider refused the client.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// A forwarder did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl ServiceError {
    /// The status a driver returns for it.
    pub fn status(&self) -> NTSTATUS {
        match self {
            Self::NotPassive => STATUS_INVALID_DEVICE_STATE,
            Self::TooMany => STATUS_INVALID_PARAMETER,
            Self::Register(error) => error.status(),
            Self::Capture(error) => error.status(),
            Self::Open(error) => error.status(),
        }
    }
}

/// Forwards until `wait`, which may take as long as it is given, says that it is enough. Each forwarder has an engine of its own.
///
/// `report` is shown the forwarders when they are open, about once a second, and once before they are closed. The call returns
/// when nothing of the client is left, however long that takes: the code of a driver may go away then.
///
/// # Errors
/// [`ServiceError`]. Nothing of the client is left then either.
///
/// # IRQL
/// PASSIVE_LEVEL.
pub fn run<K: Kernel>(
    kernel: &K,
    settings: &[Settings<'_>],
    mut wait: impl FnMut(Duration) -> bool,
    mut report: impl FnMut(&[Forwarder<K>]),
) -> Result<(), ServiceError> {
    let passive = Passive::acquire(kernel).ok_or(ServiceError::NotPassive)?;
    if settings.len() > MOST_FORWARDERS {
        return Err(ServiceError::TooMany);
    }
    let registration = Registration::register(kernel.clone(), Events::Static, &passive)?;
    let forwarded = capture(&registration, &passive, &mut wait).and_then(|provider| match provider {
        Some(provider) => forward(&provider, settings, &passive, &mut wait, &mut report),
        None => Ok(()),
    });
    close(registration, &passive);
    forwarded
}

/// Waits for the provider; `None` if it was enough before that came.
fn capture<K: Kernel>(
    registration: &Registration<K>,
    passive: &Passive<'_>,
    wait: &mut impl FnMut(Duration) -> bool,
) -> Result<Option<Provider<K>>, ServiceError> {
    loop {
        match registration.capture(CAPTURE, passive) {
            Ok(provider) => return Ok(Some(provider)),
            Err(CaptureError::NotReady(_)) if wait(Duration::ZERO) => return Ok(None),
            Err(CaptureError::NotReady(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn forward<K: Kernel>(
    provider: &Provider<K>,
    settings: &[Settings<'_>],
    passive: &Passive<'_>,
    wait: &mut impl FnMut(Duration) -> bool,
    report: &mut impl FnMut(&[Forwarder<K>]),
) -> Result<(), ServiceError> {
    let mut forwarders = ArrayVec::<Forwarder<K>, MOST_FORWARDERS>::new();
    let mut opened = Ok(());
    for settings in settings {
        match Forwarder::open(provider, settings, passive) {
            // There are no more settings than places.
            Ok(forwarder) => drop(forwarders.try_push(forwarder)),
            Err(error) => {
                opened = Err(error.into());
                break;
            }
        }
    }
    if opened.is_ok() {
        report(&forwarders);
        while !wait(REPORT) {
            report(&forwarders);
        }
        report(&forwarders);
    }
    for forwarder in forwarders {
        let mut next = Some(forwarder);
        while let Some(forwarder) = next.take() {
            // What a socket waits for is seen through with the registration.
            if let Err(Unfinished::Outlet { forwarder, .. }) = forwarder.close(CLOSE, passive) {
                next = Some(forwarder);
            }
        }
    }
    opened
}

/// Waits for everything that still closes, then leaves WSK.
fn close<K: Kernel>(registration: Registration<K>, passive: &Passive<'_>) {
    let mut next = Some(registration);
    while let Some(registration) = next.take() {
        next = registration.close(CLOSE, passive).err().map(DeregisterError::into_registration);
    }
}
