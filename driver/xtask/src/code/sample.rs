//! A driver's code, written by the tests that check what is found in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use iced_x86::code_asm::{CodeAssembler, CodeLabel, rax, rsp};
use iced_x86::{Code, Instruction, MemoryOperand, Register};

use super::program::Program;
use crate::image::sample::{BASE, CODE, Frame, Sample};

/// One function: its name, the bytes of its frame, and what it does.
pub(super) type Function<'a> = (&'a str, i32, &'a [Does<'a>]);

/// One thing that a function does.
pub(super) enum Does<'a> {
    /// Calls the function of that name.
    Call(&'a str),
    /// Goes on as the function of that name, its own frame gone.
    Become(&'a str),
    /// Calls the image's only import.
    Import,
    /// Calls by a pointer.
    Pointer,
    /// Takes the address of the function of that name.
    Take(&'a str),
}

/// An image of these functions, the first of which is its entry point, and `data` that points at some of them.
pub(super) fn program(functions: &[Function<'_>], data: &[&str]) -> Program {
    let mut sample = Sample::driver();
    let slot = i64::from(sample.slot(0));
    let mut code = CodeAssembler::new(64).unwrap();
    let mut labels: BTreeMap<&str, CodeLabel> =
        functions.iter().map(|(name, ..)| (*name, code.create_label())).collect();
    let at = |address| MemoryOperand::with_base_displ(Register::RIP, address);
    for (name, frame, does) in functions {
        code.set_label(labels.get_mut(name).unwrap()).unwrap();
        if *frame > 0 {
            code.sub(rsp, *frame).unwrap();
        }
        for one in *does {
            match one {
                Does::Call(name) => code.call(labels[name]),
                Does::Become(name) => code.jmp(labels[name]),
                Does::Import => code.add_instruction(Instruction::with1(Code::Call_rm64, at(slot)).unwrap()),
                Does::Pointer => code.call(rax),
                Does::Take(name) => code.lea(rax, iced_x86::code_asm::ptr(labels[name])),
            }
            .unwrap();
        }
        if *frame > 0 {
            code.add(rsp, *frame).unwrap();
        }
        code.ret().unwrap();
    }
    let options = iced_x86::BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS;
    let encoded = code.assemble_options(u64::from(CODE), options).unwrap();
    let place = |name: &str| u32::try_from(encoded.label_ip(&labels[name]).unwrap()).unwrap();

    let end = CODE + u32::try_from(encoded.inner.code_buffer.len()).unwrap();
    let starts: Vec<u32> = functions.iter().map(|(name, ..)| place(name)).chain([end]).collect();
    let mut map = format!(" Preferred load address is {BASE:016x}\n");
    for (index, (name, frame, _)) in functions.iter().enumerate() {
        writeln!(map, " 0001:{index:08x}  {name}  {:016x}  a.o", BASE + u64::from(starts[index])).unwrap();
        if *frame > 0 {
            let bytes = u32::try_from(*frame).unwrap();
            sample.frames.push(Frame { start: starts[index], end: starts[index + 1], bytes });
        }
    }
    sample.code.clone_from(&encoded.inner.code_buffer);
    sample.pointers = data.iter().map(|name| place(name)).collect();
    Program::read(&sample.write(), &map).unwrap()
}
