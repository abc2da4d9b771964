//! The thread of a connection: connects, sends what waits, receives, and makes every callback.

// UNSAFETY: calls the client's callbacks.
#![expect(unsafe_code, reason = "event callbacks are functions of the client, with its context")]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use skua_engine::abi::status::{
    NTSTATUS, STATUS_CONNECTION_ABORTED, STATUS_CONNECTION_RESET, STATUS_SUCCESS,
};
use skua_engine::abi::wsk::WSK_FLAG_ABORTIVE;

use super::intake::Intake;
use super::send::Sending;
use super::socket::StreamSocket;
use super::state::Stage;
use crate::os::tcp::{Attempt, Interest};
use crate::os::{Buffer, Query, StackEndpoint};
use crate::socket::handle::context;

/// Works until the socket closes.
pub(super) fn run(socket: &Arc<StreamSocket>) {
    let mut pump = Pump {
        socket: Arc::clone(socket),
        intake: Intake::default(),
        connecting: false,
        told_disconnect: false,
        told_death: false,
        told_backlog: None,
        broken: false,
    };
    while !socket.is_closing() {
        let interest = pump.step();
        if !socket.is_closing() {
            pump.broken = socket.wire().wait(interest, &[]);
        }
    }
}

struct Pump {
    socket: Arc<StreamSocket>,
    intake: Intake,
    /// The stack was asked to connect.
    connecting: bool,
    told_disconnect: bool,
    told_death: bool,
    /// The ideal send backlog that the client knows of.
    told_backlog: Option<u32>,
    /// The last wait found the connection broken.
    broken: bool,
}

impl Pump {
    /// Does all that can be done now, and says what to wait for.
    fn step(&mut self) -> Interest {
        if let Stage::Connecting(remote) = self.socket.stage() {
            let attempt = if self.connecting {
                self.socket.wire().connected()
            } else {
                self.socket.wire().connect(remote)
            };
            self.connecting = attempt == Attempt::NotYet;
            match attempt {
                Attempt::Done(()) => self.socket.connect_done(remote),
                Attempt::NotYet => return Interest { write: true, ..Interest::NONE },
                Attempt::Failed(status) => self.socket.connect_failed(status),
            }
        }
        match self.socket.stage() {
            Stage::Connected => self.transfer(),
            Stage::Ended(status) => {
                self.socket.give_up();
                self.tell_end(status);
                Interest::NONE
            }
            _ => Interest::NONE,
        }
    }

    fn transfer(&mut self) -> Interest {
        let mut interest = Interest::NONE;
        match self.socket.transmit() {
            Sending::Idle | Sending::Congested => {}
            Sending::Full => interest.write = true,
            Sending::Failed(status) => return self.lose(status),
        }
        self.tell_backlog();
        match self.take_in() {
            Ok(true) => interest.read = true,
            // A connection that both sides have ended looks broken to the stack.
            Ok(false) if self.broken && !self.socket.state().ended_sending => {
                return self.lose(STATUS_CONNECTION_RESET);
            }
            Ok(false) => {}
            Err(status) => return self.lose(status),
        }
        let state = self.socket.state();
        interest.broken = !state.ended_sending;
        // Something may have ended it meanwhile.
        if state.stage == Stage::Connected { interest } else { Interest::NONE }
    }

    /// Gives what comes in to whoever wants it. True when more is wanted than has come.
    fn take_in(&mut self) -> Result<bool, NTSTATUS> {
        let socket = Arc::clone(&self.socket);
        loop {
            if socket.is_closing() {
                return Ok(false);
            }
            if socket.state().ended_receiving && self.intake.is_empty() {
                self.tell_end_of_stream();
                return Ok(false);
            }
            if let Some(mut waiting) = socket.receives.take() {
                match self.intake.serve(&socket, &mut waiting.item) {
                    Attempt::Done(served) => {
                        if served.ended {
                            socket.state().ended_receiving = true;
                        }
                        let received = waiting.item.received;
                        waiting.complete(&socket.kernel, served.status, received);
                        continue;
                    }
                    Attempt::NotYet => {
                        socket.receives.put_back(&socket.kernel, context(&socket), waiting);
                        return Ok(true);
                    }
                    Attempt::Failed(status) => {
                        let received = waiting.item.received;
                        waiting.complete(&socket.kernel, socket.reason(status), received);
                        return Err(status);
                    }
                }
            }
            if socket.events.receive.is_enabled() && socket.armed.load(Ordering::SeqCst) {
                if self.intake.is_empty() {
                    if socket.lent.count() >= socket.kernel.provider().blocks as usize {
                        return Ok(false);
                    }
                    match self.intake.fill(&socket) {
                        Attempt::Done(0) => socket.state().ended_receiving = true,
                        Attempt::Done(_) => {}
                        Attempt::NotYet => return Ok(true),
                        Attempt::Failed(status) => return Err(status),
                    }
                    continue;
                }
                self.intake.indicate(&socket);
                continue;
            }
            // Nobody wants data, but the end of it.
            let wants_end = socket.events.disconnect.is_enabled() && !self.told_disconnect;
            if !wants_end || !self.intake.is_empty() {
                return Ok(false);
            }
            match socket.wire().peek() {
                Attempt::Done(false) => socket.state().ended_receiving = true,
                Attempt::Done(true) => return Ok(false),
                Attempt::NotYet => return Ok(true),
                Attempt::Failed(status) => return Err(status),
            }
        }
    }

    /// The other end has ended, and everything before that was taken.
    fn tell_end_of_stream(&mut self) {
        while let Some(waiting) = self.socket.receives.take() {
            let received = waiting.item.received;
            waiting.complete(&self.socket.kernel, STATUS_SUCCESS, received);
        }
        self.tell_disconnect(0);
    }

    /// The connection is broken.
    fn lose(&mut self, status: NTSTATUS) -> Interest {
        self.socket.end(status);
        self.tell_end(self.socket.reason(status));
        Interest::NONE
    }

    fn tell_end(&mut self, status: NTSTATUS) {
        self.intake = Intake::default();
        if self.socket.is_killed() {
            self.tell_death();
        } else if status != STATUS_CONNECTION_ABORTED && self.socket.state().remote.is_some() {
            self.tell_disconnect(WSK_FLAG_ABORTIVE);
        }
    }

    fn tell_disconnect(&mut self, flags: u32) {
        if self.told_disconnect {
            return;
        }
        let socket = &self.socket;
        let (raised, level) = socket.raise();
        let told = socket.events.disconnect.call(&socket.kernel, 0, |callback, context| {
            // SAFETY: the client promises a callback for its context until the socket is closed, which waits for this.
            unsafe { callback(context, flags | level) }
        });
        drop(raised);
        self.told_disconnect = told.is_some();
    }

    /// The receive event is called with NULL.
    fn tell_death(&mut self) {
        if std::mem::replace(&mut self.told_death, true) {
            return;
        }
        let socket = &self.socket;
        let (raised, level) = socket.raise();
        let mut accepted = 0;
        let _ = socket.events.receive.call(&socket.kernel, 0, |callback, context| {
            // SAFETY: as above.
            unsafe { callback(context, level, std::ptr::null_mut(), 0, &raw mut accepted) }
        });
        drop(raised);
    }

    /// The ideal backlog is what the stack buffers; the event says when that has changed.
    fn tell_backlog(&mut self) {
        let socket = &self.socket;
        if !socket.events.backlog.is_enabled() {
            return;
        }
        let Ok(ideal) = socket.wire().query(Query::Buffer(Buffer::Send)) else { return };
        if self.told_backlog.replace(ideal).is_none_or(|told| told == ideal) {
            return;
        }
        let (raised, _) = socket.raise();
        let _ = socket.events.backlog.call(&socket.kernel, 0, |callback, context| {
            // SAFETY: as above.
            unsafe { callback(context, ideal as usize) }
        });
        drop(raised);
    }
}
