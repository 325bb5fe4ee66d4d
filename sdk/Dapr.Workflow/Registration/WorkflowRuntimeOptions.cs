using Dapr.Workflow.Abstractions;
using Dapr.Workflow.Registration;
using Grpc.Net.Client;

namespace Dapr.Workflow;

/// <summary>What the worker serves. Names are compared without case; the first registration of a name wins.</summary>
public sealed class WorkflowRuntimeOptions
{
    private readonly Dictionary<string, Registration<IWorkflow>> _workflows = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, Registration<IWorkflowActivity>> _activities = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Has no effect: 100 turns run at a time, and the sidecar's configuration limits an app further.</summary>
    [Obsolete("Has no effect. Limit workflows in the sidecar's configuration.")]
    public int MaxConcurrentWorkflows { get; set; } = 100;

    /// <summary>Has no effect: 100 activities run at a time, and the sidecar's configuration limits an app further.</summary>
    [Obsolete("Has no effect. Limit activities in the sidecar's configuration.")]
    public int MaxConcurrentActivities { get; set; } = 100;

    internal GrpcChannelOptions? GrpcChannelOptions { get; private set; }

    /// <param name="name">Null: the name of the class.</param>
    public void RegisterWorkflow<TWorkflow>(string? name = null)
        where TWorkflow : class, IWorkflow =>
        _workflows.TryAdd(NameOf<TWorkflow>(name), Registration<IWorkflow>.OfType(typeof(TWorkflow)));

    public void RegisterWorkflow<TInput, TOutput>(string name, Func<WorkflowContext, TInput, Task<TOutput>> implementation)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(implementation);
        _workflows.TryAdd(name, Registration<IWorkflow>.OfInstance(new DelegateWorkflow<TInput, TOutput>(name, implementation)));
    }

    /// <param name="name">Null: the name of the class.</param>
    public void RegisterActivity<TActivity>(string? name = null)
        where TActivity : class, IWorkflowActivity =>
        _activities.TryAdd(NameOf<TActivity>(name), Registration<IWorkflowActivity>.OfType(typeof(TActivity)));

    public void RegisterActivity<TInput, TOutput>(string name, Func<WorkflowActivityContext, TInput, Task<TOutput>> implementation)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(implementation);
        _activities.TryAdd(name, Registration<IWorkflowActivity>.OfInstance(new DelegateActivity<TInput, TOutput>(name, implementation)));
    }

    /// <summary>Options of the channel that the worker and the client share.</summary>
    public void UseGrpcChannelOptions(GrpcChannelOptions grpcChannelOptions)
    {
        ArgumentNullException.ThrowIfNull(grpcChannelOptions);
        GrpcChannelOptions = grpcChannelOptions;
    }

    internal WorkflowRegistry BuildRegistry() => new(_workflows, _activities);

    private static string NameOf<T>(string? name) => string.IsNullOrWhiteSpace(name) ? typeof(T).Name : name;
}
