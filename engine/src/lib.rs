//! A datagram engine on Winsock Kernel (WSK).
#![no_std]

pub mod abi;
