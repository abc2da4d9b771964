/*
 * A driver with a device: its extension holds all of the client, a work item does what a callback may not, and a request to
 * the device is forwarded and completed. It loads when everything was as it should be.
 */
#include <ntddk.h>
#include <wsk.h>

typedef struct _EXTENSION {
    WSK_REGISTRATION Registration;
    WSK_PROVIDER_NPI Npi;
    PIO_WORKITEM Item;
    KEVENT Done;
    LONG Runs;
    ULONG Wrong;
} EXTENSION, *PEXTENSION;

static PDEVICE_OBJECT Device;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;
static DRIVER_DISPATCH Dispatch;
static IO_WORKITEM_ROUTINE Work;
static IO_COMPLETION_ROUTINE Completed;

/* At PASSIVE_LEVEL, where it may register and wait for the provider. */
static VOID NTAPI Work(_In_ PDEVICE_OBJECT DeviceObject, _In_opt_ PVOID Context)
{
    static const WSK_CLIENT_DISPATCH ClientDispatch = { MAKE_WSK_VERSION(1, 0), 0, NULL };
    PEXTENSION Extension = (PEXTENSION)DeviceObject->DeviceExtension;
    WSK_CLIENT_NPI Client = { NULL, &ClientDispatch };
    PAGED_CODE();
    if (Context != Extension || KeGetCurrentIrql() != PASSIVE_LEVEL)
        Extension->Wrong++;
    if (!NT_SUCCESS(WskRegister(&Client, &Extension->Registration))
        || !NT_SUCCESS(WskCaptureProviderNPI(&Extension->Registration, WSK_INFINITE_WAIT, &Extension->Npi)))
        Extension->Wrong++;
    InterlockedIncrement(&Extension->Runs);
    KeSetEvent(&Extension->Done, IO_NO_INCREMENT, FALSE);
}

static VOID NTAPI Deferred(PKDPC Dpc, PVOID Context, PVOID One, PVOID Two)
{
    PEXTENSION Extension = (PEXTENSION)Context;
    UNREFERENCED_PARAMETER(Dpc);
    UNREFERENCED_PARAMETER(One);
    UNREFERENCED_PARAMETER(Two);
    IoQueueWorkItem(Extension->Item, Work, DelayedWorkQueue, Extension);
}

static NTSTATUS NTAPI Dispatch(_In_ PDEVICE_OBJECT DeviceObject, _Inout_ PIRP Irp)
{
    PIO_STACK_LOCATION Location = IoGetCurrentIrpStackLocation(Irp);
    NTSTATUS Status = STATUS_INVALID_DEVICE_REQUEST;
    Irp->IoStatus.Information = 0;
    if (DeviceObject == Device && Location->MajorFunction == IRP_MJ_DEVICE_CONTROL
        && Location->Parameters.DeviceIoControl.IoControlCode == CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)) {
        Irp->IoStatus.Information = 42;
        Status = STATUS_SUCCESS;
    }
    Irp->IoStatus.Status = Status;
    IoCompleteRequest(Irp, IO_NO_INCREMENT);
    return Status;
}

static NTSTATUS NTAPI Completed(_In_ PDEVICE_OBJECT DeviceObject, _In_ PIRP Irp, _In_opt_ PVOID Context)
{
    UNREFERENCED_PARAMETER(DeviceObject);
    *(PULONG_PTR)Context = Irp->IoStatus.Information;
    return STATUS_MORE_PROCESSING_REQUIRED;
}

static NTSTATUS Ask(VOID)
{
    ULONG_PTR Information = 0;
    NTSTATUS Status;
    PIO_STACK_LOCATION Next;
    PIRP Irp = IoAllocateIrp(Device->StackSize, FALSE);
    if (Irp == NULL)
        return STATUS_INSUFFICIENT_RESOURCES;
    Next = IoGetNextIrpStackLocation(Irp);
    Next->MajorFunction = IRP_MJ_DEVICE_CONTROL;
    Next->Parameters.DeviceIoControl.IoControlCode = CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS);
    IoSetCompletionRoutine(Irp, Completed, &Information, TRUE, TRUE, TRUE);
    Status = IoCallDriver(Device, Irp);
    IoFreeIrp(Irp);
    return Information == 42 ? Status : STATUS_UNSUCCESSFUL;
}

static VOID NTAPI Unload(_In_ PDRIVER_OBJECT DriverObject)
{
    PEXTENSION Extension = (PEXTENSION)Device->DeviceExtension;
    UNICODE_STRING Link;
    UNREFERENCED_PARAMETER(DriverObject);
    if (Extension->Runs) {
        WskReleaseProviderNPI(&Extension->Registration);
        WskDeregister(&Extension->Registration);
    }
    if (Extension->Item != NULL)
        IoFreeWorkItem(Extension->Item);
    RtlInitUnicodeString(&Link, L"\\DosDevices\\SkuaTest");
    IoDeleteSymbolicLink(&Link);
    IoDeleteDevice(Device);
}

NTSTATUS NTAPI DriverEntry(_In_ PDRIVER_OBJECT DriverObject, _In_ PUNICODE_STRING RegistryPath)
{
    UNICODE_STRING Name, Link;
    PEXTENSION Extension;
    KDPC Dpc;
    NTSTATUS Status;
    ULONG Major;
    if (RegistryPath->Length == 0 || RegistryPath->Buffer == NULL)
        return STATUS_INVALID_PARAMETER;
    RtlInitUnicodeString(&Name, L"\\Device\\SkuaTest");
    RtlInitUnicodeString(&Link, L"\\DosDevices\\SkuaTest");
    Status = IoCreateDevice(DriverObject, sizeof(EXTENSION), &Name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, FALSE, &Device);
    if (!NT_SUCCESS(Status))
        return Status;
    if (DriverObject->DeviceObject != Device || Device->DriverObject != DriverObject)
        Status = STATUS_UNSUCCESSFUL;
    IoCreateSymbolicLink(&Link, &Name);
    for (Major = 0; Major <= IRP_MJ_MAXIMUM_FUNCTION; Major++)
        DriverObject->MajorFunction[Major] = Dispatch;
    DriverObject->DriverUnload = Unload;
    Device->Flags &= ~DO_DEVICE_INITIALIZING;
    Extension = (PEXTENSION)Device->DeviceExtension;
    KeInitializeEvent(&Extension->Done, NotificationEvent, FALSE);
    Extension->Item = IoAllocateWorkItem(Device);
    if (NT_SUCCESS(Status))
        Status = Ask();
    if (NT_SUCCESS(Status) && Extension->Item != NULL) {
        KeInitializeDpc(&Dpc, Deferred, Extension);
        KeInsertQueueDpc(&Dpc, NULL, NULL);
        KeWaitForSingleObject(&Extension->Done, Executive, KernelMode, FALSE, NULL);
        if (Extension->Wrong != 0)
            Status = STATUS_UNSUCCESSFUL;
    }
    if (!NT_SUCCESS(Status))
        Unload(DriverObject);
    return Status;
}
