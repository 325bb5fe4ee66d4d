using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Bindings;

/// <summary>What is asked of an output binding.</summary>
internal sealed record BindingRequest(string Operation, ReadOnlyMemory<byte> Data, IReadOnlyDictionary<string, string> Metadata);

/// <summary>What an output binding answers; no answer at all is null.</summary>
internal sealed record BindingResponse(ReadOnlyMemory<byte> Data, IReadOnlyDictionary<string, string>? Metadata = null);

/// <summary>An event of an input binding.</summary>
internal sealed record BindingEvent(ReadOnlyMemory<byte> Data, IReadOnlyDictionary<string, string> Metadata);

/// <summary>Something outside that an app can make do things. Safe for concurrent use.</summary>
internal interface IOutputBinding : IComponent
{
    /// <summary>What <see cref="InvokeAsync"/> takes, as users of Dapr see it listed.</summary>
    IReadOnlyList<string> Operations { get; }

    /// <exception cref="BindingException">It cannot be done.</exception>
    ValueTask<BindingResponse?> InvokeAsync(BindingRequest request, CancellationToken cancellationToken);
}

/// <summary>Hands an event to the app and gives its answer; throws when the app does not take it. The token says that the binding ends.</summary>
internal delegate ValueTask<ReadOnlyMemory<byte>> BindingHandler(BindingEvent happened, CancellationToken stopping);

/// <summary>Something outside whose events go to the app.</summary>
internal interface IInputBinding : IComponent
{
    /// <summary>Begins to deliver. Disposing ends that, after the deliveries under way.</summary>
    ValueTask<IAsyncDisposable> BeginAsync(BindingHandler handler, CancellationToken cancellationToken);
}

/// <summary>A binding cannot do what was asked; the message is the component's.</summary>
/// <param name="Metadata">What it can say all the same, such as the status of an answer.</param>
internal sealed class BindingException(string message, IReadOnlyDictionary<string, string>? Metadata = null, Exception? inner = null) : Exception(message, inner)
{
    public IReadOnlyDictionary<string, string>? Metadata { get; } = Metadata;
}

/// <summary>Metadata <c>direction</c>: <c>input</c>, <c>output</c> or both; without it a binding is whatever its type can be.</summary>
internal static class BindingDirection
{
    public static bool IsInput(ComponentSpec spec) => spec.Value("direction") is not { Length: > 0 } direction || Names(direction, "input");

    public static bool IsOutput(ComponentSpec spec) => spec.Value("direction") is not { Length: > 0 } direction || Names(direction, "output");

    /// <summary>It says by itself that it is an input, so that the app need not be asked.</summary>
    public static bool SaysInput(ComponentSpec spec) => spec.Value("direction") is { Length: > 0 } direction && Names(direction, "input");

    private static bool Names(string direction, string which) => direction.Split(',', StringSplitOptions.TrimEntries).Contains(which, StringComparer.OrdinalIgnoreCase);
}
