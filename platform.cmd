@echo off
rem Builds the command when its sources changed, then runs it. The same as ./platform, for Windows.
setlocal
set "ROOT=%~dp0"
where dotnet >nul 2>nul || (
  echo The .NET SDK is missing: install .NET 10 from https://dot.net and open a new terminal. 1>&2
  exit /b 1
)
set "APP=%ROOT%cli\bin\Release\net10.0\platform.dll"
set "VERB=%~1"
if exist "%APP%" (
  for %%v in (status logs stop restart down reset doctor) do if /i "%VERB%"=="%%v" goto run
)
dotnet build "%ROOT%cli\DaprPlatform.Cli.csproj" -c Release -v q -nologo -clp:ErrorsOnly || exit /b 1
:run
set "DAPR_PLATFORM_ROOT=%ROOT:~0,-1%"
dotnet "%APP%" %*
exit /b %ERRORLEVEL%
