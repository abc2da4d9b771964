//! The requests.

/// FILE_DEVICE_NETWORK (wdm.h): the device's type, and so the upper half of every code.
pub const DEVICE_TYPE: u32 = 0x12;

/// The first function number that is not Microsoft's (CTL_CODE docs).
const FIRST_FUNCTION: u32 = 0x800;

/// How the I/O manager hands over the buffers: the two lowest bits of a code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Method {
    /// METHOD_BUFFERED: copied through one system buffer.
    Buffered = 0,
    /// METHOD_OUT_DIRECT: the input is copied, the output locked in place.
    OutDirect = 2,
}

/// The access that the handle must have been opened with: bits 14 and 15 of a code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Access {
    /// FILE_READ_DATA.
    Read = 1,
    /// FILE_WRITE_DATA.
    Write = 2,
    /// Both.
    ReadWrite = 3,
}

macro_rules! control_codes {
    ($($(#[$doc:meta])* $name:ident = $function:literal, $method:ident, $access:ident;)+) => {
        /// A request, as the last argument but the buffers of DeviceIoControl.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u32)]
        #[non_exhaustive]
        pub enum ControlCode {
            $($(#[$doc])* $name = ctl_code($function, Method::$method, Access::$access),)+
        }

        impl ControlCode {
            /// Every request.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The request with this code.
            #[must_use]
            pub const fn from_code(code: u32) -> Option<Self> {
                $(if code == Self::$name as u32 {
                    return Some(Self::$name);
                })+
                None
            }

            /// How its buffers are handed over.
            #[must_use]
            pub const fn method(self) -> Method {
                match self {
                    $(Self::$name => Method::$method,)+
                }
            }

            /// What it asks of the handle.
            #[must_use]
            pub const fn access(self) -> Access {
                match self {
                    $(Self::$name => Access::$access,)+
                }
            }
        }
    };
}

control_codes! {
    /// No input; a [`Version`](crate::Version). Never changes, so that sides of different versions can tell.
    Version = 0x00, Buffered, Read;
    /// A [`StartSink`](crate::StartSink); a [`StartedSink`](crate::StartedSink).
    StartSink = 0x01, Buffered, ReadWrite;
    /// A [`SinkRequest`](crate::SinkRequest); no output. What is in the rings is gone with them.
    StopSink = 0x02, Buffered, Write;
    /// A [`SinkRequest`](crate::SinkRequest); no output. Its listeners take nothing more in and its counts are final,
    /// while its rings can still be read.
    QuiesceSink = 0x03, Buffered, Write;
    /// A [`ChangeSink`](crate::ChangeSink); no output.
    ChangeSink = 0x04, Buffered, Write;
    /// A [`Header`](crate::Header); a [`SinksReport`](crate::SinksReport).
    QuerySinks = 0x05, Buffered, Read;
    /// A [`SinkRequest`](crate::SinkRequest); a [`SinkReport`](crate::SinkReport) and its
    /// [`ListenerReport`](crate::ListenerReport)s.
    QuerySink = 0x06, Buffered, Read;
    /// A [`SourcesRequest`](crate::SourcesRequest); a [`SourcesReport`](crate::SourcesReport) and
    /// [`SourceReport`](crate::SourceReport)s, as many as fit.
    QuerySources = 0x07, Buffered, Read;
    /// A [`SinkRequest`](crate::SinkRequest); a [`ReaderAttached`](crate::ReaderAttached). The handle becomes the sink's
    /// reader.
    AttachReader = 0x08, Buffered, ReadWrite;
    /// A [`SinkRequest`](crate::SinkRequest); no output.
    DetachReader = 0x09, Buffered, ReadWrite;
    /// A [`SinkRequest`](crate::SinkRequest); no output. Pended until a record is published, the reader is detached, or the
    /// sink ends. Cancellable. A reader that has the rings mapped announces its sleep in their cursors first; for one that
    /// reads by [`ControlCode::ReadRecords`], and has done so before, the driver does.
    WaitRecords = 0x0a, Buffered, ReadWrite;
    /// A [`SinkRequest`](crate::SinkRequest); records packed one after the other
    /// ([`PackedRecords`](skua_record::PackedRecords)). Whole records only: as many as there are and fit, perhaps none;
    /// STATUS_BUFFER_TOO_SMALL if the first does not. For readers that cannot map the rings; what one request put out is
    /// given back to the rings by the next request of any kind that reads, waits or detaches, and read again by the next
    /// reader if there is none.
    ReadRecords = 0x0b, OutDirect, ReadWrite;
    /// A [`Header`](crate::Header); no output. Ends every wait and refuses new opens from now on, so that the service can
    /// be stopped as soon as the last handle is closed.
    Shutdown = 0x0c, Buffered, Write;
    /// A [`Header`](crate::Header); a [`SelfTestReport`](crate::SelfTestReport) and as many
    /// [`SelfTestResult`](crate::SelfTestResult)s as it says. STATUS_NOT_SUPPORTED from an image that was built without the
    /// feature `self-test`, as released ones are.
    SelfTest = 0x0d, Buffered, ReadWrite;
}

/// CTL_CODE of wdm.h.
const fn ctl_code(function: u32, method: Method, access: Access) -> u32 {
    DEVICE_TYPE << 16 | (access as u32) << 14 | (FIRST_FUNCTION + function) << 2 | method as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_device_access_function_and_method() {
        assert_eq!(ControlCode::Version as u32, 0x0012_6000);
        assert_eq!(ControlCode::ReadRecords as u32, 0x0012_e02e);
        for code in ControlCode::ALL {
            assert_eq!(ControlCode::from_code(*code as u32), Some(*code));
            assert_eq!(*code as u32 & 3, code.method() as u32);
            assert_eq!(*code as u32 >> 14 & 3, code.access() as u32);
        }
    }

    #[test]
    fn no_other_code_is_a_request() {
        let known: std::vec::Vec<u32> = ControlCode::ALL.iter().map(|code| *code as u32).collect();
        for code in 0x0012_0000..=0x0012_ffff_u32 {
            assert_eq!(ControlCode::from_code(code).is_some(), known.contains(&code), "{code:#x}");
        }
    }
}
