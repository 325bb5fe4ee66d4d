using DaprPlatform.Sidecar.Actors.Placement;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Http;
using DaprPlatform.Sidecar.Http.Client;
using DaprPlatform.Sidecar.Resiliency;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Actors;

/// <summary>Brings calls and ticks to the sidecar that hosts the actor: this one directly, one of the same engine by a method call, one of another process through its internal port.</summary>
internal sealed partial class ActorRouter(SidecarRuntime runtime, ActorDirectory directory, LocalActors own, ActorPeers peers)
{
    private static readonly TimeSpan ChangeLimit = TimeSpan.FromSeconds(1);
    private const int MovedAttempts = 10;
    private readonly ILogger _logger = runtime.Loggers.CreateLogger("dapr.runtime.actor");

    /// <summary>Calls a method. The policies of the type apply.</summary>
    /// <exception cref="ApiException">The call got no answer of the actor.</exception>
    public async ValueTask<ActorAnswer> InvokeAsync(ActorCall call, CancellationToken cancellationToken)
    {
        try
        {
            var policy = runtime.Resiliency.ForActor(call.Type, call.Id);
            if (!policy.IsDefined)
                return await RouteAsync(call.Type, call.Id, call, InvokeHereAsync, patient: !policy.IsExplicit, cancellationToken).ConfigureAwait(false);
            return await policy.RunAsync(async token =>
            {
                try
                {
                    return await RouteAsync(call.Type, call.Id, call, InvokeHereAsync, patient: !policy.IsExplicit, token).ConfigureAwait(false);
                }
                catch (ActorCallException e) when (e.IsPermanent)
                {
                    throw new PermanentException(e);
                }
                catch (ApiException e) when (e.ErrorCode is "ERR_ACTOR_STACK_DEPTH" or "ERR_BAD_REQUEST")
                {
                    throw new PermanentException(e);
                }
            }, static answer => answer.IsFault ? Verdict.Failure : Verdict.Success, cancellationToken).ConfigureAwait(false);
        }
        catch (ActorCallException e)
        {
            throw ActorErrors.Invoke(e.Message);
        }
        catch (PolicyException e)
        {
            throw ActorErrors.Invoke(e.Message);
        }
    }

    /// <summary>Brings the tick of a reminder to its actor, wherever that is. Throws where the app did not take it.</summary>
    public async ValueTask RemindAsync(string type, string id, ActorTick tick, CancellationToken cancellationToken) =>
        await RouteAsync(type, id, (type, id, tick), static (sidecar, t, token) => sidecar.RemindAsync(t.type, t.id, t.tick, token), patient: false, cancellationToken).ConfigureAwait(false);

    /// <summary>Calls a method of an actor of this sidecar.</summary>
    public static ValueTask<ActorAnswer> InvokeHereAsync(IActorSidecar sidecar, ActorCall call, CancellationToken cancellationToken) => sidecar.InvokeAsync(call, cancellationToken);

    // A call that meets a table on its way is looked up again.
    private async ValueTask<T> RouteAsync<TState, T>(string type, string id, TState state, Func<IActorSidecar, TState, CancellationToken, ValueTask<T>> run, bool patient, CancellationToken cancellationToken)
    {
        var notFound = patient ? runtime.Resiliency.BuiltIn("DaprBuiltInActorNotFoundRetries") : null;
        var unreachable = runtime.Resiliency.BuiltIn("DaprBuiltInActorRetries");
        for (var (missing, lost, moved) = (0, 0, 0); ;)
        {
            var seen = directory.Seen;
            if (await directory.FindAsync(type, id, cancellationToken).ConfigureAwait(false) is not { } host)
            {
                if (notFound?.Delay(++missing) is not { } pause)
                    throw ActorErrors.NoAddress(type, id);
                LogNotFound(type, id);
                await PauseAsync(pause, cancellationToken).ConfigureAwait(false);
                continue;
            }

            try
            {
                return await run(host.Id == directory.Self.Id ? own : peers.Of(host), state, cancellationToken).ConfigureAwait(false);
            }
            catch (ActorMovedException) when (++moved < MovedAttempts)
            {
                await directory.ChangeAsync(seen, ChangeLimit, cancellationToken).ConfigureAwait(false);
            }
            catch (ActorMovedException)
            {
                throw ActorErrors.NoAddress(type, id);
            }
            catch (UpstreamException e)
            {
                // It has ended and placement will say so, or it cannot be reached for the moment.
                if (unreachable.Delay(++lost) is not { } pause)
                    throw new ActorCallException(e.Message, inner: e);
                await directory.ChangeAsync(seen, pause, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    // A host may turn up meanwhile, but not for a sidecar that ends.
    private async Task PauseAsync(TimeSpan pause, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, runtime.Stopping);
        await Task.Delay(pause, runtime.Time, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        if (runtime.Stopping.IsCancellationRequested)
            throw ActorErrors.Closed();
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "did not find address for actor {Type}/{Id}; trying again")]
    private partial void LogNotFound(string type, string id);
}
