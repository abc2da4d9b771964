@echo off
rem Installs skua.sys, which lies beside this file, as a service that is started by hand, and starts it.
rem Run it as Administrator. "install.cmd auto" starts the driver with the system. To remove it: "install.cmd remove".
setlocal
set here=%~dp0
set target=%SystemRoot%\System32\drivers\skua.sys

if /i "%~1"=="remove" goto remove
set start=demand
if /i "%~1"=="auto" set start=auto

if not exist "%here%skua.sys" (
    echo install: skua.sys is not beside this file; build it with "cargo xtask build-sys" or "cargo wdk build"
    exit /b 1
)
copy /y "%here%skua.sys" "%target%" >nul || (
    echo install: cannot write %target%; run this as Administrator, and "install.cmd remove" first if Skua runs
    exit /b 1
)
sc create Skua type= kernel start= %start% binPath= "%target%" depend= tcpip DisplayName= "Skua datagram sink" || exit /b 1
reg add "HKLM\SYSTEM\CurrentControlSet\Services\Skua\Parameters" /f >nul || exit /b 1
sc start Skua || (
    echo install: the service was created and does not start: is the image signed, and test signing on? See WINDOWS.md
    exit /b 1
)
exit /b 0

:remove
rem "skua driver stop" first ends the waits of readers; without it the stop is put off until every reader is closed.
if exist "%here%skua.exe" "%here%skua.exe" driver stop
sc stop Skua
sc delete Skua
del "%target%"
exit /b 0
