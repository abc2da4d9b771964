//! The outputs that the command line names, opened.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::discard::Discard;
use super::error::StartError;
use super::intake::Shape;
use super::ndjson::Ndjson;
use super::output::{Output, Outputs};
use super::pcapng::{Pcapng, Provenance};
use super::reader::unix_nanoseconds;
use super::unit_file::UnitFile;
use super::verify::{Verdict, Verify};
use crate::cli::OutputArgs;

/// Where records go.
pub(crate) struct Destinations {
    pub(crate) outputs: Outputs,
    /// What `--verify` finds, renewed while it does.
    pub(crate) verdict: Option<Arc<Mutex<Verdict>>>,
}

impl Destinations {
    /// Opens them. Files are created, or emptied if they are there.
    ///
    /// # Errors
    /// [`StartError`] names the file.
    pub(crate) fn open(args: &OutputArgs, shape: &Shape, sockets: &[SocketAddr]) -> Result<Self, StartError> {
        if let Some(path) = args.write.as_ref().filter(|path| args.json.as_ref() == Some(path)) {
            return Err(StartError::SameFile(path.clone()));
        }
        let mut outputs: Vec<Box<dyn Output>> = Vec::new();
        if let Some(path) = &args.write {
            let sockets: Vec<String> = sockets.iter().map(ToString::to_string).collect();
            let provenance = Provenance {
                started: unix_nanoseconds(),
                sockets: sockets.join(" "),
                snap_length: shape.snap_length,
                filter: shape.filter.clone(),
            };
            let capture = File::create(path)
                .and_then(|file| Pcapng::new(path.display().to_string(), file, &provenance))
                .map_err(|source| StartError::Output { path: path.clone(), source })?;
            outputs.push(Box::new(capture));
        }
        if let Some(path) = &args.json {
            let file = if is_stdout(path) {
                stdout().map(UnitFile::stream)
            } else {
                File::create(path).map(UnitFile::new)
            };
            let file = file.map_err(|source| StartError::Output { path: path.clone(), source })?;
            outputs.push(Box::new(Ndjson::new(path.display().to_string(), file)));
        }
        let mut verdict = None;
        if args.verify {
            let (verify, shown) = Verify::new();
            verdict = Some(shown);
            outputs.push(Box::new(verify));
        }
        if args.discard || outputs.is_empty() {
            outputs.push(Box::new(Discard::default()));
        }
        Ok(Self { outputs: Outputs::new(outputs), verdict })
    }
}

impl OutputArgs {
    /// Whether standard output carries datagrams.
    pub(crate) fn json_on_stdout(&self) -> bool {
        self.json.as_deref().is_some_and(is_stdout)
    }
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Standard output as a file, past the line buffer of the standard library.
fn stdout() -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsHandle;
        Ok(io::stdout().as_handle().try_clone_to_owned()?.into())
    }
}
