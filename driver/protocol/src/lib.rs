//! What crosses between Skua's driver and the programs that use it.
#![no_std]
