using System.Collections.Concurrent;
using Dapr.Actors.Runtime;
using Microsoft.Extensions.DependencyInjection;

namespace Dapr.Actors.AspNetCore;

/// <summary>Makes actors from the container, each in a scope of its own that lives as long as its activation.</summary>
internal sealed class ContainerActorActivator(IServiceProvider services) : ActorActivator
{
    private readonly ConcurrentDictionary<Type, ObjectFactory> _factories = new();

    public override async Task<ActorActivatorState> CreateAsync(ActorHost host)
    {
        var factory = _factories.GetOrAdd(host.ActorTypeInfo.ImplementationType, static type => ActivatorUtilities.CreateFactory(type, [typeof(ActorHost)]));
        var scope = services.CreateAsyncScope();
        try
        {
            return new State((Actor)factory(scope.ServiceProvider, [host]), scope);
        }
        catch
        {
            await scope.DisposeAsync();
            throw;
        }
    }

    public override async Task DeleteAsync(ActorActivatorState state)
    {
        switch (state.Actor)
        {
            case IAsyncDisposable disposable:
                await disposable.DisposeAsync();
                break;
            case IDisposable disposable:
                disposable.Dispose();
                break;
        }

        await ((State)state).Scope.DisposeAsync();
    }

    private sealed class State(Actor actor, AsyncServiceScope scope) : ActorActivatorState(actor)
    {
        public AsyncServiceScope Scope { get; } = scope;
    }
}
