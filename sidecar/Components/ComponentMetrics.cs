using System.Diagnostics;
using DaprPlatform.Sidecar.Observability;

namespace DaprPlatform.Sidecar.Components;

/// <summary>Counting what components are asked for.</summary>
internal static class ComponentMetrics
{
    /// <summary>Runs an operation of a component and counts it with its duration.</summary>
    /// <param name="kind">As in the series' names, such as <c>secret</c>.</param>
    public static async ValueTask<T> MeasureAsync<T>(this DaprMetrics metrics, string kind, string component, string operation, Func<ValueTask<T>> run)
    {
        using var counted = new CountedOperation(metrics, kind, component, operation);
        return counted.Done(await run().ConfigureAwait(false));
    }
}

/// <summary>Counts an operation of a component when it is disposed of: as a success after <see cref="Done()"/>.</summary>
internal sealed class CountedOperation(DaprMetrics metrics, string kind, string component, string operation) : IDisposable
{
    private readonly long _start = Stopwatch.GetTimestamp();
    private bool _success;

    public void Done() => _success = true;

    public T Done<T>(T result)
    {
        _success = true;
        return result;
    }

    public void Dispose() => metrics.Component(kind, component, operation, _success, Stopwatch.GetElapsedTime(_start).TotalMilliseconds);
}
