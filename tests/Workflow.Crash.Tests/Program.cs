using DaprPlatform.Workflow.Crash.Tests;
using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

if (args is [RuntimeProcess.Command, .. var runtime])
    return await RuntimeProcess.RunAsync(runtime);
if (args is [WorkerProcess.Command, .. var worker])
    return await WorkerProcess.RunAsync(worker);
if (args.Any(argument => argument is "--server" or "--internal-msbuild-node"))
    return await TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
return await ConsoleRunner.Run(args);
