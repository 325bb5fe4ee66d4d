using DaprPlatform.Sidecar.Invocation;
using Microsoft.Extensions.Primitives;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>One call of a method of an actor, whichever way it came in.</summary>
/// <param name="Method">Decoded and cleaned.</param>
/// <param name="Query">Verbatim, without <c>?</c>.</param>
/// <param name="Headers">End-to-end headers of the caller, Content-Type among them; trace context left out.</param>
internal sealed record ActorCall(string Type, string Id, string Method, string Query, IReadOnlyList<KeyValuePair<string, StringValues>> Headers, ReadOnlyMemory<byte> Body)
{
    public const string ReentrancyHeader = "Dapr-Reentrancy-Id";

    /// <summary>The sidecar where the call began.</summary>
    public required Caller Caller { get; init; }

    public TraceHeaders Trace { get; init; }

    /// <summary>Value of a header; null where there is none.</summary>
    public string? Header(string name)
    {
        foreach (var (key, value) in Headers)
        {
            if (key.Equals(name, StringComparison.OrdinalIgnoreCase))
                return value.ToString();
        }

        return null;
    }
}

/// <summary>What the actor's app answered with status 200.</summary>
/// <param name="Headers">End-to-end headers.</param>
internal sealed record ActorAnswer(IReadOnlyList<KeyValuePair<string, string>> Headers, ReadOnlyMemory<byte> Body)
{
    public const string FaultHeader = "X-Daprerrorresponseheader";

    /// <summary>The actor has thrown: the answer is its exception.</summary>
    public bool IsFault => Header(FaultHeader) is not null;

    public string? Header(string name)
    {
        foreach (var (key, value) in Headers)
        {
            if (key.Equals(name, StringComparison.OrdinalIgnoreCase))
                return value;
        }

        return null;
    }
}

/// <summary>The tick of a reminder or a timer, as the app is told it.</summary>
/// <param name="DueTime">As it was given; of a reminder empty.</param>
/// <param name="Period">As it was given; of a reminder empty.</param>
/// <param name="Data">JSON; null: none was given.</param>
internal sealed record ActorTick(string Name, string DueTime, string Period, string Callback, ReadOnlyMemory<byte>? Data);

/// <summary>
/// The app that hosts actors, over whichever way it is reached. Every method is called within a turn of the actor; a refusal is an <see cref="ActorCallException"/>.
/// </summary>
internal interface IActorApp
{
    ValueTask<ActorAnswer> InvokeAsync(ActorCall call, string? reentrancyId, CancellationToken cancellationToken);

    ValueTask RemindAsync(string type, string id, ActorTick tick, CancellationToken cancellationToken);

    ValueTask TimerAsync(string type, string id, ActorTick tick, CancellationToken cancellationToken);

    /// <summary>The actor is not needed any more.</summary>
    ValueTask DeactivateAsync(string type, string id, CancellationToken cancellationToken);
}
