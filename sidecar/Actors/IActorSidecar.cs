using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Resiliency;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>A sidecar that hosts actors, as a caller sees it.</summary>
internal interface IActorSidecar
{
    /// <exception cref="ActorMovedException">The actor is somewhere else by now.</exception>
    /// <exception cref="ActorCallException">The app refused or failed.</exception>
    ValueTask<ActorAnswer> InvokeAsync(ActorCall call, CancellationToken cancellationToken);

    /// <summary>Tells the actor that a reminder is due; the same refusals.</summary>
    ValueTask<bool> RemindAsync(string type, string id, ActorTick tick, CancellationToken cancellationToken);
}

/// <summary>The actors of this sidecar.</summary>
internal sealed class LocalActors(SidecarRuntime runtime, HostedActors hosted) : IActorSidecar
{
    public ValueTask<ActorAnswer> InvokeAsync(ActorCall call, CancellationToken cancellationToken) =>
        ReferenceEquals(call.Caller, runtime.Self) || !runtime.Tracing.IsOn ? RunAsync(call, cancellationToken) : TracedAsync(call, cancellationToken);

    public async ValueTask<bool> RemindAsync(string type, string id, ActorTick tick, CancellationToken cancellationToken)
    {
        try
        {
            await TurnAsync(type, id, null, tick, static async (t, target, _, id, token) =>
            {
                await target.App.RemindAsync(target.Name, id, t, token).ConfigureAwait(false);
                return true;
            }, cancellationToken).ConfigureAwait(false);
            runtime.Metrics.Actors.ReminderFired(type, success: true);
            return true;
        }
        catch (ActorCallException)
        {
            runtime.Metrics.Actors.ReminderFired(type, success: false);
            throw;
        }
    }

    /// <summary>Tells the actor that a timer is due; the same refusals.</summary>
    public async ValueTask TimerAsync(string type, string id, ActorTick tick, CancellationToken cancellationToken)
    {
        try
        {
            await TurnAsync(type, id, null, tick, static async (t, target, _, id, token) =>
            {
                await target.App.TimerAsync(target.Name, id, t, token).ConfigureAwait(false);
                return true;
            }, cancellationToken).ConfigureAwait(false);
            runtime.Metrics.Actors.TimerFired(type, success: true);
        }
        catch (ActorCallException)
        {
            runtime.Metrics.Actors.TimerFired(type, success: false);
            throw;
        }
    }

    private ValueTask<ActorAnswer> RunAsync(ActorCall call, CancellationToken cancellationToken) =>
        TurnAsync(call.Type, call.Id, call.Header(ActorCall.ReentrancyHeader), call, static (c, target, chain, _, token) => target.App.InvokeAsync(c, chain, token), cancellationToken);

    // The timeout of the type counts from the moment the turn is there.
    private async ValueTask<T> TurnAsync<TState, T>(string type, string id, string? reentrancyId, TState state, Func<TState, HostedType, string?, string, CancellationToken, ValueTask<T>> run, CancellationToken cancellationToken)
    {
        var policy = runtime.Resiliency.ForActorTurn(type);
        if (!policy.IsDefined)
            return await hosted.RunAsync(type, id, reentrancyId, (state, id, run), static (s, target, chain, token) => s.run(s.state, target, chain, s.id, token), cancellationToken).ConfigureAwait(false);
        try
        {
            return await hosted.RunAsync(type, id, reentrancyId, (state, id, run, policy),
                static (s, target, chain, token) => s.policy.RunAsync(limited => s.run(s.state, target, chain, s.id, limited), token), cancellationToken).ConfigureAwait(false);
        }
        catch (PolicyException e)
        {
            throw new ActorCallException(e.Message, inner: e);
        }
    }

    private async ValueTask<ActorAnswer> TracedAsync(ActorCall call, CancellationToken cancellationToken)
    {
        TraceContext.TryParse(call.Trace.TraceParent, call.Trace.TraceState, out var parent);
        using var span = runtime.Tracing.StartSpan($"CallActor/{call.Type}/{call.Method}", SpanKind.Server, parent, call.Trace.Baggage ?? "");
        if (span is null)
            return await RunAsync(call, cancellationToken).ConfigureAwait(false);
        if (span.IsRecording)
        {
            span.Set("dapr.api", "/dapr.proto.internals.v1.ServiceInvocation/CallActor");
            span.Set("dapr.invoke_method", call.Method);
            span.Set("dapr.actor", $"{call.Type}.{call.Id}");
            span.Set("dapr.protocol", "grpc");
            span.Set("rpc.service", "ServiceInvocation");
        }

        try
        {
            return await RunAsync(call with { Trace = Invocation.TraceHeaders.Of(span) }, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            span.Fail(e.Message);
            throw;
        }
    }
}

/// <summary>The actors of another sidecar of this engine. Failures look as they would after crossing to another process.</summary>
internal sealed class NeighbourActors(LocalActors inner) : IActorSidecar
{
    public async ValueTask<ActorAnswer> InvokeAsync(ActorCall call, CancellationToken cancellationToken)
    {
        try
        {
            return await inner.InvokeAsync(call, cancellationToken).ConfigureAwait(false);
        }
        catch (ActorCallException e)
        {
            throw new ActorCallException(e.RemoteMessage, e.HttpStatus, e.IsPermanent, e);
        }
    }

    public ValueTask<bool> RemindAsync(string type, string id, ActorTick tick, CancellationToken cancellationToken) => inner.RemindAsync(type, id, tick, cancellationToken);
}
