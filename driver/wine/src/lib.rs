//! What skua.sys runs on under Wine: a shim for ntoskrnl.exe, and the user-mode WSK provider behind it.
