using System.CommandLine;
using DaprPlatform.Cli;
using DaprPlatform.Cli.Commands;

using var stop = new StopSignals();
try
{
    var root = new RootCommand("Runs the commerce platform on this machine: its services, their Dapr sidecars and PostgreSQL.") { TestCommand.Create() };
    return await root.Parse(args).InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, stop.Token);
}
catch (CommandException e)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 1;
}
catch (OperationCanceledException) when (stop.Token.IsCancellationRequested)
{
    return 130;
}
