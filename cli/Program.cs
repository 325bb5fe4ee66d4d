using System.CommandLine;
using DaprPlatform.Cli;
using DaprPlatform.Cli.Commands;
using DaprPlatform.Cli.RunFiles;

using var stop = new StopSignals();
ConsoleSetup.Prepare();
try
{
    var root = new RootCommand("Runs the commerce platform on this machine: its services, their Dapr sidecars and PostgreSQL.")
    {
        AuditCommand.Create(),
        UpCommand.Create(),
        LogsCommand.Create(),
        DoctorCommand.Create(),
        BenchCommand.Create(),
        WorkflowCommand.Create(),
        KubernetesCommand.Create(),
        ImageCommand.Create(),
        LoadTestCommand.Create(),
        PublishCommand.Create(),
        ChaosCommand.Create(),
        ConfigCommand.Create(),
        ConsoleCommand.Create(),
        DlqCommand.Create(),
        SimulateCommand.Create(),
        TestCommand.Create(),
    };
    foreach (var command in ControlCommands.Create().Concat(RetailCommands.Create()))
        root.Subcommands.Add(command);
    return await root.Parse(args).InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, stop.Token);
}
catch (Exception e) when (e is CommandException or RunFileException)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 1;
}
catch (CalledOffException e)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 130;
}
catch (OperationCanceledException) when (stop.Token.IsCancellationRequested)
{
    return 130;
}
catch (Exception e)
{
    // A fault of this program, not of what it was asked: said whole, and the process ends in order.
    await Console.Error.WriteLineAsync(e.ToString());
    return 70;
}
