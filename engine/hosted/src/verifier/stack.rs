//! Call stacks: where an object was made, and where a rule was broken.

use std::backtrace::Backtrace;
use std::fmt;
use std::sync::Arc;

/// A call stack. Captured as addresses; names and lines are looked up when it is shown.
#[derive(Clone)]
pub struct Stack(Arc<Backtrace>);

/// One function on a [`Stack`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its name, as the language it is written in spells it.
    pub function: String,
    /// `file:line:column` that was being executed; empty where the program carries no line numbers.
    pub location: String,
}

impl Stack {
    #[cold]
    pub(crate) fn capture() -> Self {
        Self(Arc::new(Backtrace::force_capture()))
    }

    /// The functions of the client, innermost first: without this crate's own, the standard library's and what starts
    /// threads. None on a thread of the provider, when the client had returned.
    #[must_use]
    pub fn frames(&self) -> Vec<Frame> {
        let mut frames = parse(&self.0.to_string());
        frames.retain(Frame::is_of_client);
        frames
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames = self.frames();
        if frames.is_empty() {
            writeln!(f, "        on a thread of the provider, when the client had returned")?;
        }
        for (index, frame) in frames.iter().enumerate() {
            writeln!(f, "    {index:>2}: {}", frame.function)?;
            if !frame.location.is_empty() {
                writeln!(f, "          at {}", frame.location)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.frames()).finish()
    }
}

impl Frame {
    /// Inlined functions have names without a path, so it is asked for their place too.
    fn is_of_client(&self) -> bool {
        const OTHERS: [&str; 14] = [
            "skua_hosted::",
            "std::",
            "core::",
            "alloc::",
            "test::",
            "__rust",
            "rust_",
            "_Unwind",
            "_start",
            "__libc_start",
            "start_thread",
            "clone",
            "__clone",
            "__restore_rt",
        ];
        // An implementation is named `<type as trait>::method`, a closure's caller after the closure.
        let name = self.function.trim_start_matches(['<', '&']);
        !self.is_in(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
            && !["/library/std/src/", "/library/core/src/", "/library/alloc/src/", "/library/test/src/"]
                .iter()
                .any(|library| self.location.contains(library))
            && !OTHERS.iter().any(|other| name.starts_with(other))
    }

    /// Whether the file lies in `folder`. Places are shown relative to the working directory where that shortens them.
    fn is_in(&self, folder: &str) -> bool {
        let Some(relative) = self.location.strip_prefix("./") else {
            return self.location.starts_with(folder);
        };
        std::env::current_dir().is_ok_and(|current| current.join(relative).starts_with(folder))
    }
}

/// The frames in the text that std makes of a backtrace: a numbered line with the name, and one behind `at` with the
/// place, where it is known.
fn parse(text: &str) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(location) = line.strip_prefix("at ") {
            if let Some(frame) = frames.last_mut() {
                frame.location = location.to_owned();
            }
        } else if let Some((index, function)) = line.split_once(": ")
            && index.bytes().all(|byte| byte.is_ascii_digit())
        {
            frames.push(Frame { function: function.to_owned(), location: String::new() });
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_read_from_the_text_of_std() {
        let text = "   0: skua_hosted::verifier::stack::Stack::capture\n             at ./src/verifier/stack.rs:22:23\n   \
                    1: client::open\n             at ./client.c:7:9\n   2: main\n";
        let frames = parse(text);
        assert_eq!(frames.len(), 3);
        assert_eq!(frames[1], Frame { function: "client::open".into(), location: "./client.c:7:9".into() });
        assert_eq!(frames.iter().filter(|frame| frame.is_of_client()).count(), 2);
    }

    #[test]
    fn a_captured_stack_has_names() {
        assert!(Stack::capture().0.to_string().contains("capture"), "the format of std's backtraces");
        assert!(!parse(&Stack::capture().0.to_string()).is_empty());
    }
}
