//! The driver's service, as the service control manager has it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use windows_registry::{Key, LOCAL_MACHINE};
use windows_service::service::{
    Service, ServiceAccess, ServiceDependency, ServiceErrorControl, ServiceInfo, ServiceStartType,
    ServiceState, ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_SERVICE_ALREADY_RUNNING, ERROR_SERVICE_DOES_NOT_EXIST, ERROR_SERVICE_EXISTS,
    ERROR_SERVICE_NOT_ACTIVE,
};

use super::firewall;
use crate::driver::client::Client;
use crate::driver::error::DriverError;
use crate::driver::installation::{Installation, Value};
use crate::say;

const NAME: &str = "Skua";
const DISPLAY_NAME: &str = "Skua datagram sink";
const DESCRIPTION: &str = "Receives UDP datagrams in the kernel and hands them to a reader";
/// The image's name beside this program.
const IMAGE: &str = "skua.sys";
/// Where the driver reads its settings, below HKEY_LOCAL_MACHINE.
const SERVICE_KEY: &str = r"SYSTEM\CurrentControlSet\Services\Skua";
const PARAMETERS_KEY: &str = r"SYSTEM\CurrentControlSet\Services\Skua\Parameters";

/// How long a start or a stop may take: a stop waits for sockets to close.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the state is asked for meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// Copies the image, creates the service with its settings, and adds a rule to the firewall.
///
/// # Errors
/// [`DriverError`] names the step. What was added before it stays, and uninstall removes it.
pub(in crate::driver) fn install(installation: &Installation) -> Result<(), DriverError> {
    let from = match &installation.image {
        Some(path) => path.clone(),
        None => beside_this_program()?,
    };
    let manager = manager(ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE)?;
    if open(&manager, ServiceAccess::QUERY_STATUS).is_ok() {
        return Err(DriverError::Installed);
    }
    let image = image_path();
    fs::copy(&from, &image).map_err(|source| DriverError::Image { from, source })?;
    let info = ServiceInfo {
        name: NAME.into(),
        display_name: DISPLAY_NAME.into(),
        service_type: ServiceType::KERNEL_DRIVER,
        start_type: if installation.auto { ServiceStartType::AutoStart } else { ServiceStartType::OnDemand },
        error_control: ServiceErrorControl::Normal,
        executable_path: image.clone(),
        launch_arguments: Vec::new(),
        // Winsock Kernel is there early; sockets bind when the network is.
        dependencies: vec![ServiceDependency::Service("Tcpip".into())],
        account_name: None,
        account_password: None,
    };
    let access = ServiceAccess::QUERY_STATUS | ServiceAccess::CHANGE_CONFIG;
    let service = manager.create_service(&info, access).map_err(|error| failed("be created", error))?;
    // What it is called is not worth failing for.
    let _ = service.set_description(DESCRIPTION);
    write_parameters(installation)
        .map_err(|error| DriverError::Settings { path: PARAMETERS_KEY, source: error.into() })?;
    say(&format!("installed {} as the service {NAME}; `skua driver start` starts it", image.display()));
    if let Err(line) = firewall::let_in(&firewall::ports(installation.listen.iter().copied())) {
        eprintln!("skua: {line}");
    }
    Ok(())
}

/// Starts the service.
///
/// # Errors
/// [`DriverError`].
pub(in crate::driver) fn start() -> Result<(), DriverError> {
    let service =
        open(&manager(ServiceManagerAccess::CONNECT)?, ServiceAccess::START | ServiceAccess::QUERY_STATUS)?;
    match service.start::<&OsStr>(&[]) {
        Err(error) if code_of(&error) != ERROR_SERVICE_ALREADY_RUNNING => Err(failed("start", error)),
        _ => wait_for(&service, ServiceState::Running),
    }
}

/// Has the driver end every wait and refuse new programs, and stops the service.
///
/// # Errors
/// [`DriverError`].
pub(in crate::driver) fn stop() -> Result<(), DriverError> {
    let service =
        open(&manager(ServiceManagerAccess::CONNECT)?, ServiceAccess::STOP | ServiceAccess::QUERY_STATUS)?;
    stop_service(&service)
}

/// Says how service, driver and firewall are.
///
/// # Errors
/// [`DriverError`]: it is not installed, or it does not run.
pub(in crate::driver) fn status() -> Result<(), DriverError> {
    let service = open(
        &manager(ServiceManagerAccess::CONNECT)?,
        ServiceAccess::QUERY_CONFIG | ServiceAccess::QUERY_STATUS,
    )?;
    let config = service.query_config().map_err(|error| failed("be asked for its settings", error))?;
    let state =
        service.query_status().map_err(|error| failed("be asked for its state", error))?.current_state;
    let starts = if config.start_type == ServiceStartType::AutoStart { "with the system" } else { "by hand" };
    say(&format!("service      {NAME}: {}, started {starts}", in_words(state)));
    say(&format!("image        {}", config.executable_path.display()));
    let mut addresses = boot_addresses();
    if !addresses.is_empty() {
        let listed: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        say(&format!("starts with  a sink on {}", listed.join(" ")));
    }
    if state != ServiceState::Running {
        warn_of_firewall(&addresses);
        return Err(DriverError::NotRunning);
    }
    let client = Client::open()?;
    let version = client.version()?;
    let [major, minor] = version.driver;
    let sinks = client.sinks()?;
    say(&format!(
        "driver       {major}.{minor}.{}, protocol {}, {} sink(s)",
        version.patch,
        version.protocol,
        sinks.len()
    ));
    for sink in sinks {
        // One that ends meanwhile has nothing to tell.
        addresses.extend(client.report(sink).into_iter().flat_map(|report| report.addresses()));
    }
    warn_of_firewall(&addresses);
    Ok(())
}

/// Stops the service if it runs, and removes everything that [`install`] adds.
///
/// # Errors
/// [`DriverError`].
pub(in crate::driver) fn uninstall() -> Result<(), DriverError> {
    let manager = manager(ServiceManagerAccess::CONNECT)?;
    let access = ServiceAccess::STOP | ServiceAccess::QUERY_STATUS | ServiceAccess::DELETE;
    match open(&manager, access) {
        // What is left of an installation goes all the same.
        Err(DriverError::NotInstalled) => {}
        Err(error) => return Err(error),
        Ok(service) => {
            stop_service(&service)?;
            // Settings first: the service's key is the manager's to remove.
            if let Ok(key) = service_key() {
                let _ = key.remove_tree("Parameters");
            }
            service.delete().map_err(|error| failed("be removed", error))?;
        }
    }
    firewall::remove();
    let image = image_path();
    match fs::remove_file(&image) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(DriverError::ImageStays { path: image, source })
        }
        _ => Ok(()),
    }
}

fn stop_service(service: &Service) -> Result<(), DriverError> {
    // One that runs no more, was told before, or is of another version can be stopped all the same. The file is closed
    // before: the service does not stop while one is open.
    if let Ok(client) = Client::open() {
        client.shut_down()?;
    }
    match service.stop() {
        Err(error) if code_of(&error) != ERROR_SERVICE_NOT_ACTIVE => Err(failed("stop", error)),
        _ => wait_for(service, ServiceState::Stopped),
    }
}

fn wait_for(service: &Service, wanted: ServiceState) -> Result<(), DriverError> {
    let end = Instant::now() + PATIENCE;
    loop {
        let state =
            service.query_status().map_err(|error| failed("be asked for its state", error))?.current_state;
        if state == wanted {
            return Ok(());
        }
        if Instant::now() >= end {
            return Err(DriverError::Slow { state: in_words(state), wanted: in_words(wanted) });
        }
        std::thread::sleep(LOOK);
    }
}

fn manager(access: ServiceManagerAccess) -> Result<ServiceManager, DriverError> {
    ServiceManager::local_computer(None::<&OsStr>, access).map_err(|error| failed("be managed", error))
}

fn open(manager: &ServiceManager, access: ServiceAccess) -> Result<Service, DriverError> {
    manager.open_service(NAME, access).map_err(|error| failed("be opened", error))
}

fn failed(what: &'static str, error: windows_service::Error) -> DriverError {
    match (code_of(&error), error) {
        (ERROR_ACCESS_DENIED, _) => DriverError::NotAdministrator,
        (ERROR_SERVICE_DOES_NOT_EXIST, _) => DriverError::NotInstalled,
        (ERROR_SERVICE_EXISTS, _) => DriverError::Installed,
        (_, windows_service::Error::Winapi(source)) => DriverError::Service { what, source },
        (_, other) => DriverError::Service { what, source: io::Error::other(other) },
    }
}

/// The system's number for an error; 0 if it has none.
fn code_of(error: &windows_service::Error) -> u32 {
    match error {
        windows_service::Error::Winapi(source) => source.raw_os_error().unwrap_or(0).cast_unsigned(),
        _ => 0,
    }
}

fn in_words(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Running => "running",
        ServiceState::Stopped => "stopped",
        ServiceState::StartPending => "starting",
        ServiceState::StopPending => "stopping",
        _ => "paused",
    }
}

fn service_key() -> windows_registry::Result<Key> {
    LOCAL_MACHINE.options().read().write().open(SERVICE_KEY)
}

fn write_parameters(installation: &Installation) -> windows_registry::Result<()> {
    let key = LOCAL_MACHINE.create(PARAMETERS_KEY)?;
    for (name, value) in &installation.parameters {
        match value {
            Value::Number(number) => key.set_u32(name, *number)?,
            Value::Strings(strings) => {
                let strings: Vec<&str> = strings.iter().map(String::as_str).collect();
                key.set_multi_string(*name, &strings)?;
            }
        }
    }
    Ok(())
}

/// Where the sink that starts with the driver listens.
fn boot_addresses() -> Vec<SocketAddr> {
    let listen = LOCAL_MACHINE.open(PARAMETERS_KEY).and_then(|key| key.get_multi_string("Listen"));
    listen.unwrap_or_default().iter().filter_map(|text| text.parse().ok()).collect()
}

fn warn_of_firewall(addresses: &[SocketAddr]) {
    for line in firewall::warnings(&firewall::ports(addresses.iter().copied())) {
        eprintln!("skua: {line}");
    }
}

/// Where the system has its drivers.
fn image_path() -> PathBuf {
    let root = std::env::var_os("SystemRoot").unwrap_or_else(|| OsString::from(r"C:\Windows"));
    Path::new(&root).join("System32").join("drivers").join(IMAGE)
}

fn beside_this_program() -> Result<PathBuf, DriverError> {
    let program =
        std::env::current_exe().map_err(|source| DriverError::Image { from: IMAGE.into(), source })?;
    Ok(program.with_file_name(IMAGE))
}
