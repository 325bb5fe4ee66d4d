using DaprPlatform.Daprd;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.StandIns;

BundledSqlite.Use();
if (args is ["stand-in", .. var standIn])
    return await StandInProcess.RunAsync(standIn).ConfigureAwait(false);
if (args is ["config-set", .. var item])
    return await ConfigSet.RunAsync(item).ConfigureAwait(false);

Flags flags;
try
{
    flags = Flags.Parse(args);
}
catch (FlagException e)
{
    await Console.Error.WriteLineAsync(e.Message).ConfigureAwait(false);
    return 2;
}

if (flags.Has("version"))
{
    Console.WriteLine(SidecarRuntime.DaprVersion);
    return 0;
}

if (flags.Has("build-info"))
{
    Console.WriteLine($"Version: {SidecarRuntime.DaprVersion}\nGit Commit: embedded\nGit Version: v{SidecarRuntime.DaprVersion}");
    return 0;
}

if (flags.Has("wait"))
    return await SidecarWait.RunAsync(int.TryParse(flags.Text("dapr-http-port"), System.Globalization.CultureInfo.InvariantCulture, out var port) ? port : 3500).ConfigureAwait(false);

return await DaprdProcess.RunAsync(flags).ConfigureAwait(false);
