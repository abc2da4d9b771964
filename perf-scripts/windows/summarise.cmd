@echo off
rem Says what a trace of record.cmd or record-xperf.cmd holds: first what it lost, then processor time by module, in DPCs and
rem interrupts and by samples, and per datagram.
rem
rem   summarise.cmd TRACE.etl [DATAGRAMS]
rem
rem Takes xperf, of the Windows Performance Toolkit. DATAGRAMS are those that were received during the trace, unless the files
rem that record.cmd leaves beside it say. Set _NT_SYMBOL_PATH to a folder with skua.pdb to have functions named.
setlocal enableextensions disabledelayedexpansion

if "%~1"=="" goto usage
set "trace=%~1"
if not exist "%trace%" goto no_trace
set "out=%trace%.tmp"
set "datagrams=%~2"
if not defined datagrams call :difference

rem What was lost comes before every number: it is missing in all of them.
call xperf -i "%trace%" -tle -a tracestats >"%out%"
if errorlevel 1 goto no_xperf
set "lost_events="
set "lost_buffers="
for /f "usebackq tokens=1,2 delims=:" %%a in ("%out%") do call :lost "%%a" "%%b"
if not defined lost_events goto no_loss
echo lost: %lost_events% events, %lost_buffers% buffers
if not "%lost_events%%lost_buffers%"=="00" echo      what follows is less than what was: record again, with more buffers or fewer events
if defined datagrams (echo datagrams: %datagrams%) else (echo datagrams: not known, so nothing is said per datagram)

call xperf -i "%trace%" -tle -a dpcisr >"%out%"
if errorlevel 1 goto no_xperf
set "kind="
set "table="
for /f "usebackq delims=" %%l in ("%out%") do call :dpcisr "%%l"

set "symbols="
if defined _NT_SYMBOL_PATH set "symbols=-symbols"
call xperf -i "%trace%" -tle %symbols% -a profile -detail >"%out%"
if errorlevel 1 goto no_xperf
set "modules="
for /f "usebackq tokens=1-3,* delims=," %%a in ("%out%") do call :sample "%%a" "%%b" "%%d"
echo.
echo samples: microseconds by module, whatever ran there: thread, DPC or interrupt; without the idle process
for %%m in (%modules%) do call :module "%%m"
echo.
echo samples in skua.sys: process, microseconds, percent of all processors, function
type "%out%" | find "skua.sys"
del "%out%"
exit /b 0

rem ---- what was received: the last nine digits suffice for a difference
:difference
if not exist "%trace%.before.txt" goto :eof
if not exist "%trace%.after.txt" goto :eof
set "total=0"
for /f "usebackq tokens=1,2 delims=, " %%a in ("%trace%.before.txt") do if "%%a"=="indicated" call :add - %%b
for /f "usebackq tokens=1,2 delims=, " %%a in ("%trace%.after.txt") do if "%%a"=="indicated" call :add + %%b
if %total% LSS 0 set /a total=total+1000000000
if %total% GTR 0 set "datagrams=%total%"
goto :eof

:add
set "digits=000000000%2"
set "digits=%digits:~-9%"
rem A leading 0 would make it octal.
set /a "total=total%1(1%digits%-1000000000)"
goto :eof

rem ---- tracestats: "Total # Lost Events : 0"
:lost
set "label=%~1"
set "value=%~2"
if not defined value goto :eof
set "value=%value: =%"
if "%label:~0,19%"=="Total # Lost Events" set "lost_events=%value%"
if "%label:~0,20%"=="Total # Lost Buffers" set "lost_buffers=%value%"
goto :eof

rem ---- dpcisr: under each heading a table with "usec %" of each processor and the module last, up to "Total ="
:dpcisr
set "line=%~1"
if "%line%"=="DPC Info" set "kind=DPCs"
if "%line%"=="Interrupt Info" set "kind=interrupts"
if "%line:~0,47%"=="CPU Usage Summing By Module For the Whole Trace" goto table
if "%line:~0,7%"=="Total =" set "table="
if not defined table goto :eof
set "usec=0"
set "rest=%line%"
:processor
set "first="
set "rest_after="
for /f "tokens=1,* delims=, " %%a in ("%rest%") do (
	set "first=%%a"
	set "rest_after=%%b"
)
if not defined rest_after goto row
rem A heading has no number there.
set /a "number=first+0" 2>nul
if not "%number%"=="%first%" goto :eof
set /a "usec=usec+first"
set "rest="
for /f "tokens=1,* delims=, " %%a in ("%rest_after%") do set "rest=%%b"
if defined rest goto processor
goto :eof
:row
if %usec% GTR 0 call :print %usec% "%first%"
goto :eof
:table
echo.
echo %kind%: microseconds by the module whose routine it was; what that calls, skua.sys say, is in it
set "table=1"
goto :eof

rem ---- profile -detail: process (id), microseconds, percent, module[!function]
:sample
if "%~1"=="Idle (0)" goto :eof
set "usec=%~2"
if not defined usec goto :eof
set "usec=%usec: =%"
set "module="
for /f "tokens=1 delims=! " %%m in ("%~3") do set "module=%%~m"
if not defined module goto :eof
set /a "number=usec+0" 2>nul
if not "%number%"=="%usec%" goto :eof
if not defined sum_%module% set "modules=%modules% %module%"
if not defined sum_%module% set "sum_%module%=0"
call set "before=%%sum_%module%%%"
set /a "after=before+usec"
set "sum_%module%=%after%"
goto :eof

:module
call set "usec=%%sum_%~1%%"
if %usec% GTR 0 call :print %usec% "%~1"
goto :eof

rem ---- one row, with nanoseconds per datagram
:print
set "each="
if not defined datagrams goto row_printed
set /a thousands=datagrams/1000
if %thousands% LSS 100 goto row_printed
set /a each_ns=%1/thousands
set /a "tenths=(%1 %% thousands)*10/thousands"
set "each=, %each_ns%.%tenths% ns a datagram"
:row_printed
set "padded=          %1"
echo %padded:~-12%  %~2%each%
goto :eof

:usage
echo usage: summarise.cmd TRACE.etl [DATAGRAMS] 1>&2
exit /b 2
:no_trace
echo summarise.cmd: %trace% is not there 1>&2
exit /b 1
:no_xperf
echo summarise.cmd: xperf could not read %trace%. It comes with the Windows Performance Toolkit of the Windows ADK 1>&2
exit /b 1
:no_loss
echo summarise.cmd: xperf did not say what was lost, so no number of this trace can be believed 1>&2
exit /b 1
