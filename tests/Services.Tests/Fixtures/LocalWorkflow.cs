using Dapr.Workflow;
using Dapr.Workflow.Abstractions;
using Microsoft.Extensions.DependencyInjection;

namespace DaprPlatform.Services.Tests.Fixtures;

/// <summary>Where an activity is made to fail.</summary>
public enum Fault
{
    None,

    /// <summary>Once, before it does anything.</summary>
    OnceBefore,

    /// <summary>Once, when its effect is durable and its answer is lost.</summary>
    OnceAfter,

    /// <summary>Every time, before it does anything.</summary>
    AlwaysBefore,

    /// <summary>Every time, when its effect is durable.</summary>
    AlwaysAfter,
}

/// <summary>Runs a workflow in this process, with its real activities, tried again as often as it takes to tell a passing fault from a lasting one.</summary>
internal sealed class LocalWorkflow(Func<Type, object> create, params (string Activity, Fault Fault)[] faults) : PlainWorkflowContext
{
    private const int Tries = 3;
    private readonly Dictionary<string, object?> _events = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _calls = new(StringComparer.Ordinal);

    public override string Name => "local";

    public override string InstanceId => "local";

    public override DateTime CurrentUtcDateTime => DateTime.UnixEpoch;

    /// <summary>Names of activities that were called.</summary>
    public IReadOnlyCollection<string> Called => _calls.Keys;

    /// <summary>Activities made of the provider's services, in a scope of their own.</summary>
    public static Func<Type, object> From(IServiceProvider provider) => type => ActivatorUtilities.CreateInstance(provider.CreateScope().ServiceProvider, type);

    public LocalWorkflow Raise(string name, object payload)
    {
        _events[name] = payload;
        return this;
    }

    public override async Task<T> CallActivityAsync<T>(string name, object? input = null, WorkflowTaskOptions? options = null)
    {
        var fault = faults.FirstOrDefault(f => f.Activity == name).Fault;
        var type = typeof(Workflows.OrderWorkflows).Assembly.GetTypes().Single(t => t.Name == name);
        for (var attempt = 1; ; attempt++)
        {
            var fails = fault is Fault.AlwaysBefore or Fault.AlwaysAfter || (fault != Fault.None && _calls.GetValueOrDefault(name) == 0);
            _calls[name] = _calls.GetValueOrDefault(name) + 1;
            try
            {
                if (fails && fault is Fault.OnceBefore or Fault.AlwaysBefore)
                    throw new TimeoutException("not reached");
                var result = await ((IWorkflowActivity)create(type)).RunAsync(null!, input);
                return fails ? throw new TimeoutException("the answer was lost") : (T)result!;
            }
            catch (Exception e) when (attempt < Tries && e is not WorkflowTaskFailedException)
            {
            }
            catch (Exception e) when (e is not WorkflowTaskFailedException)
            {
                throw new WorkflowTaskFailedException("Task failed", new WorkflowTaskFailureDetails(e.GetType().FullName!, e.Message));
            }
        }
    }

    public override Task<T> WaitForExternalEventAsync<T>(string eventName, CancellationToken cancellationToken = default) =>
        _events.TryGetValue(eventName, out var payload) ? Task.FromResult((T)payload!) : new TaskCompletionSource<T>().Task;

    public override Task CreateTimer(DateTime fireAt, CancellationToken cancellationToken) => Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);

    public override void SetCustomStatus(object? customStatus)
    {
    }
}
