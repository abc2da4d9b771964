@echo off
rem Records a running sink with xperf, where the Windows Performance Toolkit is installed: what record.cmd does with wpr.
rem
rem   record-xperf.cmd light^|stacks^|drops SECONDS TRACE.etl
rem
rem As Administrator.
setlocal

set "kernel="
set "stacks="
set "stack_providers="
if /i "%~1"=="light" set "kernel=PROC_THREAD+LOADER+DPC+INTERRUPT+PROFILE"
if /i "%~1"=="stacks" set "kernel=PROC_THREAD+LOADER+DPC+INTERRUPT+PROFILE+CSWITCH+DISPATCHER"
if /i "%~1"=="stacks" set "stacks=-stackwalk Profile+CSwitch+ReadyThread"
if /i "%~1"=="drops" set "kernel=PROC_THREAD+LOADER"
if /i "%~1"=="drops" set "stack_providers=+Microsoft-Windows-TCPIP::3+Microsoft-Windows-NDIS::3"
if not defined kernel goto usage
if "%~2"=="" goto usage
if "%~3"=="" goto usage
if not "%~4"=="" goto usage
set /a wait=%~2 + 1
if %wait% LSS 2 goto usage
set "trace=%~3"
if not defined SKUA set "SKUA=skua"

call xperf -on %kernel% %stacks% -BufferSize 1024 -MinBuffers 256 -MaxBuffers 512 -f "%trace%.kernel.etl"
if errorlevel 1 goto not_started
rem The driver's provider, without its keyword DATAGRAM (0x8).
call xperf -start Skua -on 57b95522-743e-5505-6f67-b0acca0befeb:0x7:4%stack_providers% -f "%trace%.skua.etl"
if errorlevel 1 goto not_started_skua

call "%SKUA%" stats >"%trace%.before.txt"
if errorlevel 1 echo record-xperf.cmd: skua stats failed: give summarise.cmd the number of datagrams yourself
rem ping, because timeout wants a console.
ping -n %wait% 127.0.0.1 >nul
call "%SKUA%" stats >"%trace%.after.txt"

call xperf -stop Skua
call xperf -stop
call xperf -merge "%trace%.kernel.etl" "%trace%.skua.etl" "%trace%"
if errorlevel 1 goto not_stopped
del "%trace%.kernel.etl" "%trace%.skua.etl"
echo record-xperf.cmd: wrote %trace%; summarise.cmd "%trace%" reads it, and so does wpa
exit /b 0

:usage
echo usage: record-xperf.cmd light^|stacks^|drops SECONDS TRACE.etl 1>&2
exit /b 2

:not_started_skua
call xperf -stop
:not_started
echo record-xperf.cmd: xperf did not start. It takes an Administrator, and no other kernel logger: xperf -stop ends one 1>&2
exit /b 1

:not_stopped
echo record-xperf.cmd: xperf did not write %trace%; its parts are %trace%.kernel.etl and %trace%.skua.etl 1>&2
exit /b 1
