using DaprPlatform.Sidecar.Introspection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>The state of apps. A change names the version it changes: <c>If-Match</c>, or <c>If-None-Match: *</c> for a key that is not there yet.</summary>
internal static class StateApi
{
    private const string Tag = "State";
    private const int LargestValue = 4 << 20;

    public static void Map(IEndpointRouteBuilder api)
    {
        DaprApi.Look(api.MapGet("/dapr/state", Stores), "listStateStores", "State stores by app.", Tag).Produces<StateStoreView[]>();
        DaprApi.Look(api.MapGet("/dapr/state/{app}/{store}", KeysAsync), "listStateKeys", "Keys of a store as the app knows them; those of the runtime itself only with internal=true.", Tag).Produces<Page<StateKey>>().ProducesProblem(404);
        DaprApi.Look(api.MapGet("/dapr/state/{app}/{store}/{**key}", GetAsync), "getState", "A value with its ETag and the time it expires.", Tag).Produces<StateValue>().ProducesProblem(404);
        DaprApi.Change(api.MapPut("/dapr/state/{app}/{store}/{**key}", SetAsync), ConsoleRole.Admin, "state.set", "setState",
                "Writes a value: the body as it is, over the version in If-Match. ttlSeconds sets the time to live (0: for ever); without it what is left is kept.", Target, call => $"{call.HttpContext.Request.ContentLength ?? 0} bytes", Tag)
            .Produces<StateValue>().ProducesProblem(404).ProducesProblem(412).ProducesProblem(428);
        DaprApi.Change(api.MapDelete("/dapr/state/{app}/{store}/{**key}", DeleteAsync), ConsoleRole.Admin, "state.delete", "deleteState", "Deletes a key of the version in If-Match.", Target, null, Tag)
            .Produces(204).ProducesProblem(404).ProducesProblem(412).ProducesProblem(428);
    }

    private static string Target(EndpointFilterInvocationContext call) => $"{call.HttpContext.Segment(2)}/{call.HttpContext.Segment(3)}/{call.HttpContext.Tail(4)}";

    private static IResult Stores(HttpContext context, CancellationToken cancel) => TypedResults.Ok(context.Runtime("state").State.Stores());

    private static async Task<IResult> KeysAsync(string app, string store, string? prefix, bool? @internal, string? after, int? limit, HttpContext context, CancellationToken cancel)
    {
        var page = await context.Runtime("state").State.KeysAsync(context.Segment(2), context.Segment(3), prefix, @internal ?? false, after, Page<StateKey>.Limit(limit), cancel);
        return TypedResults.Ok(new Page<StateKey>(page.Items, page.Next));
    }

    private static async Task<IResult> GetAsync(string app, string store, string key, HttpContext context, CancellationToken cancel)
    {
        var value = await context.Runtime("state").State.GetAsync(context.Segment(2), context.Segment(3), context.Tail(4), cancel);
        SetTag(context, value.Etag);
        return TypedResults.Ok(value);
    }

    private static async Task<IResult> SetAsync(string app, string store, string key, int? ttlSeconds, HttpContext context, CancellationToken cancel)
    {
        var state = context.Runtime("state").State;
        var condition = Condition(context.Request);
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, cancel);
        if (body.Length > LargestValue)
            throw new ConsoleProblem(StatusCodes.Status413PayloadTooLarge, "too-large", $"A value has at most {LargestValue} bytes.");
        var value = await state.SetAsync(context.Segment(2), context.Segment(3), context.Tail(4), body.ToArray(), condition, ttlSeconds, cancel);
        SetTag(context, value.Etag);
        return TypedResults.Ok(value);
    }

    private static async Task<IResult> DeleteAsync(string app, string store, string key, HttpContext context, CancellationToken cancel)
    {
        var etag = Condition(context.Request).ETag ?? throw Required();
        await context.Runtime("state").State.DeleteAsync(context.Segment(2), context.Segment(3), context.Tail(4), etag, cancel);
        return TypedResults.NoContent();
    }

    private static void SetTag(HttpContext context, string? etag)
    {
        if (etag is not null && etag.All(c => c is > ' ' and < '\x7f' and not '"'))
            context.Response.Headers.ETag = $"\"{etag}\"";
    }

    // The ETag as the store has it; in quotes or not.
    private static StateCondition Condition(HttpRequest request)
    {
        var match = request.Headers.IfMatch.ToString().Trim();
        if (match.Length > 0)
        {
            if (match == "*")
                throw ConsoleProblem.BadRequest("If-Match must name the version: * would overwrite what nobody has looked at.");
            return new StateCondition(match is ['"', .. var inner, '"'] ? inner : match);
        }

        return request.Headers.IfNoneMatch.ToString().Trim() == "*" ? new StateCondition(null) : throw Required();
    }

    private static ConsoleProblem Required() => new(StatusCodes.Status428PreconditionRequired, "precondition-required", "A change of state needs If-Match with the ETag that was read, or If-None-Match: * for a new key.");
}
