using System.CommandLine;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Workflows;
using Spectre.Console;

namespace DaprPlatform.Cli.Commands;

/// <summary><c>workflow</c>: looks at the workflow instances of an app and acts on them.</summary>
internal sealed class WorkflowCommand
{
    private const int DefaultLimit = 50;
    private readonly Option<string?> _app = new("--app") { Description = "The app that hosts the workflows; the one with a workflow worker by default." };
    private readonly Option<int?> _port = new("--grpc-port") { Description = "The gRPC port of a sidecar, in place of a stack of this command." };
    private readonly Option<bool> _json = StackOptions.Json();

    public static Command Create()
    {
        var own = new WorkflowCommand();
        return new Command("workflow", "Looks at workflow instances and acts on them.")
        {
            own.List(), own.Show(), own.History(), own.Raise(), own.Terminate(), own.Suspend(), own.Resume(), own.Purge(), own.Rerun(),
        };
    }

    private static Argument<string> Instance() => new("instance") { Description = "The instance's id." };

    private Command List()
    {
        var status = new Option<string?>("--status") { Description = "Only those of a status, such as RUNNING or FAILED." };
        var workflow = new Option<string?>("--workflow") { Description = "Only those of a workflow." };
        var limit = new Option<int>("--limit") { DefaultValueFactory = _ => DefaultLimit, Description = "At most so many." };
        limit.Validators.Add(result => { if (result.GetValue(limit) < 1) result.AddError("--limit must be at least 1"); });
        return Add(new Command("list", "Lists instances in the order of their ids.") { status, workflow, limit }, async (service, parsed, cancel) =>
        {
            var states = await service.ListAsync(parsed.GetValue(limit), state =>
                (parsed.GetValue(status) is not { } wanted || Words.Status(state.WorkflowStatus).Equals(wanted, StringComparison.OrdinalIgnoreCase))
                && (parsed.GetValue(workflow) is not { } name || state.Name == name), cancel);
            if (parsed.GetValue(_json))
                WorkflowPrinter.Json(states.Select(WorkflowPrinter.ToJson));
            else
                new WorkflowPrinter(AnsiConsole.Console).List(states);
        });
    }

    private Command Show()
    {
        var id = Instance();
        return Add(new Command("show", "Shows one instance: status, input, output, failure, and what it waits for.") { id }, async (service, parsed, cancel) =>
        {
            var state = await service.GetAsync(parsed.GetValue(id)!, cancel);
            var steps = Timeline.Of(await service.HistoryAsync(state.InstanceId, cancel));
            if (parsed.GetValue(_json))
                WorkflowPrinter.Json(WorkflowPrinter.ToJson(state));
            else
                new WorkflowPrinter(AnsiConsole.Console).Show(state, steps);
        });
    }

    private Command History()
    {
        var id = Instance();
        return Add(new Command("history", "Shows the time line of an instance: each activity, child, timer and event, when it began and how long it took.") { id }, async (service, parsed, cancel) =>
        {
            var steps = Timeline.Of(await service.HistoryAsync(parsed.GetValue(id)!, cancel));
            if (parsed.GetValue(_json))
                WorkflowPrinter.Json(steps.Select(WorkflowPrinter.ToJson));
            else
                new WorkflowPrinter(AnsiConsole.Console).History(parsed.GetValue(id)!, steps);
        });
    }

    private Command Raise()
    {
        var id = Instance();
        var name = new Argument<string>("event") { Description = "The event's name." };
        var data = new Argument<string?>("data") { Arity = ArgumentArity.ZeroOrOne, Description = "Its data, normally JSON." };
        return Act(new Command("raise", "Raises an event.") { id, name, data }, id, "raised", (actions, parsed, cancel) => actions.RaiseAsync(parsed.GetValue(id)!, parsed.GetValue(name)!, parsed.GetValue(data), cancel));
    }

    private Command Terminate()
    {
        var id = Instance();
        var output = new Option<string?>("--output") { Description = "The output it ends with, normally JSON." };
        var alone = new Option<bool>("--alone") { Description = "Leave its children running." };
        return Act(new Command("terminate", "Ends an instance and its children.") { id, output, alone }, id, "terminated",
            (actions, parsed, cancel) => actions.TerminateAsync(parsed.GetValue(id)!, parsed.GetValue(output), !parsed.GetValue(alone), cancel));
    }

    private Command Suspend()
    {
        var id = Instance();
        var reason = new Option<string?>("--reason") { Description = "Goes into the history." };
        return Act(new Command("suspend", "Suspends an instance: events wait until it is resumed.") { id, reason }, id, "suspended", (actions, parsed, cancel) => actions.SuspendAsync(parsed.GetValue(id)!, parsed.GetValue(reason), cancel));
    }

    private Command Resume()
    {
        var id = Instance();
        var reason = new Option<string?>("--reason") { Description = "Goes into the history." };
        return Act(new Command("resume", "Lets a suspended instance go on.") { id, reason }, id, "resumed", (actions, parsed, cancel) => actions.ResumeAsync(parsed.GetValue(id)!, parsed.GetValue(reason), cancel));
    }

    private Command Purge()
    {
        var id = Instance();
        var force = new Option<bool>("--force") { Description = "Also one that has not ended." };
        return Change(new Command("purge", "Removes an instance that has ended, and its children.") { id, force }, async (actions, parsed, cancel) =>
        {
            var removed = await actions.PurgeAsync(parsed.GetValue(id)!, parsed.GetValue(force), cancel);
            if (parsed.GetValue(_json))
                WorkflowPrinter.Json(new { id = parsed.GetValue(id), removed });
            else
                AnsiConsole.WriteLine($"{removed} removed");
        });
    }

    private Command Rerun()
    {
        var id = Instance();
        var from = new Argument<uint>("action") { Description = "The number of the activity, timer or child to run again from, as history shows it." };
        var newId = new Option<string?>("--id") { Description = "The id of the new instance; made up by default." };
        var input = new Option<string?>("--input") { Description = "Another input for that action, normally JSON." };
        return Change(new Command("rerun", "Runs an ended instance again from one of its actions, as a new instance.") { id, from, newId, input }, async (actions, parsed, cancel) =>
        {
            var made = await actions.RerunAsync(parsed.GetValue(id)!, parsed.GetValue(from), parsed.GetValue(newId), parsed.GetValue(input), cancel);
            if (parsed.GetValue(_json))
                WorkflowPrinter.Json(new { id = made });
            else
                AnsiConsole.WriteLine($"runs as {made}");
        });
    }

    private Command Act(Command command, Argument<string> id, string done, Func<IWorkflowActions, ParseResult, CancellationToken, Task> run) => Change(command, async (actions, parsed, cancel) =>
    {
        await run(actions, parsed, cancel);
        if (parsed.GetValue(_json))
            WorkflowPrinter.Json(new { id = parsed.GetValue(id), done });
        else
            AnsiConsole.WriteLine($"{parsed.GetValue(id)}: {done}");
    });

    private Command Add(Command command, Func<WorkflowService, ParseResult, CancellationToken, Task> run) => Add(command, (service, _, parsed, cancel) => run(service, parsed, cancel));

    private Command Change(Command command, Func<IWorkflowActions, ParseResult, CancellationToken, Task> run) => Add(command, (_, actions, parsed, cancel) => run(actions, parsed, cancel));

    private Command Add(Command command, Func<WorkflowService, IWorkflowActions, ParseResult, CancellationToken, Task> run)
    {
        command.Options.Add(_app);
        command.Options.Add(_port);
        command.Options.Add(_json);
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var token = Environment.GetEnvironmentVariable("DAPR_API_TOKEN") is { Length: > 0 } given ? given : null;
            if (parsed.GetValue(_port) is { } port)
            {
                using var sidecar = new WorkflowService(port, token);
                await run(sidecar, sidecar, parsed, cancel);
                return 0;
            }

            using var control = new ControlClient(stack.Data(parsed, Repository.Find()).Socket);
            var status = await control.StatusAsync(cancel) ?? throw new CommandException("Nothing runs: start it with ./platform up, or name a sidecar with --grpc-port.");
            var app = await WorkflowService.AppOfAsync(status, parsed.GetValue(_app), cancel);
            using var service = new WorkflowService(app.DaprGrpcPort, token);
            await run(service, new ConsoleWorkflows(control, app.App, service), parsed, cancel);
            return 0;
        });
        return command;
    }
}
