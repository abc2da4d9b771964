@echo off
rem Records a running sink with Windows Performance Recorder, which comes with Windows 10 and later.
rem
rem   record.cmd light^|stacks^|drops SECONDS TRACE.etl
rem
rem As Administrator. Beside the trace, TRACE.etl.before.txt and TRACE.etl.after.txt are what `skua stats` said at both ends:
rem summarise.cmd takes the number of datagrams from them.
setlocal

set "profile="
if /i "%~1"=="light" set "profile=SkuaLight"
if /i "%~1"=="stacks" set "profile=SkuaStacks"
if /i "%~1"=="drops" set "profile=SkuaDrops"
if not defined profile goto usage
if "%~2"=="" goto usage
if "%~3"=="" goto usage
if not "%~4"=="" goto usage
set /a wait=%~2 + 1
if %wait% LSS 2 goto usage
set "trace=%~3"
if not defined SKUA set "SKUA=skua"

call wpr -start "%~dp0skua.wprp!%profile%" -filemode
if errorlevel 1 goto not_started

call "%SKUA%" stats >"%trace%.before.txt"
if errorlevel 1 echo record.cmd: skua stats failed: give summarise.cmd the number of datagrams yourself
rem ping, because timeout wants a console.
ping -n %wait% 127.0.0.1 >nul
call "%SKUA%" stats >"%trace%.after.txt"

rem What was dropped is said first, and while it can still be seen by collector.
call wpr -status
call wpr -stop "%trace%" "Skua, profile %profile%"
if errorlevel 1 goto not_stopped
echo record.cmd: wrote %trace%; summarise.cmd "%trace%" reads it, and so does wpa
exit /b 0

:usage
echo usage: record.cmd light^|stacks^|drops SECONDS TRACE.etl 1>&2
exit /b 2

:not_started
echo record.cmd: wpr did not start. It takes an Administrator, and nothing else that records: wpr -cancel ends what does 1>&2
exit /b 1

:not_stopped
echo record.cmd: wpr did not write %trace% 1>&2
exit /b 1
