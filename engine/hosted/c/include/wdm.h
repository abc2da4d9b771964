/*
 * The part of wdm.h that clients of WSK use, and what its users include it for. Each group of declarations is a file of its
 * own under nt/. With mingw-w64 this is that project's own wdm.h and what it lacks of the part.
 */
#ifdef _WIN32
#include_next <wdm.h>
#include <ntdef.h>
#include <nt/mingw.h>
#else

#ifndef _WDMDDK_
#define _WDMDDK_

#include <ntdef.h>
#include <ntstatus.h>

#include <nt/level.h>
#include <nt/dispatcher.h>
#include <nt/object.h>
#include <nt/interlocked.h>
#include <nt/list.h>
#include <nt/lock.h>
#include <nt/mdl.h>
#include <nt/irp.h>
#include <nt/pool.h>
#include <nt/work.h>
#include <nt/runtime.h>
#include <nt/security.h>

#endif /* _WDMDDK_ */
#endif /* _WIN32 */
