using System.Text.Json;
using Dapr.DurableTask.Protobuf;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Workflows;
using DaprPlatform.Sidecar.Introspection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>Workflow instances: looking, and acting on them.</summary>
internal static class WorkflowsApi
{
    private const string Tag = "Workflows";

    public static void Map(IEndpointRouteBuilder api)
    {
        DaprApi.Look(api.MapGet("/workflows", ListAsync), "listWorkflows", "Instances of all apps, newest first.", Tag).Produces<WorkflowList>();
        DaprApi.Look(api.MapGet("/workflows/{app}/{id}", GetAsync), "getWorkflow", "An instance, and what it waits for.", Tag).Produces<WorkflowInstanceView>().ProducesProblem(404);
        DaprApi.Look(api.MapGet("/workflows/{app}/{id}/history", HistoryAsync), "getWorkflowHistory", "Its history event by event with the turns, and as steps.", Tag).Produces<WorkflowHistoryView>().ProducesProblem(404);
        Act("raise", RaiseAsync, "raiseWorkflowEvent", "Raises an event.", call => call.GetArgument<RaiseRequest>(2).Event).Produces(204);
        Act("suspend", SuspendAsync, "suspendWorkflow", "Suspends it: events wait until it is resumed. The body may have a reason.", null).Produces(204);
        Act("resume", ResumeAsync, "resumeWorkflow", "Lets a suspended instance go on. The body may have a reason.", null).Produces(204);
        Act("terminate", TerminateAsync, "terminateWorkflow", "Ends it and its children. The body may have an output.", null).Produces(204);
        Act("rerun", RerunAsync, "rerunWorkflow", "Runs an ended instance again from one of its actions, as a new instance.", call => $"from {call.GetArgument<RerunRequest>(2).From}").Produces<RerunAnswer>();
        DaprApi.Change(api.MapDelete("/workflows/{app}/{id}", PurgeAsync), ConsoleRole.Admin, "workflow.purge", "purgeWorkflow", "Removes an instance that has ended, and its children.", Target, null, Tag)
            .Produces<PurgeAnswer>().ProducesProblem(404).ProducesProblem(409).ProducesProblem(503);

        RouteHandlerBuilder Act(string verb, Delegate handler, string name, string summary, Func<EndpointFilterInvocationContext, string?>? detail) =>
            DaprApi.Change(api.MapPost($"/workflows/{{app}}/{{id}}/{verb}", handler), ConsoleRole.Operator, $"workflow.{verb}", name, summary, Target, detail, Tag)
                .ProducesProblem(404).ProducesProblem(409).ProducesProblem(503);
    }

    private static string Target(EndpointFilterInvocationContext call) => $"{call.HttpContext.Segment(1)}/{call.HttpContext.Segment(2)}";

    private static async Task<IResult> ListAsync(string? app, string? status, string? name, string? text, DateTimeOffset? from, DateTimeOffset? to, string? after, int? limit, HttpContext context, CancellationToken cancel)
    {
        var filter = new WorkflowFilter(Given(app), WorkflowViews.Statuses(status), Given(name), Given(text), from, to);
        var most = Page<WorkflowRow>.Limit(limit);
        if (context.Console().Stack.Host.View is { } view)
        {
            var page = await view.Workflows.ListAsync(filter, Given(after), most, cancel);
            return TypedResults.Ok(new WorkflowList([.. page.Items.Select(WorkflowViews.Row)], page.Next, page.Total));
        }

        // Real Dapr lists ids and nothing else: states are asked for one by one, up to the limit.
        using var real = await RealAsync(context, filter.App, cancel);
        var states = await real.Service.ListAsync(most, s => (filter.Statuses?.Contains(s.WorkflowStatus) ?? true) && (filter.Name is null || s.Name == filter.Name)
            && (filter.Text is not { } part || s.InstanceId.Contains(part, StringComparison.OrdinalIgnoreCase) || s.Name.Contains(part, StringComparison.OrdinalIgnoreCase)), cancel);
        return TypedResults.Ok(new WorkflowList([.. states.Select(s => WorkflowViews.Row(Item(real.App, s))).OrderByDescending(r => r.CreatedAt)], null, null));
    }

    private static async Task<IResult> GetAsync(string app, string id, HttpContext context, CancellationToken cancel) => TypedResults.Ok(WorkflowViews.Instance(await FindAsync(context, cancel)));

    private static async Task<IResult> HistoryAsync(string app, string id, HttpContext context, CancellationToken cancel) => TypedResults.Ok(WorkflowViews.History((await FindAsync(context, cancel)).History));

    private static Task<IResult> RaiseAsync(string app, string id, [FromBody] RaiseRequest request, HttpContext context, CancellationToken cancel)
    {
        if (request.Event is not { Length: > 0 } name)
            throw ConsoleProblem.BadRequest("Name the event.");
        var data = request.Data?.ToJsonString();
        return ActAsync(context, (view, of, instance) => view.RaiseAsync(of, instance, name, data, cancel), (service, instance) => service.RaiseAsync(instance, name, data, cancel), cancel);
    }

    private static async Task<IResult> SuspendAsync(string app, string id, HttpContext context, CancellationToken cancel)
    {
        var reason = (await OptionalAsync<ReasonRequest>(context, cancel))?.Reason;
        return await ActAsync(context, (view, of, instance) => view.SuspendAsync(of, instance, reason, cancel), (service, instance) => service.SuspendAsync(instance, reason, cancel), cancel);
    }

    private static async Task<IResult> ResumeAsync(string app, string id, HttpContext context, CancellationToken cancel)
    {
        var reason = (await OptionalAsync<ReasonRequest>(context, cancel))?.Reason;
        return await ActAsync(context, (view, of, instance) => view.ResumeAsync(of, instance, reason, cancel), (service, instance) => service.ResumeAsync(instance, reason, cancel), cancel);
    }

    private static async Task<IResult> TerminateAsync(string app, string id, HttpContext context, CancellationToken cancel)
    {
        var output = (await OptionalAsync<EndRequest>(context, cancel))?.Output?.ToJsonString();
        return await ActAsync(context, (view, of, instance) => view.TerminateAsync(of, instance, output, cancel), (service, instance) => service.TerminateAsync(instance, output, recursive: true, cancel), cancel);
    }

    private static async Task<IResult> RerunAsync(string app, string id, [FromBody] RerunRequest request, HttpContext context, CancellationToken cancel)
    {
        var (of, instance) = (context.Segment(1), context.Segment(2));
        if (request.From is not { } from)
            throw ConsoleProblem.BadRequest("from is the number of the action to run again from.");
        var input = request.Input?.ToJsonString();
        if (context.Console().Stack.Host.View is { } view)
            return TypedResults.Ok(new RerunAnswer(of, await view.Workflows.RerunAsync(of, instance, from, request.NewId, input, cancel)));
        using var real = await RealAsync(context, of, cancel);
        return TypedResults.Ok(new RerunAnswer(of, await real.Service.RerunAsync(instance, from, request.NewId, input, cancel)));
    }

    private static async Task<IResult> PurgeAsync(string app, string id, HttpContext context, CancellationToken cancel)
    {
        var (of, instance) = (context.Segment(1), context.Segment(2));
        if (context.Console().Stack.Host.View is { } view)
            return TypedResults.Ok(new PurgeAnswer(await view.Workflows.PurgeAsync(of, instance, cancel)));
        using var real = await RealAsync(context, of, cancel);
        return TypedResults.Ok(new PurgeAnswer(await real.Service.PurgeAsync(instance, force: false, cancel)));
    }

    private static async Task<IResult> ActAsync(HttpContext context, Func<WorkflowBrowser, string, string, Task> embedded, Func<WorkflowService, string, Task> onReal, CancellationToken cancel)
    {
        var (app, id) = (context.Segment(1), context.Segment(2));
        if (context.Console().Stack.Host.View is { } view)
        {
            await embedded(view.Workflows, app, id);
            return TypedResults.NoContent();
        }

        using var real = await RealAsync(context, app, cancel);
        await onReal(real.Service, id);
        return TypedResults.NoContent();
    }

    // An endpoint that takes a body is passed over by requests without one: they would find none at all.
    private static async Task<T?> OptionalAsync<T>(HttpContext context, CancellationToken cancel) where T : class
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, cancel);
        if (body.Length == 0)
            return null;
        try
        {
            return JsonSerializer.Deserialize<T>(body.ToArray(), ConsoleJson.Options);
        }
        catch (JsonException e)
        {
            throw ConsoleProblem.BadRequest($"The body is malformed: {e.Message}");
        }
    }

    private static async Task<WorkflowDetail> FindAsync(HttpContext context, CancellationToken cancel)
    {
        var (app, id) = (context.Segment(1), context.Segment(2));
        if (context.Console().Stack.Host.View is { } view)
            return await view.Workflows.FindAsync(app, id, cancel) ?? throw ConsoleProblem.NotFound($"{app} has no workflow instance {id}.");
        using var real = await RealAsync(context, app, cancel);
        try
        {
            return new WorkflowDetail(app, await real.Service.GetAsync(id, cancel), await real.Service.HistoryAsync(id, cancel), []);
        }
        catch (CommandException e)
        {
            throw ConsoleProblem.NotFound(e.Message);
        }
    }

    private static async Task<RealWorkflows> RealAsync(HttpContext context, string? app, CancellationToken cancel)
    {
        AppStatus found;
        try
        {
            found = await WorkflowService.AppOfAsync(context.Console().Stack.Status(), app, cancel);
        }
        catch (CommandException e)
        {
            throw ConsoleProblem.BadRequest(e.Message);
        }

        return new RealWorkflows(found.App, new WorkflowService(found.DaprGrpcPort, Environment.GetEnvironmentVariable("DAPR_API_TOKEN") is { Length: > 0 } token ? token : null));
    }

    private static WorkflowItem Item(string app, WorkflowState state) =>
        new(app, state.InstanceId, state.Name, state.WorkflowStatus, state.CreatedTimestamp?.ToDateTimeOffset(), state.LastUpdatedTimestamp?.ToDateTimeOffset(), state.CustomStatus);

    private static string? Given(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();

    private sealed record RealWorkflows(string App, WorkflowService Service) : IDisposable
    {
        public void Dispose() => Service.Dispose();
    }
}
