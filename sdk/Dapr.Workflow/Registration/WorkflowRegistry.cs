using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using Dapr.Workflow.Abstractions;
using Microsoft.Extensions.DependencyInjection;

namespace Dapr.Workflow.Registration;

/// <summary>What is registered, by name without case.</summary>
internal sealed class WorkflowRegistry(
    IEnumerable<KeyValuePair<string, Registration<IWorkflow>>> workflows,
    IEnumerable<KeyValuePair<string, Registration<IWorkflowActivity>>> activities)
{
    private readonly FrozenDictionary<string, Registration<IWorkflow>> _workflows = workflows.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
    private readonly FrozenDictionary<string, Registration<IWorkflowActivity>> _activities = activities.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    public bool TryGetWorkflow(string name, [MaybeNullWhen(false)] out Registration<IWorkflow> registration) => _workflows.TryGetValue(name, out registration);

    public bool TryGetActivity(string name, [MaybeNullWhen(false)] out Registration<IWorkflowActivity> registration) => _activities.TryGetValue(name, out registration);
}

/// <summary>How to make a workflow or an activity; the reflection is done once.</summary>
internal sealed class Registration<T>
    where T : class
{
    private readonly Func<IServiceProvider, T> _create;
    private readonly bool _scoped;

    private Registration(Func<IServiceProvider, T> create, bool scoped)
    {
        _create = create;
        _scoped = scoped;
    }

    /// <param name="type">A class; its constructor may take services.</param>
    public static Registration<T> OfType(Type type)
    {
        var factory = ActivatorUtilities.CreateFactory(type, []);
        // Nothing to inject: no need of a scope for each turn.
        var scoped = type.GetConstructors().Any(constructor => constructor.GetParameters().Length > 0);
        return new(services => (T)factory(services, null), scoped);
    }

    /// <param name="instance">Without state, so that all turns can share it.</param>
    public static Registration<T> OfInstance(T instance) => new(_ => instance, scoped: false) { IsShared = true };

    private bool IsShared { get; init; }

    public Activation<T> Create(IServiceProvider services, out Exception? failure)
    {
        AsyncServiceScope? scope = _scoped ? services.CreateAsyncScope() : null;
        try
        {
            var value = _create(scope?.ServiceProvider ?? services);
            failure = null;
            return new Activation<T>(value, scope, owned: !IsShared);
        }
        catch (Exception e)
        {
            failure = e;
            return new Activation<T>(null!, scope, owned: false);
        }
    }
}

/// <summary>One use of a registration, with the scope that its services live in.</summary>
internal sealed class Activation<T>(T value, AsyncServiceScope? scope, bool owned) : IDisposable, IAsyncDisposable
    where T : class
{
    public T Value { get; } = value;

    public async ValueTask DisposeAsync()
    {
        if (owned)
        {
            if (Value is IAsyncDisposable asynchronous)
                await asynchronous.DisposeAsync();
            else
                (Value as IDisposable)?.Dispose();
        }

        if (scope is { } used)
            await used.DisposeAsync();
    }

    public void Dispose()
    {
        if (owned && Value is IDisposable or IAsyncDisposable || scope is not null)
            DisposeAsync().AsTask().GetAwaiter().GetResult();
    }
}
