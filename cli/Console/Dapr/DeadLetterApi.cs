using System.Text.Json.Nodes;
using DaprPlatform.Cli.DeadLetters;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.Cli.OpsConsole;

/// <summary>Events that consumers could not process.</summary>
internal static class DeadLetterApi
{
    private const string Tag = "Dead letters";

    public static void Map(IEndpointRouteBuilder api)
    {
        DaprApi.Look(api.MapGet("/dead-letters", List), "listDeadLetters", "Dead letters that were neither replayed nor dropped; with all=true every one.", Tag).Produces<DeadLetter[]>();
        DaprApi.Look(api.MapGet("/dead-letters/{**id}", Get), "getDeadLetter", "One dead letter with its event.", Tag).Produces<DeadLetter>().ProducesProblem(404);
        DaprApi.Change(api.MapPost("/dead-letters/replay", ReplayAsync), ConsoleRole.Operator, "deadLetters.replay", "replayDeadLetters",
                "Publishes dead letters again, each to its own topic under its own id; one of them may be edited.", call => Ids(call.GetArgument<ReplayRequest>(0).Ids), call => call.GetArgument<ReplayRequest>(0).Event is null ? null : "edited", Tag)
            .Produces<ReplayAnswer>().ProducesProblem(404);
        DaprApi.Change(api.MapPost("/dead-letters/drop", DropAsync), ConsoleRole.Operator, "deadLetters.drop", "dropDeadLetters", "Takes dead letters off the list; the topic keeps them until its retention ends.",
            call => Ids(call.GetArgument<DropRequest>(0).Ids), null, Tag).Produces<DropAnswer>().ProducesProblem(404);
    }

    private static DeadLetterBox Box(HttpContext context) => context.Console().Stack.DeadLetters ?? throw RuntimeEndpoints.NotVisible("With real Dapr (--engine dapr) dead letters are in the broker: use its own tools.");

    private static IResult List(bool? all, HttpContext context, CancellationToken cancel) => TypedResults.Ok(Box(context).List(all ?? false));

    private static IResult Get(string id, HttpContext context, CancellationToken cancel) =>
        Box(context).Find(context.Tail(1)) is { } letter ? TypedResults.Ok(letter) : throw ConsoleProblem.NotFound($"There is no dead letter {context.Tail(1)}.");

    private static async Task<IResult> ReplayAsync([FromBody] ReplayRequest request, HttpContext context, CancellationToken cancel)
    {
        if (request.Ids is not { Count: > 0 } ids)
            throw ConsoleProblem.BadRequest("Name the dead letters: ids.");
        if (request.Event is not null && ids.Count != 1)
            throw ConsoleProblem.BadRequest("An edited event goes with one id.");
        try
        {
            return TypedResults.Ok(new ReplayAnswer(await Box(context).ReplayAsync(ids, cancel, request.Event)));
        }
        catch (CommandException e)
        {
            throw ConsoleProblem.NotFound(e.Message);
        }
    }

    private static async Task<IResult> DropAsync([FromBody] DropRequest request, HttpContext context, CancellationToken cancel)
    {
        if (request.Ids is not { Count: > 0 } ids)
            throw ConsoleProblem.BadRequest("Name the dead letters: ids.");
        try
        {
            return TypedResults.Ok(new DropAnswer(await Box(context).DropAsync(ids, cancel)));
        }
        catch (CommandException e)
        {
            throw ConsoleProblem.NotFound(e.Message);
        }
    }

    private static string Ids(IReadOnlyList<string>? ids) => string.Join(", ", ids ?? []);
}

/// <param name="Event">The edited event, which keeps its id; null: as it was.</param>
internal sealed record ReplayRequest(IReadOnlyList<string>? Ids, JsonNode? Event);

internal sealed record ReplayAnswer(int Replayed);

internal sealed record DropRequest(IReadOnlyList<string>? Ids);

internal sealed record DropAnswer(int Dropped);
