//! The instructions of one function: whom it calls, whose address it takes, and what it does to the stack pointer.

use anyhow::{Result, ensure};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};

/// What one function's instructions say. Addresses are relative to the image's base.
#[derive(Default, Debug)]
pub(super) struct Body {
    pub(super) calls: Vec<Call>,
    /// Addresses that it computes without reading or calling what is there.
    pub(super) addresses: Vec<u32>,
    /// Bytes that aligning its frame may cost.
    pub(super) alignment: u32,
    /// Whether it changes the stack pointer, except by calling and returning.
    pub(super) moves_stack: bool,
    /// Whether it takes an amount from the stack that stands in a register.
    pub(super) takes_variable: bool,
}

/// A way out of a function.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Call {
    pub(super) to: Destination,
    /// Whether the caller's frame is gone by then.
    pub(super) tail: bool,
}

/// Where a call goes.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Destination {
    /// To this address.
    Code(u32),
    /// To what the image has at this address: an import, if it is an import's place.
    Slot(u32),
    /// To an address that was computed.
    Computed,
}

/// Reads the function that lies at `start` and consists of `bytes`.
pub(super) fn read(start: u32, bytes: &[u8]) -> Result<Body> {
    let end = start + u32::try_from(bytes.len())?;
    let mut body = Body::default();
    // The image's base is 0 here, so that addresses are relative to it.
    let mut decoder = Decoder::with_ip(64, bytes, u64::from(start), DecoderOptions::NONE);
    while decoder.can_decode() {
        let from = decoder.position();
        let instruction = decoder.decode();
        ensure!(!instruction.is_invalid(), "no instruction at {:#x}", instruction.ip());
        let inside = |target: u32| (start..end).contains(&target);
        match instruction.flow_control() {
            FlowControl::Call => body.call(Destination::Code(near(&instruction)?), false),
            FlowControl::IndirectCall => body.call(indirect(&instruction)?, false),
            FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch => {
                let target = near(&instruction)?;
                if !inside(target) {
                    body.call(Destination::Code(target), true);
                }
            }
            FlowControl::IndirectBranch => {
                let destination = indirect(&instruction)?;
                // LLVM marks a call in the place of a return by REX.W, which the unwinder looks for; without it, the
                // jump stays in the function and takes its target from a table.
                let leaves = bytes[from] & 0xf8 == 0x48;
                if leaves || matches!(destination, Destination::Slot(_)) {
                    body.call(destination, true);
                }
            }
            // The rest goes on with the next instruction, returns or raises.
            _ => {}
        }
        body.stack(&instruction)?;
        if instruction.mnemonic() == Mnemonic::Lea && instruction.is_ip_rel_memory_operand() {
            body.addresses.push(u32::try_from(instruction.ip_rel_memory_address())?);
        }
    }
    Ok(body)
}

impl Body {
    fn call(&mut self, to: Destination, tail: bool) {
        self.calls.push(Call { to, tail });
    }

    fn stack(&mut self, instruction: &Instruction) -> Result<()> {
        let writes = instruction.op_count() > 0
            && instruction.op0_kind() == OpKind::Register
            && instruction.op0_register() == Register::RSP
            && !matches!(instruction.mnemonic(), Mnemonic::Cmp | Mnemonic::Test);
        let passes = matches!(
            instruction.flow_control(),
            FlowControl::Call | FlowControl::IndirectCall | FlowControl::Return
        );
        if !writes && (passes || instruction.stack_pointer_increment() == 0) {
            return Ok(());
        }
        self.moves_stack = true;
        match (instruction.mnemonic(), instruction.op1_kind()) {
            (Mnemonic::Sub, OpKind::Register) => self.takes_variable = true,
            (Mnemonic::And, _) => {
                // and rsp, -64: up to 56 bytes, as the pointer is a multiple of 8 before.
                let mask = instruction.immediate(1).cast_signed();
                ensure!(
                    mask < 0 && mask.unsigned_abs().is_power_of_two(),
                    "an odd alignment: {instruction:?}"
                );
                self.alignment += u32::try_from(mask.unsigned_abs())?.saturating_sub(8);
            }
            _ => {}
        }
        Ok(())
    }
}

fn near(instruction: &Instruction) -> Result<u32> {
    Ok(u32::try_from(instruction.near_branch_target())?)
}

fn indirect(instruction: &Instruction) -> Result<Destination> {
    if instruction.op0_kind() == OpKind::Memory && instruction.is_ip_rel_memory_operand() {
        return Ok(Destination::Slot(u32::try_from(instruction.ip_rel_memory_address())?));
    }
    Ok(Destination::Computed)
}

#[cfg(test)]
mod tests {
    use iced_x86::code_asm::*;
    use iced_x86::{Code, IcedError, MemoryOperand};

    use super::*;

    /// What lies at `address`, by an offset from the instruction.
    fn at(address: i64) -> MemoryOperand {
        MemoryOperand::with_base_displ(Register::RIP, address)
    }

    fn body(write: impl FnOnce(&mut CodeAssembler) -> Result<(), IcedError>) -> Body {
        let mut code = CodeAssembler::new(64).unwrap();
        write(&mut code).unwrap();
        read(0x1000, &code.assemble(0x1000).unwrap()).unwrap()
    }

    fn destinations(body: &Body) -> Vec<(&Destination, bool)> {
        body.calls.iter().map(|call| (&call.to, call.tail)).collect()
    }

    #[test]
    fn calls_go_to_code_to_slots_and_anywhere() {
        let body = body(|code| {
            code.call(0x2000)?;
            code.add_instruction(Instruction::with1(Code::Call_rm64, at(0x3000))?)?;
            code.call(rax)?;
            code.call(qword_ptr(rax + 0x10))?;
            code.jmp(0x4000)
        });
        let expected = [
            (&Destination::Code(0x2000), false),
            (&Destination::Slot(0x3000), false),
            (&Destination::Computed, false),
            (&Destination::Computed, false),
            (&Destination::Code(0x4000), true),
        ];
        assert_eq!(destinations(&body), expected);
        assert!(!body.moves_stack);
    }

    #[test]
    fn jumps_inside_and_by_tables_are_no_calls_and_marked_ones_are() {
        let mut inside = body(|code| {
            let mut back = code.create_label();
            code.set_label(&mut back)?;
            code.jne(back)?;
            code.jmp(rax)
        });
        assert_eq!(destinations(&inside), []);
        // rex.w jmp rax
        inside = read(0x1000, &[0x48, 0xff, 0xe0]).unwrap();
        assert_eq!(destinations(&inside), [(&Destination::Computed, true)]);
    }

    #[test]
    fn whatever_moves_the_stack_pointer_is_noticed() {
        type Write = fn(&mut CodeAssembler) -> Result<(), IcedError>;
        let moving: [Write; 4] = [
            |code| code.push(rbx),
            |code| code.sub(rsp, 8),
            |code| code.sub(rsp, rax),
            |code| code.and(rsp, -128),
        ];
        let bodies = moving.map(body);
        assert!(bodies.iter().all(|body| body.moves_stack));
        assert_eq!(bodies.each_ref().map(|body| body.takes_variable), [false, false, true, false]);
        assert_eq!(bodies.each_ref().map(|body| body.alignment), [0, 0, 0, 120]);
        assert!(!body(|code| code.ret()).moves_stack);
    }

    #[test]
    fn an_address_taken_is_noticed_and_bytes_that_are_no_code_are_an_error() {
        let taken = body(|code| {
            code.add_instruction(Instruction::with2(Code::Lea_r64_m, Register::RAX, at(0x2000))?)
        });
        assert_eq!(taken.addresses, [0x2000]);
        // An instruction that 64-bit mode does not have.
        read(0x1000, &[0x06]).unwrap_err();
    }
}
