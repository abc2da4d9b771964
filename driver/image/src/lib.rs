//! skua.sys: the entry point and the panic handler around `skua-driver`.
#![no_std]
