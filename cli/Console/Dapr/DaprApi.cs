using DaprPlatform.Sidecar.Introspection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>What the sidecars are made of and what they hold.</summary>
internal static class DaprApi
{
    private const string Tag = "Dapr";

    public static void Map(IEndpointRouteBuilder api)
    {
        Look(api.MapGet("/dapr/components", ComponentsAsync), "listComponents", "Components, what stands for them, and who has them. Secrets are ***.").Produces<ComponentView[]>();
        Look(api.MapGet("/dapr/configurations", Configurations), "listConfigurations", "Configurations in force.").Produces<ConfigurationView[]>();
        Look(api.MapGet("/dapr/subscriptions", SubscriptionsAsync), "listSubscriptions", "What each app gets, and where it is routed.").Produces<SubscriptionView[]>();
        Look(api.MapGet("/dapr/topics", Topics), "listTopics", "Topics with their partitions, and how far consumer groups have read.").Produces<TopicView[]>();
        Look(api.MapGet("/dapr/topics/{server}/{topic}/messages", Messages), "listMessages", "Messages of a topic: from an offset of a partition on, else the newest.").Produces<Page<TopicEntry>>().ProducesProblem(404);
        Look(api.MapGet("/dapr/configuration", SettingsAsync), "listSettings", "Items of the configuration stores.").Produces<SettingView[]>();
        Change(api.MapPut("/dapr/configuration/{store}/{**key}", SetSettingAsync), ConsoleRole.Operator, "configuration.set", "setSetting", "Sets an item; apps that follow it are told at once.",
            call => $"{call.HttpContext.Segment(2)}/{call.HttpContext.Tail(3)}").Produces(204).ProducesProblem(404);
        Look(api.MapGet("/dapr/locks", LocksAsync), "listLocks", "Locks that are held.").Produces<LockView[]>();
        Look(api.MapGet("/dapr/jobs", JobsAsync), "listJobs", "Jobs of apps, by app and name.").Produces<Page<JobView>>();
        Look(api.MapGet("/dapr/reminders", RemindersAsync), "listReminders", "Reminders of actors, by type, actor and name.").Produces<Page<ReminderView>>();
        Look(api.MapGet("/dapr/actors", ActorsAsync), "listActors", "Actor types and how many of each are active; entities=TYPE names those of a type.").Produces<ActorTypeView[]>();
        Look(api.MapGet("/dapr/resiliency", Resiliency), "getResiliency", "Policies, targets, and how the circuit breakers stand.").Produces<ResiliencyView>();
        Look(api.MapGet("/dapr/calls", CallsAsync), "listCalls", "Calls of apps to their sidecars per second, by building block.").Produces<CallRate[]>();
    }

    internal static RouteHandlerBuilder Look(RouteHandlerBuilder endpoint, string name, string summary, string tag = Tag) =>
        endpoint.RequireRole(ConsoleRole.Viewer).Translated().WithName(name).WithSummary(summary).WithTags(tag).ProducesProblem(501);

    internal static RouteHandlerBuilder Change(RouteHandlerBuilder endpoint, ConsoleRole role, string action, string name, string summary, Func<EndpointFilterInvocationContext, string?>? target = null,
        Func<EndpointFilterInvocationContext, string?>? detail = null, string tag = Tag) =>
        endpoint.RequireRole(role).Audited(action, target, detail).Translated().WithName(name).WithSummary(summary).WithTags(tag).ProducesProblem(501);

    private static async Task<IResult> ComponentsAsync(HttpContext context, CancellationToken cancel) =>
        TypedResults.Ok(context.Console().Stack.Host.View?.Resources.Components() ?? await SidecarMetadata.ComponentsAsync(context.Console().Stack.Status(), cancel));

    private static IResult Configurations(HttpContext context, CancellationToken cancel) => TypedResults.Ok(context.Runtime("configurations").Resources.Configurations());

    private static async Task<IResult> SubscriptionsAsync(HttpContext context, CancellationToken cancel) =>
        TypedResults.Ok(context.Console().Stack.Host.View?.Resources.Subscriptions() ?? await SidecarMetadata.SubscriptionsAsync(context.Console().Stack.Status(), cancel));

    private static IResult Topics(HttpContext context, CancellationToken cancel) => TypedResults.Ok(context.Runtime("topics").Topics.List());

    private static IResult Messages(string server, string topic, int? partition, long? from, int? limit, HttpContext context, CancellationToken cancel)
    {
        var page = context.Runtime("topics").Topics.Messages(context.Segment(2), context.Segment(3), partition, from, Page<TopicEntry>.Limit(limit));
        return TypedResults.Ok(new Page<TopicEntry>(page.Items, page.Next));
    }

    private static async Task<IResult> SettingsAsync(HttpContext context, CancellationToken cancel) =>
        TypedResults.Ok(context.Console().Stack.Host.View is { } view ? await view.Settings.ListAsync(cancel) : await SidecarMetadata.SettingsAsync(context.Console().Stack.Status(), cancel));

    private static async Task<IResult> SetSettingAsync(string store, string key, [FromBody] SettingChange change, HttpContext context, CancellationToken cancel)
    {
        if (change.Value is null)
            throw ConsoleProblem.BadRequest("The body needs a value.");
        await context.Runtime("values of a real configuration store").Settings.SetAsync(context.Segment(2), context.Tail(3), change.Value, cancel);
        return TypedResults.NoContent();
    }

    private static async Task<IResult> LocksAsync(HttpContext context, CancellationToken cancel) => TypedResults.Ok(await context.Runtime("locks").Work.LocksAsync(Page<LockView>.LargestLimit, cancel));

    private static async Task<IResult> JobsAsync(string? after, int? limit, HttpContext context, CancellationToken cancel)
    {
        var page = await context.Runtime("jobs").Work.JobsAsync(after, Page<JobView>.Limit(limit), cancel);
        return TypedResults.Ok(new Page<JobView>(page.Items, page.Next));
    }

    private static async Task<IResult> RemindersAsync(string? after, int? limit, HttpContext context, CancellationToken cancel)
    {
        var page = await context.Runtime("reminders").Work.RemindersAsync(after, Page<ReminderView>.Limit(limit), cancel);
        return TypedResults.Ok(new Page<ReminderView>(page.Items, page.Next));
    }

    private static async Task<IResult> ActorsAsync(string? entities, HttpContext context, CancellationToken cancel) =>
        TypedResults.Ok(context.Console().Stack.Host.View?.Work.Actors(entities) ?? await SidecarMetadata.ActorsAsync(context.Console().Stack.Status(), cancel));

    private static IResult Resiliency(HttpContext context, CancellationToken cancel) => TypedResults.Ok(context.Runtime("circuit breakers").Policies.Look());

    private static async Task<IResult> CallsAsync(HttpContext context, CancellationToken cancel) => TypedResults.Ok(await context.Runtime("calls by building block").Calls.NowAsync(cancel));
}

/// <summary>The body that sets an item.</summary>
internal sealed record SettingChange(string? Value);
