//! Skua's Windows kernel driver.
#![no_std]
